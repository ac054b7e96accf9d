"""OpenPose's networks as Caffe describes them: descriptions made here, and what any description's layers are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import torch

_VGG = (
    ('conv1_1', 64), ('conv1_2', 64), 'pool1', ('conv2_1', 128), ('conv2_2', 128), 'pool2', ('conv3_1', 256),
    ('conv3_2', 256), ('conv3_3', 256), ('conv3_4', 256), 'pool3', ('conv4_1', 512), ('conv4_2', 512),
)  # fmt: skip


class Layer(NamedTuple):
    type: str
    name: str
    bottoms: tuple[str, ...]
    top: str
    channels: int = 0
    kernel: int = 1


def prototxt(layers: list[Layer]) -> str:
    """A description that OpenCV reads."""
    lines = ['input: "image"', *(f'input_dim: {size}' for size in (1, 3, 64, 64))]
    for layer in layers:
        lines.append(f'layer {{ name: "{layer.name}" type: "{layer.type}"')
        lines += [f'  bottom: "{bottom}"' for bottom in layer.bottoms] + [f'  top: "{layer.top}"']
        if layer.type == 'Convolution':
            sizes = f'num_output: {layer.channels} kernel_size: {layer.kernel} pad: {layer.kernel // 2}'
            lines.append(f'  convolution_param {{ {sizes} }}')
        elif layer.type == 'Pooling':
            lines.append('  pooling_param { pool: MAX kernel_size: 2 stride: 2 }')
        elif layer.type == 'Concat':
            lines.append('  concat_param { axis: 1 }')
        lines.append('}')
    return '\n'.join(lines)


def layers_of(text: str) -> list[Layer]:
    """The layers of a description, the genuine ones' too."""
    layers = []
    for body in re.findall(r'^layer\s*{(.*?)^}', text, re.DOTALL | re.MULTILINE):

        def values(key: str, body: str = body) -> list[str]:
            return re.findall(rf'\b{key}:\s*"?([^"\s]+)"?', body)

        layers.append(
            Layer(
                values('type')[0],
                values('name')[0],
                tuple(values('bottom')),
                values('top')[-1],
                int((values('num_output') or [0])[0]),
                int((values('kernel_size') or [1])[0]),
            )
        )
    return layers


def random_weights(layers: list[Layer]) -> dict[str, torch.Tensor]:
    """Such that layers keep their inputs' size, roughly."""
    channels, weights = dict(image=3), {}
    for layer in layers:
        seen = sum(channels[bottom] for bottom in layer.bottoms)
        if layer.type == 'Convolution':
            fan_in = seen * layer.kernel**2
            weights[f'{layer.name}.weight'] = torch.randn(layer.channels, seen, layer.kernel, layer.kernel)
            weights[f'{layer.name}.weight'] *= (2 / fan_in) ** 0.5
            weights[f'{layer.name}.bias'] = 0.1 * torch.randn(layer.channels)
        elif layer.type == 'PReLU':
            weights[f'{layer.name}.weight'] = torch.rand(seen)
        channels[layer.top] = layer.channels or seen
    return weights


def _chain(bottom: str, layers: tuple, relu: str = 'ReLU') -> Iterator[Layer]:
    """Convolutions (name, channels[, kernel]), each followed by a rectifier, and poolings."""
    for layer in layers:
        if isinstance(layer, str):
            yield Layer('Pooling', layer, (bottom,), layer)
            bottom = layer
            continue
        name, channels, kernel = (*layer, 3)[:3]
        yield Layer('Convolution', name, (bottom,), name, channels, kernel)
        yield Layer(relu, re.sub('conv', relu.lower(), name, count=1), (name,), name)
        bottom = name


def network_2017(stages: int, fields: int, heatmaps: int) -> list[Layer]:
    layers = list(_chain('image', (*_VGG, ('conv4_3_CPM', 256), ('conv4_4_CPM', 128))))
    bottom = 'conv4_4_CPM'
    for stage in range(1, stages + 1):
        lasts = []
        for branch, maps in ((1, fields), (2, heatmaps)):
            if stage == 1:
                names, widths = (
                    [f'conv5_{n}_CPM_L{branch}' for n in range(1, 6)],
                    [(128, 3)] * 3 + [(512, 1), (maps, 1)],
                )
            else:
                names = [f'Mconv{n}_stage{stage}_L{branch}' for n in range(1, 8)]
                widths = [(128, 7)] * 5 + [(128, 1), (maps, 1)]
            convolutions = tuple((name, *width) for name, width in zip(names, widths, strict=True))
            layers += list(_chain(bottom, convolutions))[:-1]
            lasts.append(names[-1])
        bottom = f'concat_stage{stage + 1}'
        layers.append(Layer('Concat', bottom, (*lasts, 'conv4_4_CPM'), bottom))
    layers[-1] = Layer('Concat', 'concat_stage7', (lasts[1], lasts[0]), 'net_output')
    return layers


def body_25() -> list[Layer]:
    layers = list(_chain('image', _VGG[:-1]))
    layers += _chain('conv4_1', (('conv4_2', 512), ('conv4_3_CPM', 256), ('conv4_4_CPM', 128)), 'PReLU')
    features = bottom = 'conv4_4_CPM'
    for stage, branch, maps in ((0, 2, 52), (1, 2, 52), (2, 2, 52), (3, 2, 52), (0, 1, 26), (1, 1, 26)):
        where = f'stage{stage}_L{branch}'
        width, hidden = (96, 256) if stage == 0 else (128, 512)
        if (stage, branch) != (0, 2):
            before = {(0, 1): ['Mconv7_stage3_L2'], (1, 1): ['Mconv7_stage0_L1', 'Mconv7_stage3_L2']}
            bottoms = before.get((stage, branch), [f'Mconv7_stage{stage - 1}_L2'])
            bottom = f'concat_{where}'
            layers.append(Layer('Concat', bottom, (features, *bottoms), bottom))
        for block in range(1, 6):
            names = [f'Mconv{block}_{where}_{number}' for number in range(3)]
            layers += _chain(bottom, tuple((name, width) for name in names), 'PReLU')
            bottom = f'Mconv{block}_{where}_concat'
            layers.append(Layer('Concat', bottom, tuple(names), bottom))
        outputs = ((f'Mconv6_{where}', hidden, 1), (f'Mconv7_{where}', maps, 1))
        layers += list(_chain(bottom, outputs, 'PReLU'))[:-1]
    return [*layers, Layer('Concat', 'net_output', ('Mconv7_stage1_L1', 'Mconv7_stage3_L2'), 'net_output')]


def pose_machine(maps: int) -> list[Layer]:
    longer = (('conv4_3', 512), ('conv4_4', 512), ('conv5_1', 512), ('conv5_2', 512), ('conv5_3_CPM', 128))
    layers = list(_chain('image', _VGG + longer))
    layers += list(_chain('conv5_3_CPM', (('conv6_1_CPM', 512, 1), ('conv6_2_CPM', maps, 1))))[:-1]
    last = 'conv6_2_CPM'
    for stage in range(2, 7):
        bottom = f'concat_stage{stage}'
        layers.append(Layer('Concat', bottom, (last, 'conv5_3_CPM'), bottom))
        widths = [(128, 7)] * 5 + [(128, 1), (maps, 1)]
        names = [f'Mconv{number}_stage{stage}' for number in range(1, 8)]
        layers += list(_chain(bottom, tuple((name, *width) for name, width in zip(names, widths, strict=True))))[:-1]
        last = names[-1]
    layers[-1] = layers[-1]._replace(top='net_output')
    return layers


NETWORKS = {
    'pose/body_25/pose_deploy.prototxt': body_25(),
    'pose/coco/pose_deploy_linevec.prototxt': network_2017(6, 38, 19),
    'pose/mpi/pose_deploy_linevec.prototxt': network_2017(6, 28, 16),
    'pose/mpi/pose_deploy_linevec_faster_4_stages.prototxt': network_2017(4, 28, 16),
    'hand/pose_deploy.prototxt': pose_machine(22),
    'face/pose_deploy.prototxt': pose_machine(71),
}
"""The networks by the files that describe them in OpenPose's folder of models."""
