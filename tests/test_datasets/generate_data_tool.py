"""tools/generate_data.py in the test's own process."""

from __future__ import annotations

import runpy
import sys

import pytest
from shipped_configs import REPOSITORY


def generate_data(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the tool with these arguments."""
    monkeypatch.setattr(sys, 'argv', ['generate_data.py', *arguments])
    runpy.run_path(str(REPOSITORY / 'tools/generate_data.py'), run_name='__main__')
