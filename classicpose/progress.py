"""How far long work is: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

Item = TypeVar('Item')

# Seconds.
_BETWEEN_DRAWINGS = 0.5
_BETWEEN_LINES = 30.0
_SPEED_IS_OF = 300.0


class Meter:
    """Counts steps, and shows how many are done, how fast, and the time left.

    On a terminal a bar stands below what is printed, until the work ends. No thread draws it, so that processes can be
    forked meanwhile: it is drawn when steps end.

    Args:
        label: what is counted.
        total: how many steps there are; None where nobody knows.
        unit: of the speed, in ``unit/s``.
        file: where it is shown; by default standard error, which leaves a program's output as it is.
        between_lines: seconds from one line to the next where ``file`` is no terminal.
    """

    def __init__(
        self,
        label: str,
        total: int | None = None,
        unit: str = 'it',
        file: TextIO | None = None,
        between_lines: float = _BETWEEN_LINES,
    ) -> None:
        # A stream that was closed before the program began is None.
        self._file = file or sys.stderr or io.StringIO()
        console = Console(file=self._file)
        self._terminal = self._file.isatty() and console.is_interactive
        self._progress = Progress(
            TextColumn('{task.description}', markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn('{task.fields[note]}', markup=False),
            _Pace(),
            console=console,
            auto_refresh=False,
            speed_estimate_period=_SPEED_IS_OF,
            transient=True,
            redirect_stdout=bool(sys.stdout) and sys.stdout.isatty(),
            redirect_stderr=bool(sys.stderr) and sys.stderr.isatty(),
            disable=not self._terminal,
        )
        self._task = self._progress.add_task(label, total=total, note='', unit=unit)
        self._between = _BETWEEN_DRAWINGS if self._terminal else between_lines
        self._shown = time.monotonic()

    def __enter__(self) -> Meter:
        """Show the bar, for the first time or again."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        self._progress.stop()

    def step(self, done: int, **changed: object) -> None:
        """Note how many steps are done, and show it if that is due.

        Args:
            changed: ``total``, the label as ``description``, or ``note``, a text that is shown beside the numbers.
        """
        self._progress.update(self._task, completed=done, **changed)
        if time.monotonic() - self._shown >= self._between:
            self.show()

    def show(self) -> None:
        """Draw the bar; where there is none, print a line."""
        self._shown = time.monotonic()
        if self._terminal:
            self._progress.refresh()
            return
        (task,) = self._progress.tasks
        count = f'{task.completed}/{task.total}' if task.total else f'{task.completed}'
        parts = (f'{task.description} {count}', task.fields['note'], _pace(task))
        print('  '.join(filter(None, parts)), file=self._file, flush=True)


def tracked(items: Iterable[Item], label: str, total: int | None = None, unit: str = 'it') -> Iterator[Item]:
    """The items, one by one, with a :class:`Meter` of those that are dealt with."""
    with Meter(label, total, unit) as meter:
        for done, item in enumerate(items, start=1):
            yield item
            meter.step(done)


class _Pace(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(_pace(task))


def _pace(task: Task) -> str:
    if not task.speed:
        return ''
    text = f'{task.speed:.{1 if task.speed >= 1 else 2}f} {task.fields["unit"]}/s'
    if task.time_remaining is None:
        return text
    minutes, seconds = divmod(round(task.time_remaining), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{text}  {f"{hours}:{minutes:02}" if hours else minutes}:{seconds:02} left'
