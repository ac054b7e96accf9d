"""The tensors' names in OpenPose's own files (Caffe) and in the PyTorch ports that load them.

- pytorch-openpose: github.com/Hzzone/pytorch-openpose (COCO's body and hand) and, for BODY_25,
  github.com/beingjoey/pytorch_openpose_body_25. The files that they load have Caffe's names; these are their modules'.
- rtpose: github.com/tensorboy/pytorch_Realtime_Multi-Person_Pose_Estimation.

A face network with Caffe's names is ControlNet's facenet.pth.
"""

from __future__ import annotations

import re

from .released import Naming, Network

_VGG_LAYERS = {
    0: 'conv1_1', 2: 'conv1_2', 5: 'conv2_1', 7: 'conv2_2', 10: 'conv3_1', 12: 'conv3_2', 14: 'conv3_3', 16: 'conv3_4',
    19: 'conv4_1', 21: 'conv4_2',
}  # fmt: skip

# --- COCO and MPI, the network of 2017 ---------------------------------------------------------

_FEATURE_LAYERS = _VGG_LAYERS | {23: 'conv4_3_CPM', 25: 'conv4_4_CPM'}


def _openpose_place(name: str) -> tuple[str, int, str, str]:
    """Where the ports keep one of our tensors: module, index in it, Caffe's name of the layer, 'weight' or 'bias'."""
    *_, index, kind = name.split('.')
    if name.startswith('backbone.'):
        position = int(index) + (23 if '.reduce.' in name else 0)
        return 'model0', position, _FEATURE_LAYERS[position], kind
    stage, branch = re.match(r'head\.stages\.(\d+)\.(paf|heatmap)\.', name).groups()
    stage, position, branch = int(stage) + 1, int(index), 1 if branch == 'paf' else 2
    number = position // 2 + 1  # a ReLU after each
    layer = f'conv5_{number}_CPM_L{branch}' if stage == 1 else f'Mconv{number}_stage{stage}_L{branch}'
    return f'model{stage}_{branch}', position, layer, kind


def _caffe(name: str) -> str:
    _, _, layer, kind = _openpose_place(name)
    return f'{layer}.{kind}'


def _layers_in_modules(name: str) -> str:
    module, _, layer, kind = _openpose_place(name)
    return f'{module}.{layer}.{kind}'


def _indices_in_modules(name: str) -> str:
    module, position, _, kind = _openpose_place(name)
    return f'{module}.{position}.{kind}'


_NAMINGS_2017 = (
    Naming('caffe', _caffe),  # the authors' own weights, and body_pose_model.pth
    Naming('pytorch-openpose', _layers_in_modules),
    Naming('rtpose', _indices_in_modules),
)
OPENPOSE = Network(
    name='OpenPose',
    config='configs/openpose_coco_released.py',
    namings=_NAMINGS_2017,
    stages_setting='model.head.num_stages',
    file='coco',
)
OPENPOSE_MPI = Network(
    name='OpenPose MPI',
    config='configs/openpose_mpi_released.py',
    namings=_NAMINGS_2017[:1],
    stages_setting='model.head.num_stages',
    other_configs=((4, 'configs/openpose_mpi_faster_released.py'),),
    file='mpi',
)

# --- BODY_25, the network of 2019 --------------------------------------------------------------

_FIELD_STAGES = 4


def _place_2019(name: str) -> tuple[str, str]:
    """Caffe's name of one of our tensors, and the port's module that holds it."""
    parts = name.split('.')
    kind = parts[-1]
    if parts[0] == 'backbone':
        position = int(parts[2]) + (23 if parts[1] == 'reduce' else 0)
        layer = _FEATURE_LAYERS.get(position) or f'prelu{_FEATURE_LAYERS[position - 1].removeprefix("conv")}'
        return f'{layer}.{kind}', 'model0'
    stage = int(parts[2])
    where = f'stage{stage}_L2' if stage < _FIELD_STAGES else f'stage{stage - _FIELD_STAGES}_L1'
    if parts[3] == 'blocks':
        block, number, layer = (int(part) for part in parts[4:7])
        return (
            f'M{("conv", "prelu")[layer]}{block + 1}_{where}_{number}.{kind}',
            f'models.Mconv{block + 1}_{where}.{number}',
        )
    index = int(parts[4])
    layer = (f'Mconv6_{where}', f'Mprelu6_{where}', f'Mconv7_{where}')[index]
    return f'{layer}.{kind}', f'models.Mconv6_7_{where}.{index // 2}'


def _caffe_2019(name: str) -> str:
    return _place_2019(name)[0]


def _modules_2019(name: str) -> str:
    layer, module = _place_2019(name)
    return f'{module}.{layer}'


OPENPOSE_BODY25 = Network(
    name='OpenPose BODY_25',
    config='configs/openpose_body25_released.py',
    namings=(Naming('caffe', _caffe_2019), Naming('pytorch-openpose', _modules_2019)),
    stages=6,
    file='body_25',
)

# --- hand and face -----------------------------------------------------------------------------

_MACHINE_LAYERS = _VGG_LAYERS | {23: 'conv4_3', 25: 'conv4_4', 28: 'conv5_1', 30: 'conv5_2'}


def _place_machine(name: str) -> tuple[str, str]:
    """Caffe's name of one of our tensors, and the port's module that holds it."""
    *place, index, kind = name.split('.')
    if place == ['backbone', 'features']:
        return f'{_MACHINE_LAYERS[int(index)]}.{kind}', 'model1_0'
    if place == ['backbone', 'reduce']:
        return f'conv5_3_CPM.{kind}', 'model1_0'
    stage, number = int(place[-1]) + 1, int(index) // 2 + 1  # a ReLU after each layer
    if stage == 1:
        return f'conv6_{number}_CPM.{kind}', 'model1_1'
    return f'Mconv{number}_stage{stage}.{kind}', f'model{stage}'


def _caffe_machine(name: str) -> str:
    return _place_machine(name)[0]


def _modules_machine(name: str) -> str:
    layer, module = _place_machine(name)
    return f'{module}.{layer}'


OPENPOSE_HAND = Network(
    name='OpenPose hand',
    config='configs/openpose_hand_released.py',
    namings=(Naming('caffe', _caffe_machine), Naming('pytorch-openpose', _modules_machine)),
    stages=6,
    file='hand',
)
OPENPOSE_FACE = Network(
    name='OpenPose face',
    config='configs/openpose_face_released.py',
    namings=(Naming('caffe', _caffe_machine),),
    stages=6,
    file='face',
)

OPENPOSE_NETWORKS = (OPENPOSE, OPENPOSE_MPI, OPENPOSE_BODY25, OPENPOSE_HAND, OPENPOSE_FACE)
