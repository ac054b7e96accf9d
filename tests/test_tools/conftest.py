"""One small training that the tests of the command lines share."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_run
from command_lines import run_tool

import custom_modules  # noqa: F401  makes MMPose importable


@pytest.fixture(scope='session')
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config that every test here runs: two epochs of a few images."""
    return tiny_run.write(tmp_path_factory.mktemp('tiny'))


@pytest.fixture(scope='session')
def trained(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of a finished training."""
    work_dir = tmp_path_factory.mktemp('trained')
    run_tool('train.py', config, '--work-dir', work_dir, cwd=work_dir)
    return work_dir
