"""The set-up says what pip is doing, and lets pip's error through."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from command_lines import TOOLS

SET_UP = TOOLS / 'set_up.py'
describe = runpy.run_path(str(SET_UP))['describe']


@pytest.mark.parametrize(
    ('line', 'text'),
    [
        ('Collecting torch==2.11.0 (from -r requirements.txt (line 5))', '8 packages looked up, now torch'),
        (
            '  Downloading torch-2.11.0-cp311-cp311-linux_x86_64.whl (530.2 MB)',
            '7 packages looked up, torch is 530.2 MB',
        ),
        ('Installing collected packages: a, b, c', 'installing 3 packages'),
    ],
)
def test_what_pip_is_doing(line: str, text: str) -> None:
    assert describe(line, dict(collected=7))['text'] == text


def test_other_lines_change_nothing() -> None:
    assert describe('Requirement already satisfied: numpy', dict(collected=7)) == {}


def test_a_failure_is_pips(tmp_path: Path) -> None:
    (tmp_path / 'requirements.txt').write_text('./nowhere\n')
    command = [sys.executable, str(SET_UP), str(tmp_path / 'requirements.txt')]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode != 0
    assert 'nowhere' in result.stderr
    assert 'Set-up failed after' in result.stderr


def test_nothing_to_install_is_said(tmp_path: Path) -> None:
    (tmp_path / 'requirements.txt').write_text('numpy\n')
    command = [sys.executable, str(SET_UP), str(tmp_path / 'requirements.txt')]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith('Set up in')
