"""Released weights give the maps of the network they come from, computed here layer by layer in its own naming."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from people import UPRIGHT
from shipped_configs import REPOSITORY
from torch import nn

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18, OPENPOSE18_RELEASED
from custom_modules.models.weights.openpose import OPENPOSE
from custom_modules.models.weights.released import Naming, Network, from_ours, recognise, to_ours, weights_of
from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

NETWORKS = (OPENPOSE, LIGHTWEIGHT_OPENPOSE)
VGG = {
    'conv1_1': (3, 64), 'conv1_2': (64, 64), 'pool1': None, 'conv2_1': (64, 128), 'conv2_2': (128, 128), 'pool2': None,
    'conv3_1': (128, 256), 'conv3_2': (256, 256), 'conv3_3': (256, 256), 'conv3_4': (256, 256), 'pool3': None,
    'conv4_1': (256, 512), 'conv4_2': (512, 512), 'conv4_3_CPM': (512, 256), 'conv4_4_CPM': (256, 128),
}  # fmt: skip
MOBILENET = [  # output channels, stride and dilation of the blocks from the second on
    (64, 1, 1), (128, 2, 1), (128, 1, 1), (256, 2, 1), (256, 1, 1), (512, 1, 1), (512, 1, 2), (512, 1, 1), (512, 1, 1),
    (512, 1, 1), (512, 1, 1),
]  # fmt: skip


def build(network: Network, stages: int) -> nn.Module:
    config = Config.fromfile(REPOSITORY / network.config)
    config.merge_from_dict({network.stages_setting: stages - network.uncounted_stages})
    return MODELS.build(config.model).eval()


def shapes_of(network: Network, stages: int) -> dict[str, torch.Size]:
    with torch.device('meta'):
        return {name: tensor.shape for name, tensor in build(network, stages).state_dict().items()}


def our_maps(network: Network, stages: int, weights: dict, inputs: torch.Tensor) -> list[tuple]:
    model = build(network, stages)
    model.load_state_dict(weights)
    model.double()
    with torch.no_grad():
        return model.head(model.extract_feat(inputs))


def random(*shape: int) -> torch.Tensor:
    """Such that layers keep their inputs' size, roughly."""
    return torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5


# --- OpenPose ----------------------------------------------------------------------------------


def branch_layers(stage: int, branch: int) -> dict[str, tuple[int, int, int]]:
    """(in, out, kernel) of a branch's layers, by Caffe's names."""
    out = {1: 38, 2: 19}[branch]
    if stage == 1:
        sizes = [(128, 128, 3)] * 3 + [(128, 512, 1), (512, out, 1)]
        return {f'conv5_{number}_CPM_L{branch}': size for number, size in enumerate(sizes, start=1)}
    sizes = [(185, 128, 7)] + [(128, 128, 7)] * 4 + [(128, 128, 1), (128, out, 1)]
    return {f'Mconv{number}_stage{stage}_L{branch}': size for number, size in enumerate(sizes, start=1)}


def openpose_weights(stages: int, naming: str = 'caffe') -> dict[str, torch.Tensor]:
    layers = {'model0': {name: (*size, 3) if size else None for name, size in VGG.items()}}
    for stage in range(1, stages + 1):
        for branch in (1, 2):
            layers[f'model{stage}_{branch}'] = branch_layers(stage, branch)
    weights = {}
    for module, sizes in layers.items():
        index = 0
        for layer, size in sizes.items():
            if size is None:
                index += 1
                continue
            name = {'caffe': layer, 'pytorch-openpose': f'{module}.{layer}', 'rtpose': f'{module}.{index}'}[naming]
            weights[f'{name}.weight'] = random(size[1], size[0], size[2], size[2])
            weights[f'{name}.bias'] = torch.randn(size[1])
            index += 2  # its ReLU
    return weights


def openpose_maps(weights: dict[str, torch.Tensor], stages: int, inputs: torch.Tensor) -> list[tuple]:
    """(pafs, heatmaps) of every stage, from weights under Caffe's names."""

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        weight = weights[f'{name}.weight'].double()
        return F.conv2d(x, weight, weights[f'{name}.bias'].double(), padding=weight.shape[-1] // 2)

    def branch(stage: int, number: int, x: torch.Tensor) -> torch.Tensor:
        *hidden, last = branch_layers(stage, number)
        for name in hidden:
            x = conv(name, x).relu()
        return conv(last, x)

    features = inputs
    for name in VGG:
        features = F.max_pool2d(features, 2) if name.startswith('pool') else conv(name, features).relu()
    outputs, x = [], features
    for stage in range(1, stages + 1):
        outputs.append((branch(stage, 1, x), branch(stage, 2, x)))
        x = torch.cat([*outputs[-1], features], dim=1)
    return outputs


# --- Lightweight OpenPose ----------------------------------------------------------------------


def lightweight_weights(refinements: int) -> dict[str, torch.Tensor]:
    weights = {}

    def conv(name: str, *shape: int, bias: bool = True) -> None:
        weights[f'{name}.weight'] = random(*shape)
        if bias:
            weights[f'{name}.bias'] = torch.randn(shape[0])

    def norm(name: str, channels: int) -> None:
        weights.update(
            {
                f'{name}.weight': torch.rand(channels) + 0.5,
                f'{name}.bias': torch.randn(channels),
                f'{name}.running_mean': torch.randn(channels),
                f'{name}.running_var': torch.rand(channels) + 0.5,
                f'{name}.num_batches_tracked': torch.tensor(370000),
            }
        )

    def outputs(prefix: str, hidden: int) -> None:
        for name, channels in (('heatmaps', 19), ('pafs', 38)):
            conv(f'{prefix}.{name}.0.0', hidden, 128, 1, 1)
            conv(f'{prefix}.{name}.1.0', channels, hidden, 1, 1)

    conv('model.0.0', 32, 3, 3, 3, bias=False)
    norm('model.0.1', 32)
    channels = 32
    for number, (out, _, _) in enumerate(MOBILENET, start=1):
        conv(f'model.{number}.0', channels, 1, 3, 3, bias=False)
        norm(f'model.{number}.1', channels)
        conv(f'model.{number}.3', out, channels, 1, 1, bias=False)
        norm(f'model.{number}.4', out)
        channels = out
    conv('cpm.align.0', 128, 512, 1, 1)
    for number in range(3):
        conv(f'cpm.trunk.{number}.0', 128, 1, 3, 3, bias=False)
        conv(f'cpm.trunk.{number}.2', 128, 128, 1, 1, bias=False)
        conv(f'initial_stage.trunk.{number}.0', 128, 128, 3, 3)
    conv('cpm.conv.0', 128, 128, 3, 3)
    outputs('initial_stage', 512)
    for stage in range(refinements):
        for number in range(5):
            block = f'refinement_stages.{stage}.trunk.{number}'
            conv(f'{block}.initial.0', 128, 128 if number else 185, 1, 1)
            for half in (0, 1):
                conv(f'{block}.trunk.{half}.0', 128, 128, 3, 3)
                norm(f'{block}.trunk.{half}.1', 128)
        outputs(f'refinement_stages.{stage}', 128)
    return weights


def lightweight_maps(weights: dict[str, torch.Tensor], refinements: int, inputs: torch.Tensor) -> list[tuple]:
    def conv(name: str, x: torch.Tensor, stride: int = 1, dilation: int = 1) -> torch.Tensor:
        weight, bias = weights[f'{name}.weight'].double(), weights.get(f'{name}.bias')
        padding, groups = dilation * (weight.shape[-1] // 2), x.shape[1] // weight.shape[1]
        return F.conv2d(x, weight, None if bias is None else bias.double(), stride, padding, dilation, groups)

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        values = (weights[f'{name}.{key}'].double() for key in ('running_mean', 'running_var', 'weight', 'bias'))
        return F.batch_norm(x, *values)

    def outputs(prefix: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return tuple(
            conv(f'{prefix}.{name}.1.0', conv(f'{prefix}.{name}.0.0', x).relu()) for name in ('pafs', 'heatmaps')
        )

    x = norm('model.0.1', conv('model.0.0', inputs, stride=2)).relu()
    for number, (_, stride, dilation) in enumerate(MOBILENET, start=1):
        x = norm(f'model.{number}.1', conv(f'model.{number}.0', x, stride, dilation)).relu()
        x = norm(f'model.{number}.4', conv(f'model.{number}.3', x)).relu()
    aligned = x = conv('cpm.align.0', x).relu()
    for number in range(3):
        x = F.elu(conv(f'cpm.trunk.{number}.2', F.elu(conv(f'cpm.trunk.{number}.0', x))))
    features = x = conv('cpm.conv.0', aligned + x).relu()
    for number in range(3):
        x = conv(f'initial_stage.trunk.{number}.0', x).relu()
    maps = [outputs('initial_stage', x)]
    for stage in range(refinements):
        pafs, heatmaps = maps[-1]
        x = torch.cat([features, heatmaps, pafs], dim=1)
        for number in range(5):
            block = f'refinement_stages.{stage}.trunk.{number}'
            x = first = conv(f'{block}.initial.0', x).relu()
            x = norm(f'{block}.trunk.0.1', conv(f'{block}.trunk.0.0', x)).relu()
            x = first + norm(f'{block}.trunk.1.1', conv(f'{block}.trunk.1.0', x, dilation=2)).relu()
        maps.append(outputs(f'refinement_stages.{stage}', x))
    return maps


# --- tests -------------------------------------------------------------------------------------


def assert_same_maps(ours: list[tuple], theirs: list[tuple]) -> None:
    assert len(ours) == len(theirs)
    for stage, other in zip(ours, theirs, strict=True):
        for maps, expected in zip(stage, other, strict=True):
            assert expected.std() > 0.1
            torch.testing.assert_close(maps, expected, rtol=1e-9, atol=1e-9)


def test_openpose_has_the_maps_of_the_released_network() -> None:
    torch.manual_seed(0)
    weights = openpose_weights(3)
    inputs = torch.rand(1, 3, 32, 40, dtype=torch.float64) - 0.5
    ours = to_ours(weights, OPENPOSE.namings[0], shapes_of(OPENPOSE, 3))
    assert_same_maps(our_maps(OPENPOSE, 3, ours, inputs), openpose_maps(weights, 3, inputs))


@pytest.mark.parametrize('naming', OPENPOSE.namings, ids=lambda naming: naming.name)
def test_all_six_stages(naming: Naming) -> None:
    with torch.device('meta'):
        weights = openpose_weights(6, naming.name)
    assert sum(weight.numel() for weight in weights.values()) == 52_311_446
    shapes = shapes_of(OPENPOSE, 6)
    assert to_ours(weights, naming, shapes).keys() == shapes.keys()


@pytest.mark.parametrize('naming', OPENPOSE.namings, ids=lambda naming: naming.name)
def test_openpose_in_every_naming(naming: Naming) -> None:
    """Weights drawn in the same order differ in nothing but their names."""
    torch.manual_seed(0)
    caffe = openpose_weights(2)
    torch.manual_seed(0)
    weights = openpose_weights(2, naming.name)
    shapes = shapes_of(OPENPOSE, 2)
    ours = to_ours(weights, naming, shapes)
    by_caffe = to_ours(caffe, OPENPOSE.namings[0], shapes)
    assert ours.keys() == shapes.keys() == by_caffe.keys()
    assert all(torch.equal(ours[name], by_caffe[name]) for name in shapes)


def test_lightweight_has_the_maps_of_the_released_network() -> None:
    torch.manual_seed(0)
    weights = lightweight_weights(3)
    inputs = torch.rand(2, 3, 48, 32, dtype=torch.float64) - 0.5
    ours = to_ours(weights, LIGHTWEIGHT_OPENPOSE.namings[0], shapes_of(LIGHTWEIGHT_OPENPOSE, 4))
    theirs = lightweight_maps(weights, 3, inputs)
    assert_same_maps(our_maps(LIGHTWEIGHT_OPENPOSE, 4, ours, inputs), theirs)
    # With fewer stages the first ones are the same.
    fewer = {name: ours[name] for name in shapes_of(LIGHTWEIGHT_OPENPOSE, 2)}
    assert_same_maps(our_maps(LIGHTWEIGHT_OPENPOSE, 2, fewer, inputs), theirs[:2])


def foreign_weights(network: Network, naming: Naming) -> dict[str, torch.Tensor]:
    """Of two stages."""
    return openpose_weights(2, naming.name) if network is OPENPOSE else lightweight_weights(1)


ALL_NAMINGS = [(network, naming) for network in NETWORKS for naming in network.namings]
each_naming = pytest.mark.parametrize(
    ('network', 'naming'), ALL_NAMINGS, ids=[naming.name for _, naming in ALL_NAMINGS]
)


@each_naming
def test_there_and_back_is_the_same_to_the_bit(network: Network, naming: Naming) -> None:
    weights = foreign_weights(network, naming)
    back = from_ours(to_ours(weights, naming, shapes_of(network, 2)), naming)
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


@each_naming
def test_a_naming_is_recognised(network: Network, naming: Naming) -> None:
    """As it is, wrapped as DataParallel and training programs do, and as ours."""
    weights = foreign_weights(network, naming)
    wrapped = dict(state_dict={f'module.{name}': tensor for name, tensor in weights.items()}, iter=7)
    for checkpoint in (weights, wrapped):
        assert recognise(weights_of(checkpoint), NETWORKS, shapes_of) == (network, naming, 2)
    ours = to_ours(weights, naming, shapes_of(network, 2))
    found, its_naming, stages = recognise(ours, NETWORKS, shapes_of)
    assert (found, its_naming.name, stages) == (network, 'classicpose', 2)


def test_stages_are_counted() -> None:
    for refinements in (0, 3):
        assert recognise(lightweight_weights(refinements), NETWORKS, shapes_of)[2] == refinements + 1


@each_naming
def test_every_tensor_is_accounted_for(network: Network, naming: Naming) -> None:
    weights, shapes = foreign_weights(network, naming), shapes_of(network, 2)
    first, second, third, *_ = (name for name, tensor in weights.items() if tensor.ndim == 4)
    wrong = {name: tensor for name, tensor in weights.items() if name not in (first, second)}
    wrong |= {'extra.weight': torch.zeros(1), third: torch.zeros(1, 2)}
    with pytest.raises(UserError) as error:
        to_ours(wrong, naming, shapes)
    message = str(error.value)
    assert f'of {len(weights)} 2 missing ({first}, {second}), 1 unexpected (extra.weight)' in message
    assert f'1 of another shape ({third} 1x2 instead of ' in message


def test_what_is_no_tensor_is_of_another_shape() -> None:
    weights = openpose_weights(1) | {'conv1_1.bias': [0.0] * 64}
    with pytest.raises(UserError, match=r'1 of another shape \(conv1_1.bias a list instead of 64\)'):
        to_ours(weights, OPENPOSE.namings[0], shapes_of(OPENPOSE, 1))


def test_old_files_lack_the_counters_of_batch_normalisation() -> None:
    weights, shapes = lightweight_weights(1), shapes_of(LIGHTWEIGHT_OPENPOSE, 2)
    old = {name: tensor for name, tensor in weights.items() if not name.endswith('num_batches_tracked')}
    assert len(old) < len(weights)
    ours = to_ours(old, LIGHTWEIGHT_OPENPOSE.namings[0], shapes)
    assert shapes.keys() - ours.keys() == {name for name in shapes if name.endswith('num_batches_tracked')}
    assert from_ours(ours, LIGHTWEIGHT_OPENPOSE.namings[0]).keys() == old.keys()


@pytest.mark.parametrize('checkpoint', [None, torch.zeros(2), {}, dict(epoch=3), dict(state_dict=[1])], ids=str)
def test_no_weights(checkpoint: object) -> None:
    with pytest.raises(UserError, match='no weights'):
        weights_of(checkpoint)


def test_an_unknown_naming() -> None:
    with pytest.raises(UserError, match=r'are fc.weight, fc.bias\).* classicpose, caffe, .* lightweight'):
        recognise({'fc.weight': torch.zeros(2, 2), 'fc.bias': torch.zeros(2)}, NETWORKS, shapes_of)


def test_released_fields_are_in_the_channels_that_the_authors_demo_reads() -> None:
    """limbSeq and mapIdx of the released Python demo, which counts parts from 1 and the fields' channels from 19."""
    limbs = [
        (2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12), (12, 13), (13, 14), (2, 1),
        (1, 15), (15, 17), (1, 16), (16, 18), (3, 17), (6, 18),
    ]  # fmt: skip
    channels = [31, 39, 33, 35, 41, 43, 19, 21, 23, 25, 27, 29, 47, 49, 53, 51, 55, 37, 45]
    for (start, end), channel in zip(limbs, channels, strict=True):
        assert OPENPOSE18_RELEASED.limbs[(channel - 19) // 2] == (start - 1, end - 1)
    extending = {OPENPOSE18_RELEASED.limbs[limb] for limb in OPENPOSE18_RELEASED.extending_limbs}
    assert extending == {(2, 16), (5, 17)}


@pytest.mark.parametrize('network', NETWORKS, ids=lambda network: network.name)
def test_the_config_prepares_images_as_the_originals_do(network: Network) -> None:
    """BGR / 256 - 0.5, and its codec finds a person in fields of the released order."""
    config = Config.fromfile(REPOSITORY / network.config)
    preprocessor = MODELS.build(config.model.data_preprocessor)
    image = torch.arange(3 * 8 * 8, dtype=torch.uint8).reshape(3, 8, 8)
    inputs = preprocessor(dict(inputs=[image], data_samples=[PoseDataSample()]))['inputs'][0]
    torch.testing.assert_close(inputs, image / 256 - 0.5)

    codec = KEYPOINT_CODECS.build(config.model.head.decoder)
    assert codec.skeleton == OPENPOSE18_RELEASED
    assert codec.released
    assert config.train_dataloader.dataset.pipeline[2].encoder == config.model.head.decoder
    person = UPRIGHT[None] * 300 + 30
    own = KEYPOINT_CODECS.build(dict(type='mmpose.PartAffinityField', input_size=(368, 368), heatmap_size=(46, 46)))
    maps = own.encode(person)
    order = [OPENPOSE18.limbs.index(limb) for limb in OPENPOSE18_RELEASED.limbs]
    fields = maps['pafs'].reshape(19, 2, 46, 46)[order].reshape(38, 46, 46)
    for found, expected in zip(
        codec.decode((maps['heatmaps'], fields)), own.decode((maps['heatmaps'], maps['pafs'])), strict=True
    ):
        assert len(found) == 1
        np.testing.assert_allclose(found, expected, rtol=1e-6)
