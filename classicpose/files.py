"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from .errors import UserError, make_folder


def six_digits(values: np.ndarray) -> list[float]:
    """An array's numbers in a row, to six significant digits, as OpenPose writes them."""
    return [float(f'{value:.6g}') for value in np.ravel(values)]


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` write a file under a temporary name, and rename the file when it is complete.

    Links stay links, and devices and pipes are written to.

    Raises:
        UserError: when the system refuses.
    """
    final, unfinished = _names(path)
    try:
        try:
            write(unfinished)
            if unfinished != final:
                os.replace(unfinished, final)
        except BaseException:
            if unfinished != final:
                unfinished.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UserError(f'cannot write {path} ({error.strerror or error}): give another folder') from error


def _names(path: Path) -> tuple[Path, Path]:
    """A file's final name and the one that it has meanwhile; the same for what is there and no file, as /dev/stdout."""
    if path.exists() and not path.is_file():
        return path, path
    final = Path(os.path.realpath(path)) if path.is_symlink() else path
    return final, final.with_name(f'{final.name}.unfinished')


def refuse_inputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path]) -> None:
    """Refuse to write over an input, also under another spelling of its name or through a link.

    Raises:
        UserError: when a file to be written is one of the inputs.
    """
    read = {key: path for path in inputs if (key := _identity(path))}
    for path in outputs:
        if over := read.get(_identity(path)):
            raise UserError(f'{path} would be written over the input {over}: give another file or folder')


def _identity(path: str | Path) -> tuple[int, int] | None:
    """The same for all names of a file, None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


class StreamedFile:
    r"""A file that grows while a program runs and has its final name only once it is complete.

    Text is UTF-8. Of a file name that is not, the other bytes are written as ``\udcf6``, as JSON does.

    What is written lies in ``<path>.unfinished``. At the end of the ``with`` block it gets its end and its name,
    whatever ended the block, Ctrl-C included: all that was predicted is there. Only where an error came before anything
    was written it is removed, and a file that was there before stays as it was. Links stay links, and devices and pipes
    are written to at once.

    Args:
        start: what every such file begins with.
        end: what makes it whole.

    Raises:
        UserError: when the file cannot be written.
    """

    def __init__(self, path: str | Path, start: str = '', end: str = '') -> None:
        self._path = Path(path)
        self._start, self._end = start, end

    def __enter__(self) -> StreamedFile:
        make_folder(self._path.parent)
        if self._path.is_dir():
            raise UserError(f'{self._path} is a folder: give the name of a file')
        self._final, self._unfinished = _names(self._path)
        self._replaces = self._final != self._unfinished
        self._whole = 0  # bytes of whole entries
        with self._explained():
            # No buffer, so that it is known what has been written.
            self._file = open(self._unfinished, 'wb', buffering=0)
            try:
                self._append(self._start)
            except BaseException:
                self._file.close()
                if self._replaces:
                    self._unfinished.unlink()
                raise
        self._written = False
        return self

    def write(self, entry: str | bytes) -> None:
        """Append a whole entry, or nothing for an image without one."""
        with self._explained():
            self._append(entry)
        self._written = True

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        with self._explained(), self._file:
            if not self._replaces:
                self._append(self._end)
                return
            if error is not None and not self._written:
                self._unfinished.unlink()
                return
            # Ctrl-C, or a full disk, may have cut an entry.
            self._file.seek(self._whole)
            self._file.truncate()
            self._append(self._end)
            os.replace(self._unfinished, self._final)

    def _append(self, entry: str | bytes) -> None:
        contents = entry.encode(errors='backslashreplace') if isinstance(entry, str) else entry
        rest = memoryview(contents)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._whole += len(contents)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f'cannot write {self._path} ({error.strerror or error}): give another path') from error


class JsonList(StreamedFile):
    """A JSON list that grows, an entry a line."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(path, start='[', end='\n]\n')
        self._separator = '\n'

    def extend(self, entries: Iterable[dict]) -> None:
        """Append entries, or none."""
        lines = ',\n'.join(json.dumps(entry) for entry in entries)
        self.write(self._separator + lines if lines else '')
        if lines:
            self._separator = ',\n'
