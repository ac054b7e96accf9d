"""Running the command lines as a user does, and reading what they say."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

import copies
from shipped_configs import REPOSITORY

TOOLS = REPOSITORY / 'tools'
_SECONDS = 600


def command(name: str, *args: object, processes: int = 1) -> list[str]:
    """The command that runs a tool, under torchrun where there are several ``processes``."""
    python = [sys.executable]
    if processes > 1:
        python += ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={processes}']
        args = (*args, '--launcher', 'pytorch')
    return [str(word) for word in (*python, TOOLS / name, *args)]


def run_tool(name: str, *args: object, cwd: Path, processes: int = 1, status: int = 0) -> subprocess.CompletedProcess:
    """Run a tool to its end and check its exit status.

    A single process is copied from one that has imported the libraries already, which saves seconds.
    """
    line = command(name, *args, processes=processes)
    if processes > 1:
        result = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=_SECONDS)
    else:
        result = _run_copy(line, cwd)
    assert result.returncode == status, result.stderr[-3000:]
    return result


def _run_copy(line: list[str], cwd: Path) -> subprocess.CompletedProcess:
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder, name) for name in ('stdout', 'stderr')]
        process = copies.start(_run, line[1:], folder=cwd, output=outputs[0], errors=outputs[1])
        process.join(_SECONDS)
        if process.exitcode is None:
            copies.kill(process)
            raise subprocess.TimeoutExpired(line, _SECONDS)
        return subprocess.CompletedProcess(line, process.exitcode, *(path.read_text() for path in outputs))


def _run(arguments: list[str]) -> None:
    """Run a tool in this process, as Python does with its file."""
    sys.argv = arguments
    own = filter(None, os.environ.get('PYTHONPATH', '').split(os.pathsep))
    sys.path[:1] = [str(Path(arguments[0]).parent), *own]
    runpy.run_path(arguments[0], run_name='__main__')


def only_error(stderr: str) -> str:
    """The text of the one ``error:`` line of a program's error output, which must hold no traceback."""
    assert 'Traceback' not in stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith('error: ')]
    return line.removeprefix('error: ')
