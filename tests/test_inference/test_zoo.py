"""The models that have a name: their files are whole, find what they found, and mistakes are told in a line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from custom_modules.configuration.loading import load_config
from custom_modules.engine import launch
from custom_modules.engine.checkpoints import load_weights
from custom_modules.errors import UserError
from custom_modules.inference import Predictor, zoo
from custom_modules.models.weights.released import from_ours
from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

OURS = [model for model in zoo.named_models().values() if not model.source]
OTHERS = [model for model in zoo.named_models().values() if model.source]
PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'
# What each of our models found in the photograph when it was published.
FOUND = json.loads((Path(__file__).parent / 'zoo_keypoints.json').read_text())
# Where single-person networks look.
BOXES = dict(deeppose_flic_lite0=[60, 40, 300, 280, 1])


def test_the_folder_holds_the_listed_files_and_nothing_else() -> None:
    files = {path.name for path in zoo.FOLDER.iterdir()}
    assert files == {model.file for model in OURS} | {'README.md', 'index.json'}
    assert sum(model.path.stat().st_size for model in OURS) <= 25e6


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_files_hold_weights_alone_in_half_precision(model: zoo.NamedModel) -> None:
    assert model.path.stat().st_size <= 8e6
    contents = torch.load(model.path, weights_only=True)
    assert list(contents) == ['state_dict']
    assert {tensor.dtype for tensor in contents['state_dict'].values()} == {torch.float16, torch.int64}


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_the_card_names_the_file(model: zoo.NamedModel) -> None:
    card = (zoo.FOLDER / 'README.md').read_text()
    assert all(text in card for text in (model.name, model.file, model.sha256, f'{model.value:.3f}', model.licence))


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_a_named_model_finds_what_it_found(model: zoo.NamedModel) -> None:
    box = np.array([BOXES[model.name]], np.float32) if model.name in BOXES else None
    people = Predictor(model.name, device='cpu', boxes=None if box is None else lambda frame: box)(PHOTOGRAPH)
    expected = np.array(FOUND[model.name])
    assert people.keypoints.shape == expected.shape
    np.testing.assert_allclose(people.keypoints, expected, atol=2)


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_the_cards_number(
    model: zoo.NamedModel, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = request.getfixturevalue('real_flic' if 'flic' in model.name else 'real_coco')
    monkeypatch.setenv('CLASSICPOSE_DATA', str(data.parent))
    metrics = launch.test(REPOSITORY / model.config, model.path, work_dir=tmp_path)
    assert metrics[model.metric] == pytest.approx(model.value, abs=0.002)


@pytest.mark.parametrize('model', zoo.named_models().values(), ids=lambda model: model.name)
def test_configs_load(model: zoo.NamedModel) -> None:
    assert load_config(REPOSITORY / model.config).model


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no model 'opnpose_lite': did you mean openpose_lite"):
        Predictor('opnpose_lite')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda data: data[:-1] + b'x', 'not the one of openpose_lite: its SHA-256 is'),
        (lambda data: data[: len(data) // 2], 'incomplete'),
        (
            lambda data: b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n',
            'Git LFS pointer.*git lfs',
        ),
        (lambda data: None, 'does not exist'),
    ],
    ids=['another', 'cut short', 'pointer', 'missing'],
)
def test_files_that_are_not_the_models(change, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(zoo.FOLDER, tmp_path / 'checkpoints')
    monkeypatch.setattr(zoo, 'FOLDER', tmp_path / 'checkpoints')
    path = tmp_path / 'checkpoints/openpose_lite_coco.pth'
    data = change(path.read_bytes())
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UserError, match=rf'openpose_lite_coco\.pth.*{message}'):
        zoo.find_model('openpose_lite')


@pytest.mark.parametrize('model', OTHERS, ids=lambda model: model.name)
def test_weights_of_others_are_asked_for(
    model: zoo.NamedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))
    with pytest.raises(UserError) as raised:
        zoo.find_model(model.name)
    expected = (model.file, model.source, model.licence, str(tmp_path / 'released'))
    assert all(text in str(raised.value) for text in expected)


def test_weights_of_others_are_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Osokin's file has three refinement stages, of which one is used."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))
    model = zoo.named_models()['lightweight_openpose']
    config = load_config(REPOSITORY / model.config, ['model.head.num_refinements=3'])
    weights = MODELS.build(config.model).state_dict()
    model.path.parent.mkdir()
    torch.save(dict(state_dict=from_ours(weights, LIGHTWEIGHT_OPENPOSE.namings[0])), model.path)
    config, converted = zoo.find_model(model.name)
    network = MODELS.build(load_config(config).model)
    load_weights(network, converted)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    os.utime(model.path, (1, 1))
    before = converted.stat().st_mtime_ns
    assert zoo.find_model(model.name) == (config, converted)
    assert converted.stat().st_mtime_ns == before
    later = converted.stat().st_mtime + 10
    os.utime(model.path, (later, later))
    zoo.find_model(model.name)
    assert converted.stat().st_mtime_ns > before
