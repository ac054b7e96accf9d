"""The programs that docs/deploy.md shows do what it says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from shipped_configs import REPOSITORY

from classicpose.images import read_image
from classicpose.inference import Predictor
from classicpose.inference.zoo import named_model
from classicpose.writers.video import VideoFile
from custom_modules.configuration.loading import load_config
from custom_modules.deploy.export import export
from custom_modules.prediction import find_model


@pytest.fixture(scope='module')
def programs() -> list[str]:
    return re.findall(r'```python\n(.*?)```', (REPOSITORY / 'docs/deploy.md').read_text(), re.DOTALL)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network, a photograph of one person and a video of it."""
    folder = tmp_path_factory.mktemp('deployed')
    config, checkpoint = find_model(named_model('openpose_lite'))
    export(load_config(config), checkpoint, folder / 'openpose_lite.onnx')
    (folder / 'photo.jpg').write_bytes((REPOSITORY / 'docs/samples/baseball_1888.jpg').read_bytes())
    with VideoFile(folder / 'walk.mp4') as video:
        video.write(read_image(str(folder / 'photo.jpg')))
    return folder


def test_the_decoding_for_other_languages(
    programs: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    exec(programs[1], {})
    people = Predictor('openpose_lite.onnx')('photo.jpg')
    places = dict(zip(people.skeleton.keypoints, people.keypoints[0], strict=True))
    found = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(found) > 12
    near = [np.linalg.norm(places[name] - np.array([x, y], float)) < 8 for name, x, y, _ in found]
    assert np.mean(near) > 0.8


def test_the_program_of_ten_lines(
    programs: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(folder)
    exec(programs[0], {})
    assert capsys.readouterr().out.startswith("0 0 {'nose': [")
