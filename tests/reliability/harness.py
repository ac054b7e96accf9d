"""Command lines run in copies of a process, and what none of them may do, whatever it is given."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import runpy
import signal
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import copies

TOOLS = Path(__file__).resolve().parents[2] / 'tools'
CANARY = 'code_was_run'
"""A file that a mutated input's code would make in the folder it runs in."""

_REPORT = '.stderr'
_MEMORY = 6 << 30  # bytes beyond what the process has
_SECONDS = 120  # of the wall clock: other programs may run beside
_CPU_SECONDS = 60


@dataclass(frozen=True)
class Outcome:
    """How a command line ended.

    Attributes:
        status: its exit status; minus the signal that ended it; None where it had to be stopped.
        errors: what it wrote to its error output.
        problem: what it may not have done, empty where it behaved.
    """

    status: int | None
    errors: str
    problem: str


def run(
    tool: str,
    arguments: Sequence[object],
    folder: Path,
    goes_on: bool = False,
    prepare: Callable[[], None] | None = None,
) -> Outcome:
    """Run a tool in ``folder``, in a process in which its libraries are loaded already.

    Unless it ``goes_on`` with what an earlier run left, no file that is there may change.
    """
    given = {} if goes_on else _contents(folder)
    process = start(tool, arguments, folder, prepare)
    process.join(_SECONDS)
    status = process.exitcode
    copies.kill(process)  # and its data-loading workers, if it left any
    errors = (folder / _REPORT).read_text(errors='replace')
    left = _contents(folder)
    spoilt = [name for name, contents in given.items() if left.get(name) != contents]
    problem = _problem(tool, status, errors, folder) or ', '.join(f'spoilt {name}' for name in spoilt)
    return Outcome(status, errors, problem)


def _contents(folder: Path) -> dict[str, str]:
    """A sum of each file that a tool may read, by its name."""
    files = (path for path in folder.rglob('*') if path.is_file() and 'out' not in path.relative_to(folder).parts)
    return {
        str(path.relative_to(folder)): hashlib.md5(path.read_bytes()).hexdigest()
        for path in files
        if path.name != _REPORT
    }


def start(
    tool: str, arguments: Sequence[object], folder: Path, prepare: Callable[[], None] | None = None
) -> BaseProcess:
    """As :func:`run`, without waiting for the end; ``prepare`` is called in the process before the tool."""
    (folder / _REPORT).unlink(missing_ok=True)
    return copies.start(
        _become,
        tool,
        list(map(str, arguments)),
        prepare,
        folder=folder,
        output=Path(os.devnull),
        errors=folder / _REPORT,
    )


def _become(tool: str, arguments: list[str], prepare: Callable[[], None] | None) -> None:
    used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if prepare:
        prepare()
    sys.argv = [tool, *arguments]
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


def _problem(tool: str, status: int | None, errors: str, folder: Path) -> str:
    if status is None:
        return 'hangs'
    if status < 0:
        return f'ended by {signal.Signals(-status).name}'
    if 'Traceback' in errors:
        return 'traceback'
    if status not in ((0, 1, 2) if tool == 'inspect_data.py' else (0, 2)):
        return f'status {status}'
    lines = [line for line in errors.splitlines() if line.startswith(('error: ', f'{tool}: error: '))]
    if status == 2 and len(lines) != 1:
        return f'{len(lines)} lines of errors'
    if (folder / CANARY).exists():
        return 'code of an input was run'
    return _half_written(folder)


def _half_written(folder: Path) -> str:
    """What in a folder has a final name but is not whole, or was left under another name."""
    for path in (folder / 'out').rglob('*'):
        if path.name.endswith('.unfinished'):
            return f'left {path.name}'
        if path.suffix == '.pth' and not zipfile.is_zipfile(path):
            return f'half-written {path.name}'
        if path.suffix == '.json' and 'vis_data' not in path.parts:
            try:
                json.loads(path.read_text())
            except ValueError:
                return f'half-written {path.name}'
    return ''
