"""The how-to pages as their reader follows them: the files that they show, and their command lines."""

from __future__ import annotations

import contextlib
import io
import re
import runpy
import shlex
import sys

import pytest
from shipped_configs import REPOSITORY


def page_files(page: str) -> dict[str, str]:
    """The text of every file whose name stands before its code block."""
    return dict(re.findall(r'`(\w+\.py)`:\n\n```python\n(.*?)```', page, re.DOTALL))


def page_commands(page: str) -> list[list[str]]:
    """The words of every command of ours, with the repository's path for the variable in the page."""
    lines = re.findall(r'^(?:python|classicpose) .*$', page, re.MULTILINE)
    return [shlex.split(re.sub(r'\$CLASSICPOSE|~/classicpose', str(REPOSITORY), line)) for line in lines]


def run_here(program: str, *arguments: object) -> str:
    """What a Python program prints, run in this process, which has imported all already."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        patch.setattr(sys, 'argv', [program, *map(str, arguments)])
        try:
            runpy.run_path(program, run_name='__main__')
        except SystemExit as stop:
            assert not stop.code, printed.getvalue()
    return printed.getvalue()
