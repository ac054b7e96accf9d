"""The models that have a name: their files are whole, find what they found, and mistakes are told in a line."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor, zoo
from custom_modules.configuration.loading import load_config
from custom_modules.engine import launch
from custom_modules.engine.checkpoints import load_weights
from custom_modules.models.weights.released import from_ours
from custom_modules.prediction import find_model
from custom_modules.prediction import zoo as checkpoints
from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

OURS = [model for model in zoo.named_models().values() if not model.source]
OTHERS = [model for model in zoo.named_models().values() if model.source]
CHECKPOINTS = REPOSITORY / 'checkpoints'
PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'
# What each of our models found in the photograph when it was published.
FOUND = json.loads((Path(__file__).parent / 'zoo_keypoints.json').read_text())
# Where single-person networks look.
BOXES = dict(deeppose_flic_lite0=[60, 40, 300, 280, 1])


def test_the_folders_hold_the_listed_files_and_nothing_else() -> None:
    files = {path.name: path.stat().st_size for folder in (zoo.FOLDER, CHECKPOINTS) for path in folder.iterdir()}
    listed = {name for model in OURS for name in (model.file, model.onnx)}
    unfinished = {'lite0_simcc_people.pth'}  # to train on from, see its card
    assert set(files) == listed | unfinished | {'README.md', 'index.json'}
    assert max(files.values()) <= 8e6
    assert sum(files.values()) <= 40e6


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_checkpoints_hold_weights_in_half_precision_and_their_body_model(model: zoo.NamedModel) -> None:
    contents = torch.load(CHECKPOINTS / model.file, weights_only=True)
    assert list(contents) == ['state_dict', 'meta']
    skeleton = Predictor(model.name, device='cpu').skeleton
    (metainfo,) = contents['meta'].values()
    assert tuple(metainfo['keypoint_id2name'].values()) == skeleton.keypoints
    assert metainfo['flip_indices'] == list(skeleton.flip_indices)
    assert {tensor.dtype for tensor in contents['state_dict'].values()} == {torch.float16, torch.int64}


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_the_card_names_the_files(model: zoo.NamedModel) -> None:
    card = (CHECKPOINTS / 'README.md').read_text()
    for text in (
        model.name,
        model.file,
        model.sha256,
        model.onnx,
        model.onnx_sha256,
        f'{model.value:.3f}',
        model.licence,
    ):
        assert text in card


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_the_network_in_the_package_is_the_checkpoints(model: zoo.NamedModel) -> None:
    """One of 8 bits, one in half precision, of weights that were rounded at other places than the checkpoint's."""
    box = np.array([BOXES[model.name]], np.float32) if model.name in BOXES else None
    boxes = None if box is None else lambda frame: box
    found, expected = (
        Predictor(*given, device='cpu', boxes=boxes)(PHOTOGRAPH) for given in ((model.name,), find_model(model))
    )
    assert len(found) == len(expected) == 1
    sure = expected.keypoint_scores > 0.05
    np.testing.assert_allclose(found.keypoints[sure], expected.keypoints[sure], atol=2.5)
    np.testing.assert_allclose(found.keypoint_scores, expected.keypoint_scores, atol=0.1)


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_a_named_model_finds_what_it_found(model: zoo.NamedModel) -> None:
    box = np.array([BOXES[model.name]], np.float32) if model.name in BOXES else None
    people = Predictor(model.name, device='cpu', boxes=None if box is None else lambda frame: box)(PHOTOGRAPH)
    expected = np.array(FOUND[model.name])
    assert people.keypoints.shape == expected.shape
    np.testing.assert_allclose(people.keypoints, expected, atol=2)


def test_the_cascade_is_less_sure_of_what_it_gets_wrong() -> None:
    """It puts an arm of the batsman along his body."""
    name = 'deeppose_flic_lite0'
    people = Predictor(name, device='cpu', boxes=lambda frame: np.array([BOXES[name]], np.float32))(PHOTOGRAPH)
    scores = dict(zip(people.skeleton.keypoints, people.keypoint_scores[0], strict=True))
    assert scores['left_wrist'] < 0.2
    assert min(scores['left_eye'], scores['right_eye'], scores['left_shoulder']) > 0.9


def test_what_a_portrait_does_not_show_is_not_found() -> None:
    """A woman to the waist; of her legs there are guesses alone."""
    people = Predictor('openpose_lite', device='cpu')(REPOSITORY / 'docs/samples/astronaut.jpg')
    assert len(people) == 1
    found = people.keypoint_scores[0] > 0
    names = {name for name, there in zip(people.skeleton.keypoints, found, strict=True) if there}
    assert {'nose', 'left_eye', 'right_eye', 'left_shoulder', 'right_shoulder'} <= names
    assert not names & {f'{side}_{joint}' for side in ('left', 'right') for joint in ('knee', 'ankle')}
    assert (people.keypoint_scores[0, found] > 0.02).all()
    assert (people.keypoints[0, ~found] == 0).all()
    seen = people.keypoints[0, found]
    np.testing.assert_array_equal(people.boxes[0], [*seen.min(axis=0), *seen.max(axis=0)])


@pytest.mark.parametrize('model', OURS, ids=lambda model: model.name)
def test_the_cards_number(
    model: zoo.NamedModel, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = request.getfixturevalue('real_flic' if 'flic' in model.name else 'real_coco')
    monkeypatch.setenv('CLASSICPOSE_DATA', str(data.parent))
    metrics = launch.test(REPOSITORY / model.config, CHECKPOINTS / model.file, work_dir=tmp_path)
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
        (lambda data: data[:-1] + b'x', 'not the (one|network) of openpose_lite: its SHA-256 is'),
        (lambda data: data[: len(data) // 2], 'incomplete|its SHA-256 is'),
        (
            lambda data: b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n',
            'Git LFS pointer.*git lfs',
        ),
        (lambda data: None, 'does not exist|is missing'),
    ],
    ids=['another', 'cut short', 'pointer', 'missing'],
)
def test_files_that_are_not_the_models(change, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network in the package and the checkpoint in the repository alike."""
    model = zoo.named_model('openpose_lite')
    for module, name, load in (
        (zoo, model.onnx, lambda: Predictor('openpose_lite')),
        (checkpoints, model.file, lambda: find_model(model)),
    ):
        path = tmp_path / name
        data = change((module.FOLDER / name).read_bytes())
        if data is not None:
            path.write_bytes(data)
        monkeypatch.setattr(module, 'FOLDER', tmp_path)
        with pytest.raises(UserError, match=rf'{re.escape(name)}.*({message})'):
            load()


@pytest.mark.parametrize('model', OTHERS, ids=lambda model: model.name)
def test_weights_of_others_are_asked_for(
    model: zoo.NamedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))
    with pytest.raises(UserError) as raised:
        Predictor(model.name)
    expected = (model.file, model.source, model.licence, str(tmp_path / 'released'))
    assert all(text in str(raised.value) for text in expected)


def test_weights_of_others_are_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Osokin's file has three refinement stages, of which one is used."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))
    model = zoo.named_models()['lightweight_openpose']
    config = load_config(REPOSITORY / model.config, ['model.head.num_refinements=3'])
    weights = MODELS.build(config.model).state_dict()
    weights_file = tmp_path / 'released' / model.file
    weights_file.parent.mkdir()
    torch.save(dict(state_dict=from_ours(weights, LIGHTWEIGHT_OPENPOSE.namings[0])), weights_file)
    config, converted = find_model(model)
    network = MODELS.build(load_config(config).model)
    load_weights(network, converted)
    metainfo = torch.load(converted, weights_only=True)['meta']['dataset_meta']
    assert metainfo['flip_indices'] == list(network.head.decoder.skeleton.flip_indices)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())
    os.utime(weights_file, (1, 1))
    before = converted.stat().st_mtime_ns
    assert find_model(model) == (config, converted)
    assert converted.stat().st_mtime_ns == before
    later = converted.stat().st_mtime + 10
    os.utime(weights_file, (later, later))
    find_model(model)
    assert converted.stat().st_mtime_ns > before
