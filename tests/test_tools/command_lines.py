"""Running the command lines as a user does, and reading what they say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from shipped_configs import REPOSITORY

TOOLS = REPOSITORY / 'tools'


def command(name: str, *args: object, processes: int = 1) -> list[str]:
    """The command that runs a tool, under torchrun where there are several ``processes``."""
    python = [sys.executable]
    if processes > 1:
        python += ['-m', 'torch.distributed.run', '--standalone', f'--nproc-per-node={processes}']
        args = (*args, '--launcher', 'pytorch')
    return [str(word) for word in (*python, TOOLS / name, *args)]


def run_tool(name: str, *args: object, cwd: Path, processes: int = 1, status: int = 0) -> subprocess.CompletedProcess:
    """Run a tool to its end and check its exit status."""
    line = command(name, *args, processes=processes)
    result = subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=600)
    assert result.returncode == status, result.stderr[-3000:]
    return result


def only_error(stderr: str) -> str:
    """The text of the one ``error:`` line of a program's error output, which must hold no traceback."""
    assert 'Traceback' not in stderr
    (line,) = [line for line in stderr.splitlines() if line.startswith('error: ')]
    return line.removeprefix('error: ')
