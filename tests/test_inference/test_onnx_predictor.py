"""Prediction from ONNX files that describe themselves: PyTorch's results, without PyTorch or a config."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor
from classicpose.inference.zoo import named_model
from classicpose.networks.description import KEY
from classicpose.networks.scales import scaled_inputs, unscaled_maps
from classicpose.people import People
from custom_modules.configuration.loading import load_config
from custom_modules.deploy.export import export
from custom_modules.models.pose_estimators.openpose import _resample, _scale_inputs
from custom_modules.prediction import find_model

PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'
# Of what prediction from a config imports; a dict entry of None makes `import` fail.
UNNEEDED = (
    'torch',
    'torchvision',
    'mmpose',
    'mmengine',
    'mmdet',
    'mmcv',
    'scipy',
    'matplotlib',
    'pycocotools',
    'onnx',
    'custom_modules',
    'projects',
)
PREDICT_WITHOUT = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({UNNEEDED}))
sys.argv = ['classicpose', 'predict', *sys.argv[1:]]
runpy.run_module('classicpose', run_name='__main__')
"""


@pytest.fixture(scope='module')
def lite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network as a file."""
    config, checkpoint = find_model(named_model('openpose_lite'))
    return export(load_config(config), checkpoint, tmp_path_factory.mktemp('lite') / 'lite.onnx').path


def assert_same(found: People, expected: People, atol: float = 0.02) -> None:
    assert len(found) == len(expected)
    assert found.skeleton == expected.skeleton
    np.testing.assert_allclose(found.keypoints, expected.keypoints, atol=atol)
    np.testing.assert_allclose(found.keypoint_scores, expected.keypoint_scores, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=atol)


def test_the_shipped_network_finds_the_same_people(lite: Path) -> None:
    settings = dict(maps=True, candidates=True, device='cpu')
    expected = Predictor(*find_model(named_model('openpose_lite')), **settings)(PHOTOGRAPH)
    predict = Predictor(lite, **settings)
    found = predict(PHOTOGRAPH)
    assert len(found) == 1
    assert predict.net_resolution == (-1, 432)
    assert_same(found, expected)
    np.testing.assert_allclose(found.heatmaps, expected.heatmaps, atol=1e-4)
    np.testing.assert_allclose(found.image_to_map, expected.image_to_map)
    for own, other in zip(found.candidates, expected.candidates, strict=True):
        np.testing.assert_allclose(own, other, atol=0.02)


def test_options_change_what_they_change_with_pytorch(lite: Path) -> None:
    settings = dict(net_resolution=(-1, 256), scale_number=2, scale_gap=0.3, maximize_positives=True, maps=True)
    expected = Predictor(*find_model(named_model('openpose_lite')), **settings)(PHOTOGRAPH)
    found = Predictor(lite, **settings)(PHOTOGRAPH)
    np.testing.assert_allclose(found.heatmaps, expected.heatmaps, atol=2e-4)
    np.testing.assert_allclose(found.pafs, expected.pafs, atol=2e-4)


@pytest.mark.parametrize('scale', [1.0, 0.75, 0.3, 1.5])
def test_other_sizes_are_pytorchs(scale: float) -> None:
    inputs = np.random.default_rng(0).normal(size=(2, 3, 40, 56)).astype(np.float32)
    scaled = scaled_inputs(inputs, scale, 8)
    np.testing.assert_allclose(scaled, _scale_inputs(torch.from_numpy(inputs), scale, 8), atol=1e-4)
    maps = F.avg_pool2d(torch.from_numpy(scaled), 8)
    expected = _resample(maps, scale, (5, 7))
    np.testing.assert_allclose(unscaled_maps(maps.numpy(), scale, (5, 7)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ('name', 'flip'),
    [
        ('resnet18_heatmap', False), ('resnet18_heatmap', True), ('resnet18_regression', True), ('resnet18_rle', False),
        ('resnet18_rle', True), ('simcc', False), ('simcc', True), ('hand', True), ('deeppose', True),
    ],
)  # fmt: skip
def test_single_people_are_pytorchs(
    name: str, flip: bool, generated_flic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_flic))
    names = dict(hand='openpose_hand_coco_wholebody', simcc='lite0_simcc_coco')
    path = REPOSITORY / f'configs/{names.get(name) or f"demo/{name}_generated"}.py'
    config = load_config(path, [f'model.test_cfg.flip_test={flip}'])
    if 'weights' in config.model.backbone:
        config.model.backbone.weights = None
    if name == 'hand':
        config.model.head.num_stages = 1
        config.model.head.decoder.update(input_size=(64, 64), heatmap_size=(8, 8))
        config.test_dataloader.dataset.pipeline[-2].input_size = (64, 64)
    if name == 'deeppose':
        del config.model.stages[2:]
        config.model.test_cfg.scales = (0.9, 1.0, 1.1)
    torch.manual_seed(0)
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), tmp_path / 'random.pth')
    monkeypatch.setattr('custom_modules.prediction.trained.load_config', lambda *_: config)
    settings = dict(boxes=lambda frame: np.array([[20, 10, 190, 300, 1], [150.5, 80, 260, 180, 0.5]]), device='cpu')
    expected = Predictor(path, tmp_path / 'random.pth', **settings)(PHOTOGRAPH)
    found = Predictor(export(config, tmp_path / 'random.pth', tmp_path / 'network.onnx').path, **settings)(PHOTOGRAPH)
    # Of two maxima that are nearly equal rounding decides which is the highest.
    assert np.isclose(found.keypoints, expected.keypoints, atol=0.02).mean() > 0.95
    np.testing.assert_allclose(found.keypoint_scores, expected.keypoint_scores, atol=1e-3)
    np.testing.assert_allclose(found.boxes, expected.boxes)


def test_no_pytorch_is_needed(tmp_path: Path) -> None:
    """All outputs by a name of the zoo, in another folder, where importing anything heavy fails."""
    outputs = ['--write_json', 'json', '--write_coco_json', 'all.json', '--write_csv', 'all.csv', '--out-dir', 'drawn']
    outputs += ['--write_maps', 'maps', '--write_heatmaps', 'maps', '--write_video', 'all.avi', '--smoothing']
    result = subprocess.run(
        [sys.executable, '-c', PREDICT_WITHOUT, 'openpose_lite', PHOTOGRAPH, *outputs],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    people = json.loads((tmp_path / 'json/baseball_1888_keypoints.json').read_text())['people']
    expected = Predictor('openpose_lite')(PHOTOGRAPH)
    assert len(people) == len(expected) == 1
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {'json', 'all.json', 'all.csv', 'drawn', 'maps', 'all.avi'}


def changed(path: Path, folder: Path, **entries: object) -> Path:
    """A copy of the file whose description differs in these entries; None takes all of it away."""
    proto = onnx.load(path)
    contents = json.loads(proto.metadata_props[0].value)
    assert proto.metadata_props[0].key == KEY
    for name, value in entries.items():
        contents[name] = value
    del proto.metadata_props[:]
    if entries:
        onnx.helper.set_model_props(proto, {KEY: json.dumps(contents)})
    onnx.save(proto, folder / 'changed.onnx')
    return folder / 'changed.onnx'


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        ({}, 'has no description'),
        (dict(format=2), 'describes itself in format 2, this version reads 1'),
        (dict(kind='top'), 'is broken .*top'),
        (dict(mean=None), 'is broken'),
        (dict(decoder=dict(codec='PartAffinityField', stride=8, magic=1)), 'is broken .*magic'),
        (dict(window={}), 'is broken'),
        (
            dict(skeleton=dict(name='two', keypoints=['a', 'b'], limbs=[[0, 1]], sigmas=[1, 1], midpoints={},
                               extending_limbs=[])),
            'another skeleton .*two with 2 keypoints',
        ),
        (dict(kind='cascade'), 'its outputs are'),
        (dict(kind='single-person', decoder=dict(codec='UDPHeatmap')), 'trained with UDPHeatmap .*give the config'),
    ],
)  # fmt: skip
def test_files_that_cannot_be_used(lite: Path, tmp_path: Path, entries: dict, message: str) -> None:
    with pytest.raises(UserError, match=f'changed.onnx.*{message}'):
        Predictor(changed(lite, tmp_path, **entries))


def test_files_that_are_none(lite: Path, tmp_path: Path) -> None:
    for size in (0, 10, 1000, lite.stat().st_size // 2, lite.stat().st_size - 1):
        (tmp_path / 'cut.onnx').write_bytes(lite.read_bytes()[:size])
        with pytest.raises(UserError, match=r'cut\.onnx (is not a network|does not say)'):
            Predictor(tmp_path / 'cut.onnx')
    with pytest.raises(UserError, match='none.onnx does not exist'):
        Predictor(tmp_path / 'none.onnx')
    with pytest.raises(UserError, match='has no config'):
        Predictor(lite, options=['a=1'])
    with pytest.raises(UserError, match='finds people by itself'):
        Predictor(lite, boxes=lambda frame: np.zeros((0, 5)))


def test_weights_outside_the_file_are_not_read(lite: Path, tmp_path: Path) -> None:
    """onnxruntime itself would read any file that the paths lead to."""
    (tmp_path / 'inside').mkdir()
    path = tmp_path / 'inside/network.onnx'
    onnx.save(onnx.load(lite), path, save_as_external_data=True, location='weights.bin', size_threshold=1000)
    (tmp_path / 'inside/weights.bin').rename(tmp_path / 'weights.bin')
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == 'location':
                entry.value = '../weights.bin'
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(UserError, match='keeps its weights in other files'):
        Predictor(path)


@pytest.mark.parametrize('given', ['walk.mp4', 'folder', 'https://host/street.jpg', 'rtsp://host/s'])
def test_what_is_not_one_image(given: str, lite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'folder').mkdir()
    predictor = Predictor(lite)
    for kind in (str, Path) if '://' not in given else (str,):
        with pytest.raises(UserError) as error:
            predictor(kind(given))
        assert f"{given} is not an image: give classicpose.inference.frames.open_frames('{given}')" in str(error.value)
    with pytest.raises(UserError) as error:
        predictor('none.jpg')
    assert 'none.jpg cannot be read' in str(error.value)
    assert 'data_root' not in str(error.value)


def test_images_that_are_too_large(lite: Path, tmp_path: Path) -> None:
    predict = Predictor(lite)
    # The header and the size of a picture, without its pixels.
    header = struct.pack('>4sIIBBBBB', b'IHDR', 20000, 20000, 8, 2, 0, 0, 0)
    start = b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + header + struct.pack('>I', zlib.crc32(header))
    (tmp_path / 'huge.png').write_bytes(start + struct.pack('>I4s', 2**19, b'IDAT') + bytes(2**19))
    with pytest.raises(UserError, match=r'huge\.png has more than 179 megapixels'):
        predict(tmp_path / 'huge.png')
    with pytest.raises(UserError, match='an image of 20000x10 would be 864000x432 for the network'):
        predict(np.zeros((10, 20000, 3), np.uint8))
    assert len(predict(np.zeros((2000, 20, 3), np.uint8))) == 0
