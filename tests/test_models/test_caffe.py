"""Weights in Caffe's files give, in our networks, the maps that OpenCV computes with them from Caffe's descriptions."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from caffe_networks import NETWORKS, Layer, layers_of, prototxt, random_weights
from mmengine.config import Config
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from custom_modules.models.weights.caffe import read_caffemodel, write_caffemodel
from custom_modules.models.weights.openpose import OPENPOSE_NETWORKS
from custom_modules.models.weights.released import Network, from_ours, recognise, to_ours

CONFIGS = dict(zip(NETWORKS, ('body25', 'coco', 'mpi', 'mpi_faster', 'hand', 'face'), strict=True))
SIZE = (64, 48)  # of the image: maps of 8 x 6 cells


def shapes_of(network: Network, stages: int) -> dict[str, torch.Size]:
    config = Config.fromfile(REPOSITORY / network.config_of(stages))
    if network.stages_setting:
        config.merge_from_dict({network.stages_setting: stages})
    with torch.device('meta'):
        return {name: tensor.shape for name, tensor in MODELS.build(config.model).state_dict().items()}


def opencvs_output(description: str, weights: Path, image: np.ndarray) -> np.ndarray:
    """(C, H / 8, W / 8) of an image (H, W, 3), prepared as OpenPose does: BGR / 256 - 0.5."""
    if not hasattr(cv2.dnn, 'readNetFromCaffe'):
        pytest.skip('OpenCV 5 does not read networks of Caffe')
    network = cv2.dnn.readNetFromCaffe(bytearray(description.encode()), bytearray(weights.read_bytes()))
    network.setInput(cv2.dnn.blobFromImage(image, 1 / 256, mean=(128, 128, 128), swapRB=False))
    return network.forward()[0]


def our_output(config: str, weights: dict[str, torch.Tensor], image: np.ndarray) -> np.ndarray:
    """The same by the config's model, its preparation of images included."""
    model = MODELS.build(Config.fromfile(REPOSITORY / config).model).eval()
    model.load_state_dict(weights)
    inputs = [torch.from_numpy(image.transpose(2, 0, 1))]
    inputs = model.data_preprocessor(dict(inputs=inputs, data_samples=[PoseDataSample()]))['inputs']
    with torch.no_grad():
        output = model.head(model.extract_feat(inputs))
    if isinstance(output, list):
        pafs, heatmaps = output[-1]
        output = torch.cat([heatmaps, pafs], dim=1)
    return output[0].numpy()


def assert_same_maps(description: str, config: str, folder: Path) -> None:
    torch.manual_seed(0)
    weights = random_weights(layers_of(description))
    write_caffemodel(weights, folder / 'weights.caffemodel')
    state = read_caffemodel(folder / 'weights.caffemodel')
    network, naming, stages = recognise(state, OPENPOSE_NETWORKS, shapes_of)
    assert naming.name == 'caffe'
    assert network.config_of(stages) == config
    ours = to_ours(state, naming, shapes_of(network, stages))
    image = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    expected = opencvs_output(description, folder / 'weights.caffemodel', image)
    found = our_output(config, ours, image)
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))
    back = from_ours(ours, naming)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


@pytest.mark.parametrize('name', ['pose/body_25/pose_deploy.prototxt', 'hand/pose_deploy.prototxt'])
def test_our_maps_are_opencvs(name: str, tmp_path: Path) -> None:
    assert_same_maps(prototxt(NETWORKS[name]), f'configs/openpose_{CONFIGS[name]}_released.py', tmp_path)


@pytest.mark.real_data
@pytest.mark.parametrize('name', NETWORKS)
def test_our_maps_are_opencvs_by_the_genuine_descriptions(name: str, real_prototxt: Path, tmp_path: Path) -> None:
    description = (real_prototxt / name).read_text()
    assert_same_maps(description, f'configs/openpose_{CONFIGS[name]}_released.py', tmp_path)


@pytest.mark.real_data
@pytest.mark.parametrize('name', NETWORKS)
def test_the_descriptions_made_here_are_the_genuine_ones(name: str, real_prototxt: Path) -> None:
    genuine, made = layers_of((real_prototxt / name).read_text()), NETWORKS[name]

    def convolutions(layers: list[Layer]) -> set[tuple]:
        return {(layer.name, layer.channels, layer.kernel) for layer in layers if layer.type == 'Convolution'}

    def joined(layers: list[Layer]) -> set[tuple]:
        return {layer.bottoms for layer in layers if layer.type == 'Concat'}

    assert convolutions(made) == convolutions(genuine)
    assert joined(made) == joined(genuine)
    shapes, expected = (
        {layer: tensor.shape for layer, tensor in random_weights(layers).items()} for layers in (made, genuine)
    )
    assert shapes == expected


def small_weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {'conv.weight': torch.randn(4, 3, 3, 3), 'conv.bias': torch.randn(4), 'prelu.weight': torch.rand(4)}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    weights = small_weights()
    write_caffemodel(weights, tmp_path / 'a.caffemodel')
    read = read_caffemodel(tmp_path / 'a.caffemodel')
    assert list(read) == list(weights)
    assert all(torch.equal(read[name], weights[name]) for name in weights)


def test_blobs_of_four_sizes(tmp_path: Path) -> None:
    """Files from before 2015: num, channels, height and width instead of a shape, 1 x 1 x 1 x N for a bias."""
    from custom_modules.models.weights.caffe import _messages

    weights = small_weights()
    network = _messages()['Net']()
    layer = network.layer.add(name='conv', type='Convolution')
    for tensor, sizes in ((weights['conv.weight'], (4, 3, 3, 3)), (weights['conv.bias'], (1, 1, 1, 4))):
        blob = layer.blobs.add(**dict(zip(('num', 'channels', 'height', 'width'), sizes, strict=True)))
        blob.data.extend(tensor.flatten().tolist())
    (tmp_path / 'old.caffemodel').write_bytes(network.SerializeToString())
    read = read_caffemodel(tmp_path / 'old.caffemodel')
    assert torch.equal(read['conv.weight'], weights['conv.weight'])
    assert torch.equal(read['conv.bias'], weights['conv.bias'])


def test_bad_files_are_named(tmp_path: Path) -> None:
    write_caffemodel(small_weights(), tmp_path / 'good.caffemodel')
    data = (tmp_path / 'good.caffemodel').read_bytes()
    files = {
        'short': (data[: len(data) // 2], 'cut short or no .caffemodel'),
        'noise': (bytes(range(255, 0, -1)), 'cut short or no .caffemodel'),
        'empty': (b'', 'cut short or no .caffemodel'),
        'deploy': (prototxt(NETWORKS['hand/pose_deploy.prototxt']).encode(), 'is text.*give the weights'),
    }
    for name, (contents, complaint) in files.items():
        path = tmp_path / f'{name}.caffemodel'
        path.write_bytes(contents)
        with pytest.raises(UserError, match=complaint) as error:
            read_caffemodel(path)
        assert f'{name}.caffemodel' in str(error.value)
    with pytest.raises(UserError, match='none.caffemodel cannot be read'):
        read_caffemodel(tmp_path / 'none.caffemodel')


def test_a_blob_of_too_few_numbers_is_named(tmp_path: Path) -> None:
    from custom_modules.models.weights.caffe import _messages

    network = _messages()['Net']()
    blob = network.layer.add(name='conv', type='Convolution').blobs.add()
    blob.shape.dim.extend([4, 3])
    blob.data.extend([1.0] * 11)
    (tmp_path / 'a.caffemodel').write_bytes(network.SerializeToString())
    with pytest.raises(UserError, match='layer conv has 11 numbers, not 4x3'):
        read_caffemodel(tmp_path / 'a.caffemodel')
