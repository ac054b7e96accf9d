"""The tensors' names in Osokin's checkpoints (github.com/Daniil-Osokin/lightweight-human-pose-estimation.pytorch)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from classicpose.skeletons import OPENPOSE18
from custom_modules.models.weights.released import Naming, Network

_FIELDS = 2 * len(OPENPOSE18.limbs)
_HEATMAPS = len(OPENPOSE18.keypoints) + 1


def _theirs(name: str) -> str:
    part, rest = name.split('.', 1)
    if part == 'backbone':
        return _backbone(rest)
    _, stage, place = rest.split('.', 2)
    prefix = 'initial_stage' if stage == '0' else f'refinement_stages.{int(stage) - 1}'
    return f'{prefix}.{_stage(place)}'


def _backbone(name: str) -> str:
    part, rest = name.split('.', 1)
    if part == 'features':
        index, _, rest = rest.partition('.')
        # Ours has the first convolution, its norm and its ReLU beside the blocks, theirs makes a block of them.
        return f'model.0.{index}.{rest}' if int(index) < 3 else f'model.{int(index) - 2}.{rest}'
    return f'cpm.{dict(reduce="conv").get(part, part)}.{rest}'


def _stage(name: str) -> str:
    block = re.fullmatch(r'trunk\.(\d+)\.(squeeze|residual)\.(\d+)\.(\w+)', name)
    if block:
        number, part, index, kind = block.groups()
        if part == 'squeeze':
            return f'trunk.{number}.initial.{index}.{kind}'
        pair, layer = divmod(int(index), 3)  # convolution, norm, ReLU
        return f'trunk.{number}.trunk.{pair}.{layer}.{kind}'
    part, index, kind = name.split('.')
    part = dict(paf='pafs', heatmap='heatmaps').get(part, part)
    return f'{part}.{int(index) // 2}.0.{kind}'


def _input_order(name: str, channels: int) -> Sequence[int] | None:
    """A later stage sees fields, heatmaps, features here; features, heatmaps, fields there."""
    if not re.fullmatch(r'head\.stages\.\d+\.trunk\.0\.squeeze\.0\.weight', name):
        return None
    features = channels - _FIELDS - _HEATMAPS
    theirs = range(channels)
    return [*theirs[features + _HEATMAPS :], *theirs[features : features + _HEATMAPS], *theirs[:features]]


LIGHTWEIGHT_OPENPOSE = Network(
    name='Lightweight OpenPose',
    config='projects/lightweight_openpose/configs/lightweight_openpose_coco_released.py',
    stages_setting='model.head.num_refinements',
    uncounted_stages=1,
    namings=(Naming('lightweight', _theirs, _input_order, nested=True),),
)
