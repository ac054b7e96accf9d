"""Mistakes of the user, told in one line.

Whatever meets such a mistake raises ``UserError``; every command line runs inside
``report_errors``. Nothing but the standard library is imported here, so that data-loading workers
and the smallest tool can afford it.
"""

from __future__ import annotations

import difflib
import errno
import logging
import os
import re
import sys
import threading
import traceback
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

USER_ERROR_STATUS = 2
TRACEBACK_VARIABLE = 'CLASSICPOSE_TRACEBACK'
INTERRUPTED_STATUS = 130  # what a shell reports for a process ended by Ctrl-C

# The line of a printed traceback that carries the message.
_TRACEBACK_MESSAGE = re.compile(r'^(?:[\w.]+\.)?UserError: ', re.MULTILINE)
_STORE_KEY = 'classicpose_user_error'


class UserError(Exception):
    """A mistake in what the user gave. The message names the thing and the remedy."""


@contextmanager
def report_errors() -> Iterator[None]:
    """End the program with one clear line where the user made a mistake or pressed Ctrl-C.

    In a run of several processes only one prints the line. Every other exception is a bug of this program and keeps
    its traceback.

    Raises:
        SystemExit: status 2 after a ``UserError``, 130 after Ctrl-C.
    """
    logging.raiseExceptions = False  # of log files on a full disk
    if hasattr(sys.stdout, 'reconfigure'):
        sys.stdout.reconfigure(errors='backslashreplace')  # for names of files that are no text, as errors are printed
    of_threads, threading.excepthook = threading.excepthook, _report_thread
    try:
        yield
    except UserError as error:
        if _speaks_for_all():
            if os.environ.get(TRACEBACK_VARIABLE) == '1':
                traceback.print_exception(error)
            print(f'error: {message_of(error)}', file=sys.stderr, flush=True)
        _leave(USER_ERROR_STATUS)
    except KeyboardInterrupt:
        if _speaks_for_all():
            print('interrupted', file=sys.stderr, flush=True)
        _leave(INTERRUPTED_STATUS)
    except Exception as error:
        if _disk_is_full(error):
            print(f'error: {error.strerror}: make room, or give another folder', file=sys.stderr, flush=True)
            _leave(USER_ERROR_STATUS)
        # A process that loses its partner fails in the middle of a message to it. The partner's
        # own report is the cause.
        if _already_reported():
            _leave(USER_ERROR_STATUS)
        raise
    finally:
        threading.excepthook = of_threads


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those above it, where it does not exist.

    Raises:
        UserError: when the system refuses.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f'cannot make the folder {folder}: {error.strerror}') from error
    return folder


def message_of(error: UserError) -> str:
    """The error's message as one line.

    A data-loading worker's exception arrives with the worker's whole traceback as its message;
    the original one is its end.
    """
    text = str(error)
    if text.startswith('Caught UserError in '):
        text = _TRACEBACK_MESSAGE.split(text)[-1]
    return ' '.join(text.split())


def count_and_name(problems: Mapping[str, Collection[str]]) -> str:
    """By kind of problem the names affected, as '2 missing (a, b), 9 unexpected (c, d, e, ...)'; '' without any."""
    return ', '.join(f'{len(names)} {kind} ({first_names(names)})' for kind, names in problems.items() if names)


def first_names(names: Collection[str], count: int = 3) -> str:
    """The first names of a list, and an ellipsis where there are more."""
    return ', '.join(map(str, list(names)[:count])) + (', ...' if len(names) > count else '')


def suggestion(name: str, known: Iterable[str]) -> str:
    """``: did you mean ...?`` when there are similar names, else an empty string."""
    near = near_names(name, known)
    return f': did you mean {" or ".join(near)}?' if near else ''


def near_names(name: str, known: Iterable[str]) -> list[str]:
    """Up to three known names that ``name`` may be a misspelling of."""
    return difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.7)


def local_rank() -> int:
    """This process's number on its machine, as torchrun, Slurm or Open MPI gave it, else 0."""
    for variable in ('LOCAL_RANK', 'SLURM_LOCALID', 'OMPI_COMM_WORLD_LOCAL_RANK'):
        if variable in os.environ:
            return int(os.environ[variable])
    return 0


def local_processes() -> int:
    """How many processes of this run are on this machine, as their launcher says, else 1."""
    for variable in ('LOCAL_WORLD_SIZE', 'SLURM_NTASKS_PER_NODE', 'OMPI_COMM_WORLD_LOCAL_SIZE'):
        if variable in os.environ:
            return int(os.environ[variable])
    return 1


def _disk_is_full(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _report_thread(failure: threading.ExceptHookArgs) -> None:
    """One line for a thread that writes to a full disk, as TensorBoard's does."""
    if not _disk_is_full(failure.exc_value):
        threading.__excepthook__(failure)
        return
    print(f'warning: {failure.exc_value.strerror}: a file is incomplete', file=sys.stderr, flush=True)


def _leave(status: int) -> NoReturn:
    if _connected() is not None:
        # An ordinary exit would wait for the partners, or abort on their connections and lose the
        # status.
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        os._exit(status)
    sys.exit(status)


def _speaks_for_all() -> bool:
    """Whether this process is to print: the first to ask or, unconnected, the machine's first."""
    distributed = _connected()
    if distributed is None:
        return local_rank() == 0
    try:
        return distributed.distributed_c10d._get_default_store().add(_STORE_KEY, 1) == 1
    except RuntimeError:  # the process that held the store has ended, so it has reported
        return False


def _already_reported() -> bool:
    distributed = _connected()
    if distributed is None:
        return False
    try:
        return distributed.distributed_c10d._get_default_store().check([_STORE_KEY])
    except RuntimeError:
        return False


def _connected() -> ModuleType | None:
    """``torch.distributed``, if this program has connected its processes with it."""
    distributed = sys.modules.get('torch.distributed')
    if distributed is None or not distributed.is_available() or not distributed.is_initialized():
        return None
    return distributed
