"""Functions that run in copies of a process in which the libraries are loaded already, which saves seconds.

That process has no other threads. A copy of a test's own process, which has, may wait for one of them for ever.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

_SERVER = multiprocessing.get_context('forkserver')
_SERVER.set_forkserver_preload(['torch', 'mmpose.apis', 'custom_modules'])


def start(function: Callable, *args: object, folder: Path, output: Path, errors: Path) -> BaseProcess:
    """Run a function of a module in a copy, in ``folder``, with this process's environment; both files are appended to.

    The process is the first of a group of its own, and its ``exitcode`` a command's status.
    """
    process = _SERVER.Process(target=_become, args=(function, args, str(folder), dict(os.environ), output, errors))
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    """End a copy and what it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # where it had no group yet
    process.join()


def _become(
    function: Callable, args: tuple, folder: str, environment: dict[str, str], output: Path, errors: Path
) -> None:
    import torch

    os.setsid()
    os.chdir(folder)
    for number, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(environment)
    gc.freeze()  # as in conftest.py
    torch.set_num_threads(int(environment.get('OMP_NUM_THREADS') or torch.get_num_threads()))
    function(*args)
