"""Short runs of what docs/lab/reliability.md reports of long ones."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from reliability.harness import run
from reliability.kill import kill
from reliability.mutate import mutate
from reliability.mutations import make_inputs


def test_no_input_is_too_broken(tmp_path: Path) -> None:
    problems, ends = mutate(tmp_path, cases=24, seed=0)
    assert problems == []
    assert sum(count for (_, end), count in ends.items() if end == 'one line') > 5


def test_killed_trainings_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    problems, writing = kill(tmp_path, kills=2, seed=0)
    assert problems == []
    assert writing


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder with sound inputs whose folder ``out`` is a disk of a megabyte, nearly full."""
    make_inputs(tmp_path)
    disk = tmp_path / 'out'
    disk.mkdir()
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk], capture_output=True)
    if mounted.returncode:
        pytest.skip('only root may mount a small disk')
    (disk / 'filler').write_bytes(bytes(1_000_000))
    yield tmp_path
    subprocess.run(['umount', '--lazy', disk], check=True)


def test_a_full_disk(full_disk: Path) -> None:
    shutil.rmtree(full_disk / 'flic')
    training = ['tiny.py', '--work-dir', 'out', '--no-validate']
    outcome = run('train.py', training, full_disk)
    assert (outcome.status, outcome.problem) == (2, ''), outcome.errors
    assert 'No space left' in outcome.errors
    (full_disk / 'out/filler').write_bytes(b'')
    assert run('train.py', [*training, '--cfg-options', 'train_cfg.max_epochs=1'], full_disk).status == 0
    checkpoint = shutil.copy(full_disk / 'out/epoch_1.pth', full_disk)
    for path in (full_disk / 'out').iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (full_disk / 'out/filler').write_bytes(bytes(1_043_000))
    for flags in (
        ['--write_json', 'out/json'],
        ['--write_csv', 'out/people.csv'],
        ['--write_images', 'out/images'],
        ['--write_video', 'out/video.mp4'],
        ['--write_coco_json', 'out/all.json'],
    ):
        outcome = run('predict.py', ['tiny.py', checkpoint, 'data/images', *flags], full_disk)
        assert outcome.problem == '', outcome.errors
        assert outcome.status == 2, flags
