"""Bars and lines of progress."""

from __future__ import annotations

import io
import os
import pty
import re
from types import SimpleNamespace

import pytest
from terminals import drawn_on

from classicpose import progress
from classicpose.progress import Meter, tracked


def test_elsewhere_than_on_a_terminal_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(10_000))  # a second passes whenever somebody looks
    monkeypatch.setattr(progress.time, 'monotonic', lambda: next(clock))
    file = io.StringIO()
    with Meter('iter', 90, file=file, between_lines=30) as meter:
        for done in range(1, 91):
            meter.step(done, note=f'loss {done}')
    lines = file.getvalue().splitlines()
    assert len(lines) in (2, 3)
    assert all(re.match(r'iter (\d+)/90  loss \1\b', line) for line in lines)


def test_short_work_says_nothing_in_a_file(capsys: pytest.CaptureFixture) -> None:
    assert list(tracked('abc', 'letters', 3)) == ['a', 'b', 'c']
    assert capsys.readouterr() == ('', '')


@pytest.mark.parametrize(
    ('speed', 'left', 'text'),
    [
        (2.14, 200, '2.1 it/s  3:20 left'),
        (0.031, 4957, '0.03 it/s  1:22:37 left'),
        (5, None, '5.0 it/s'),
        (None, None, ''),
    ],
)
def test_speed_and_the_time_left(speed: float | None, left: float | None, text: str) -> None:
    task = SimpleNamespace(speed=speed, time_remaining=left, fields=dict(unit='it'))
    assert progress._pace(task) == text


def test_a_bar_on_a_terminal_goes_with_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    main, terminal = pty.openpty()
    monkeypatch.setenv('TERM', 'xterm')
    with os.fdopen(terminal, 'w') as file, Meter('iter', 3, file=file) as meter:
        meter.step(2, note='[loss] 0.1')
        meter.show()
    drawn = drawn_on(main)
    assert re.search(r'iter .*━.*2/3\x1b\[0m \[loss\] 0\.1', drawn)
    assert drawn.endswith('\x1b[2K')  # the line of the bar is erased
