"""What the ONNX file of a model takes and gives, and models whose network is such a file.

The file holds the network; MMPose's own decoding, flip tests and way back to the image stay outside, except for a
:class:`DeepPoseCascade`, whose later stages look where the earlier ones point.

Symbols: B batch, H and W the input's size, K keypoints, L limbs, S stages, s stride.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from mmengine.config import Config
from mmpose.models import HeatmapHead, RegressionHead, RLEHead, RTMCCHead, SimCCHead, TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import nn

from classicpose.errors import UserError
from classicpose.networks.description import Description, read_description
from classicpose.networks.session import open_session, run_session

from ..engine.wrapping import extend
from ..models import DeepPoseCascade, OpenPoseEstimator, PoseMachineHead
from .describe import describe

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Tensors = tuple[torch.Tensor, ...]
_BATCH = {0: 'batch'}
_ANY_SIZE = {0: 'batch', 2: 'height', 3: 'width'}
_ANY_MAP_SIZE = {0: 'batch', 2: 'map_height', 3: 'map_width'}


class Network(nn.Module):
    """The part of an estimator that an ONNX file holds: tensors in, tensors out.

    Attributes:
        input_names, output_names: in the file's order.
        axes: for each of them the axes of any size, and what these are called.
    """

    input_names: tuple[str, ...] = ('inputs',)
    output_names: tuple[str, ...]
    axes: dict[str, dict[int, str]]

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def example(self, batch: int, larger: bool = False, device: str = 'cpu') -> Tensors:
        """Random inputs; where the size is free, small ones and ``larger`` ones."""
        raise NotImplementedError

    def answer_by(self, run: Callable[..., Tensors]) -> None:
        """From now on the estimator asks ``run`` instead of its own layers."""
        raise NotImplementedError


class _HeadNetwork(Network):
    """What the head makes of normalised inputs (B, 3, H, W); ``any_size`` where the network takes any H and W."""

    def __init__(self, model: nn.Module, output_names: tuple[str, ...], any_size: bool) -> None:
        super().__init__(model)
        self.output_names = output_names
        self.any_size = any_size
        self.axes = {'inputs': _ANY_SIZE if any_size else _BATCH}
        self.axes.update((name, _ANY_MAP_SIZE if any_size else _BATCH) for name in output_names)

    def example(self, batch: int, larger: bool = False, device: str = 'cpu') -> Tensors:
        # Multiples of all strides.
        free = (128, 128) if larger else (64, 96)
        width, height = free if self.any_size else self.model.head.decoder.input_size
        return (torch.randn(batch, 3, height, width, device=device),)


class AffinityNetwork(_HeadNetwork):
    """OpenPose: ``heatmaps`` (B, K + 1, H / s, W / s) and ``pafs`` (B, 2 L, H / s, W / s) of the last stage."""

    def __init__(self, model: OpenPoseEstimator) -> None:
        super().__init__(model, ('heatmaps', 'pafs'), any_size=True)

    def forward(self, inputs: torch.Tensor) -> Tensors:
        """Heatmaps and fields of the last stage."""
        pafs, heatmaps = self.model.head(self.model.extract_feat(inputs))[-1]
        return heatmaps, pafs

    def answer_by(self, run: Callable[..., Tensors]) -> None:
        _give_inputs_to_head(self.model, lambda inputs: [run(inputs)[::-1]])


class TopDownNetwork(_HeadNetwork):
    """A person in a box; the outputs depend on the kind of head.

    ``heatmaps`` (B, K, H / s, W / s); ``coordinates`` (B, K, 2), or (B, K, 4) with RLE's sigmas before their sigmoid;
    or ``simcc_x`` (B, K, W r) and ``simcc_y`` (B, K, H r), r bins a pixel.
    """

    names_by_head: ClassVar = {
        HeatmapHead: ('heatmaps',),
        PoseMachineHead: ('heatmaps',),
        RegressionHead: ('coordinates',),
        RLEHead: ('coordinates',),
        SimCCHead: ('simcc_x', 'simcc_y'),
        RTMCCHead: ('simcc_x', 'simcc_y'),
    }

    def __init__(self, model: TopdownPoseEstimator) -> None:
        kind = next((kind for kind in self.names_by_head if isinstance(model.head, kind)), None)
        if kind is None:
            known = ', '.join(kind.__name__ for kind in self.names_by_head)
            raise UserError(f'a model with a {type(model.head).__name__} has no ONNX form here, only one with {known}')
        super().__init__(model, self.names_by_head[kind], any_size=kind in (HeatmapHead, PoseMachineHead))

    def forward(self, inputs: torch.Tensor) -> Tensors:
        """What the head puts out."""
        return as_tuple(self.model.head(self.model.extract_feat(inputs)))

    def answer_by(self, run: Callable[..., Tensors]) -> None:
        def forward(inputs: torch.Tensor) -> Tensors | torch.Tensor:
            outputs = run(inputs)
            return outputs if len(outputs) > 1 else outputs[0]

        _give_inputs_to_head(self.model, forward)


class CascadeNetwork(Network):
    """DeepPose's cascade, all stages.

    Inputs are images ``inputs`` (B, 3, H, W), BGR, 0 to 255, of any size, and ``boxes`` (B, 4) of people as x1, y1, x2,
    y2. Outputs are ``stage_keypoints`` (S, B, K, 2) and ``keypoint_scores`` (B, K). All coordinates are the image's
    pixels.
    """

    input_names = ('inputs', 'boxes')
    output_names = ('stage_keypoints', 'keypoint_scores')

    axes: ClassVar = dict(inputs=_ANY_SIZE, boxes=_BATCH, stage_keypoints={1: 'batch'}, keypoint_scores=_BATCH)

    def example(self, batch: int, larger: bool = False, device: str = 'cpu') -> Tensors:
        width, height = (160, 144) if larger else (128, 96)
        images = 255 * torch.rand(batch, 3, height, width, device=device)
        corner = 30 * torch.rand(batch, 2, device=device)
        return images, torch.cat([corner, corner + 50 + 30 * torch.rand(batch, 2, device=device)], dim=1)

    def forward(self, inputs: torch.Tensor, boxes: torch.Tensor) -> Tensors:
        """The positions after each stage, and the scores."""
        # The decoding stages go through numpy, which is nowhere on the meta device.
        if inputs.is_meta:
            stages, people, joints = len(self.model.stages), len(inputs), len(self.model.skeleton.keypoints)
            return inputs.new_empty(stages, people, joints, 2), inputs.new_empty(people, joints)
        return self.model.locate_and_score(inputs, boxes)

    def answer_by(self, run: Callable[..., Tensors]) -> None:
        extend(self.model, _FoundElsewhere, answer=run)


class _AnsweredElsewhere:
    """A head whose outputs another than its layers computes."""

    answer: Callable

    def forward(self, inputs: torch.Tensor) -> object:
        return self.answer(inputs)


class _FoundElsewhere:
    """A cascade whose stages another computes."""

    answer: Callable[..., Tensors]

    def locate_and_score(self, inputs: torch.Tensor, boxes: torch.Tensor) -> Tensors:
        return self.answer(inputs, boxes)


def _give_inputs_to_head(model: nn.Module, answer: Callable) -> None:
    model.backbone, model.neck = nn.Identity(), None
    extend(model.head, _AnsweredElsewhere, answer=answer)


_NETWORKS: dict[type, type[Network]] = {
    OpenPoseEstimator: AffinityNetwork,
    TopdownPoseEstimator: TopDownNetwork,
    DeepPoseCascade: CascadeNetwork,
}


def network_of(model: nn.Module) -> Network:
    """The part of a model that an ONNX file holds.

    Raises:
        UserError: for a model of another kind.
    """
    for kind, network in _NETWORKS.items():
        if isinstance(model, kind):
            return network(model)
    known = ', '.join(kind.__name__ for kind in _NETWORKS)
    raise UserError(f'a {type(model).__name__} has no ONNX form here; models that do: {known}')


def onnx_estimator(cfg: Config, path: str | Path, threads: int = 0) -> nn.Module:
    """A model for prediction alone whose network is an ONNX file; it has no weights of its own.

    Args:
        cfg: the config from which the file was made.
        path: an .onnx file that :func:`custom_modules.deploy.export.export` wrote.
        threads: of the processor; 0 for as many as PyTorch uses.

    Raises:
        UserError: when the file is missing or broken or belongs to another model.
    """
    session = open_session(path, threads or torch.get_num_threads())
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
        network = network_of(model).eval()
        example = network.example(batch=1, device='meta')
        with torch.no_grad():
            outputs = network(*example)
        shapes = [tuple(values.shape) for values in (*example, *as_tuple(outputs))]
    _check_fit(session, network, shapes, describe(model, cfg), path)
    # Else the model could not be moved to a device.
    for part in network.modules():
        for name, _ in [*part.named_parameters(recurse=False), *part.named_buffers(recurse=False)]:
            delattr(part, name)
    if cfg.model.get('data_preprocessor') is not None:
        model.data_preprocessor = MODELS.build(cfg.model.data_preprocessor)
    network.answer_by(lambda *inputs: run_on_tensors(session, inputs))
    return model.eval()


def run_on_tensors(session: InferenceSession, inputs: Tensors) -> Tensors:
    """The network's outputs, on the device of its inputs."""
    outputs = run_session(session, *(values.cpu().numpy() for values in inputs))
    return tuple(torch.from_numpy(values).to(inputs[0].device) for values in outputs)


def _check_fit(
    session: InferenceSession, network: Network, shapes: list[tuple], expected: Description, path: str | Path
) -> None:
    """Names, sizes and what the file says of itself must be those that an export of this model would have."""
    values = [*session.get_inputs(), *session.get_outputs()]
    names = [value.name for value in values]
    if names != [*network.input_names, *network.output_names]:
        raise UserError(
            f'{path} maps {names[: len(session.get_inputs())]} to {names[len(session.get_inputs()) :]}, '
            f'not {list(network.input_names)} to {list(network.output_names)}: give what tools/export_onnx.py wrote '
            'with this config'
        )
    found = read_description(session.get_modelmeta().custom_metadata_map, path)
    other = f'{path} (of {found.name}) was exported from another model'
    for key, own, wanted in _compared(found, expected):
        if own != wanted:
            raise UserError(f"{other}: its {key} is {own}, this config's is {wanted}: export it again")
    for value, shape in zip(values, shapes, strict=True):
        expected_shape = [network.axes[value.name].get(axis, size) for axis, size in enumerate(shape)]
        if value.shape != expected_shape:
            raise UserError(f'{other}: its {value.name} are {value.shape}, not {expected_shape}: export it again')


def _compared(found: Description, expected: Description) -> Iterator[tuple[str, object, object]]:
    """What a config must not change of a network that is trained: not how it is asked, nor thresholds."""
    for key in ('model', 'kind', 'channels', 'mean', 'std'):
        yield key, getattr(found, key), getattr(expected, key)
    for key in ('keypoints', 'limbs'):
        yield key, getattr(found.skeleton, key), getattr(expected.skeleton, key)
    for key in ('codec', 'stride', 'size', 'split_ratio'):
        yield key, found.decoder.get(key), expected.decoder.get(key)


def as_tuple(outputs: torch.Tensor | Tensors) -> Tensors:
    """One tensor as a tuple of one."""
    return outputs if isinstance(outputs, tuple) else (outputs,)
