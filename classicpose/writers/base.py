"""What all writers share: their shape, and when a file is complete.

Files about an image are named by :attr:`People.name`; :attr:`People.found` tells which keypoints count as found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import make_folder
from ..files import StreamedFile, write_whole
from ..people import People


class Writer:
    """Takes one image's people after another, in a ``with`` statement that finishes all files however it is left."""

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Write about an image (H, W, 3) uint8 BGR and its people."""
        raise NotImplementedError


class ImageFiles(Writer):
    """Writes files of their own for every image, people or not. Each appears whole or not at all.

    Args:
        folder: made where it does not exist.

    Attributes:
        endings: what follows the image's name in the files' names.

    Raises:
        UserError: when the folder or a file cannot be written.
    """

    endings: tuple[str, ...] = ()

    def __init__(self, folder: str | Path) -> None:
        self._folder = make_folder(folder)

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Write the files of an image."""
        for ending, data in self.files(people, image).items():
            write_whole(self._folder / f'{people.name}{ending}', lambda path, data=data: path.write_bytes(data))

    def files(self, people: People, image: np.ndarray | None) -> dict[str, bytes]:
        """The contents of each file by its ending; there may be fewer than :attr:`endings`."""
        raise NotImplementedError


class OneFile(Writer):
    """Writes all images' people into one file, which has its name once it is whole: see :class:`StreamedFile`.

    Raises:
        UserError: when the file cannot be written.
    """

    def __init__(self, file: StreamedFile) -> None:
        self._file = file

    def __enter__(self) -> OneFile:
        self._file.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._file.__exit__(*error)


class FileAtTheEnd(OneFile):
    """Keeps what is to be told of all images, and writes it when there are no more."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(StreamedFile(path))
        self._any = False

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Keep what is to be told of an image."""
        self.keep(people, image)
        self._any = True

    def __exit__(self, *error: object) -> None:
        try:
            if self._any or error[0] is None:
                self._file.write(self.contents())
        finally:
            super().__exit__(*error)

    def keep(self, people: People, image: np.ndarray | None) -> None:
        """Keep what is to be told of an image."""
        raise NotImplementedError

    def contents(self) -> str | bytes:
        """The file's contents."""
        raise NotImplementedError
