"""Command lines run in forked copies of this process, and what none of them may do, whatever it is given."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import resource
import runpy
import signal
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def run(tool: str, arguments: Sequence[object], folder: Path, goes_on: bool = False) -> Outcome:
    """Run a tool in ``folder`` in a copy of this process, in which its libraries are loaded already.

    Unless it ``goes_on`` with what an earlier run left, no file that is there may change.
    """
    given = {} if goes_on else _contents(folder)
    status = _wait(start(tool, arguments, folder))
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


def start(tool: str, arguments: Sequence[object], folder: Path) -> int:
    """As :func:`run`, without waiting for the end; returns the process's number, which is its group's too."""
    child = os.fork()
    if not child:
        _become(tool, list(map(str, arguments)), folder, folder / _REPORT)
    return child


def _become(tool: str, arguments: list[str], folder: Path, report: Path) -> None:
    """Be the tool; never returns."""
    os.setsid()  # so that its own children end with it
    status = 70
    try:
        os.chdir(folder)
        used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        output = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.stdout, sys.stderr = io.TextIOWrapper(io.FileIO(1, 'w')), io.TextIOWrapper(io.FileIO(2, 'w'))
        sys.argv = [tool, *arguments]
        try:
            runpy.run_path(str(TOOLS / tool), run_name='__main__')
            status = 0
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            import traceback

            traceback.print_exc()
            status = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _wait(child: int) -> int | None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # its data-loading workers, if it left any
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


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
