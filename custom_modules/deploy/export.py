"""Writing a trained model's network to an ONNX file, and proving that it computes what PyTorch does."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.codecs import RegressionLabel, SimCCLabel
from mmpose.registry import MODELS
from torch.overrides import TorchFunctionMode

from classicpose.errors import UserError, make_folder
from classicpose.files import write_whole
from classicpose.networks.description import KEY, Description
from classicpose.networks.session import open_session

from ..configuration.explain import explained_config_errors
from ..engine.checkpoints import load_weights
from ..engine.wrapping import extend
from ..models import DeepPoseCascade
from .describe import describe
from .network import Network, as_tuple, network_of, run_on_tensors

if TYPE_CHECKING:
    from onnx import ValueInfoProto
    from onnxruntime import InferenceSession

OPSET = 17
"""Version of the operators in the file. A cascade's GridSample needs 16."""

TOLERANCE = 1e-4
"""Largest difference between onnxruntime and PyTorch, as a share of an output's largest absolute value."""

# Rounding can decide which of SimCC's bins is the highest. A wrong graph is wrong on all inputs.
_TRIES = 3


@dataclass
class Exported:
    """A file that was written.

    Attributes:
        path: of the file.
        inputs, outputs: sizes by name; free sizes are names.
        difference: of its outputs from PyTorch's, relative to the largest value.
    """

    path: Path
    inputs: dict[str, list[int | str]]
    outputs: dict[str, list[int | str]]
    difference: float


def export(cfg: Config, checkpoint: str | Path, path: str | Path, card: dict[str, str] | None = None) -> Exported:
    """Write a model's network to an ONNX file.

    What goes in and comes out is told by the classes of :mod:`custom_modules.deploy.network`. Before the file
    gets its name, onnxruntime and PyTorch are compared on random inputs: one, three, and three of another size.

    Args:
        cfg: a config; its ``model`` is built, its test data give the keypoints their names.
        checkpoint: the weights.
        path: of the file, ending in ``.onnx``; its folder is made.
        card: more about the weights, their ``licence`` for instance, for :attr:`Description.card`.

    Raises:
        UserError: when the checkpoint is missing, broken or of another model, the model has no ONNX form, the file
            cannot be written, or its outputs differ from PyTorch's; then there is no file.
    """
    path = Path(path)
    if path.suffix != '.onnx':
        raise UserError(f'{path} does not end in .onnx: give the name of an .onnx file')
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    with explained_config_errors(cfg):
        model = MODELS.build(cfg.model)
    load_weights(model, checkpoint)
    for stage in model.stages if isinstance(model, DeepPoseCascade) else ():
        extend(stage, _TraceableStage)
    network = network_of(model).eval()
    make_folder(path.parent)
    difference = 0.0

    def write(unchecked: Path) -> None:
        nonlocal difference
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(0)
            _write(network, describe(model, cfg).with_card(**(card or {})), unchecked)
            difference = _largest_difference(network, open_session(unchecked, device='cpu'))

    write_whole(path, write)
    session = open_session(path, device='cpu')
    return Exported(
        path,
        inputs={value.name: value.shape for value in session.get_inputs()},
        outputs={value.name: value.shape for value in session.get_outputs()},
        difference=difference,
    )


def _write(network: Network, described: Description, path: Path) -> None:
    import onnx  # only exporting needs it

    example = network.example(batch=2)
    try:
        with warnings.catch_warnings(), _Traceable():
            # That this exporter is not the newest, and about every Python number made of a tensor.
            warnings.simplefilter('ignore')
            torch.onnx.export(
                network,
                example,
                str(path),
                input_names=network.input_names,
                output_names=network.output_names,
                dynamic_axes=network.axes,
                opset_version=OPSET,
                dynamo=False,  # the newer exporter takes ten times as long and keeps a cascade's image size fixed
            )
    except torch.onnx.OnnxExporterError as error:
        raise UserError(f'this model has no ONNX form: {str(error).strip().splitlines()[0]}') from error
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {KEY: described.to_json()})
    _declare_sizes([*proto.graph.input, *proto.graph.output], [*example, *as_tuple(network(*example))], network.axes)
    onnx.save(proto, path)


def _declare_sizes(
    values: Sequence[ValueInfoProto], tensors: Sequence[torch.Tensor], axes: dict[str, dict[int, str]]
) -> None:
    """Write down which sizes are fixed; the exporter loses some on the way."""
    for value, tensor in zip(values, tensors, strict=True):
        for axis, size in enumerate(tensor.shape):
            free = axes[value.name].get(axis)
            dimension = value.type.tensor_type.shape.dim[axis]
            dimension.Clear()
            if free is None:
                dimension.dim_value = size
            else:
                dimension.dim_param = free


def _largest_difference(network: Network, session: InferenceSession) -> float:
    """Between PyTorch and onnxruntime, on one input, on three, and on three of another size where it is free."""
    largest = 0.0
    for batch, larger in ((1, False), (3, False), (3, True)):
        for _ in range(_TRIES):
            inputs = network.example(batch, larger)
            difference = max(map(_difference, as_tuple(network(*inputs)), run_on_tensors(session, inputs)))
            if difference <= TOLERANCE:
                break
        else:
            raise UserError(
                f"on inputs {[list(values.shape) for values in inputs]} the exported network's outputs are "
                f"{difference:.1e} of the largest away from PyTorch's, more than {TOLERANCE:.0e}: nothing was written"
            )
        largest = max(largest, difference)
    return largest


def _difference(expected: torch.Tensor, found: torch.Tensor) -> float:
    """Relative to the largest absolute value; infinite where shapes differ."""
    if expected.shape != found.shape:
        return float('inf')
    return float((expected - found).abs().max() / expected.abs().max().clamp(min=1e-12))


class _Traceable(TorchFunctionMode):
    """Calls that PyTorch's tracer gets wrong, in other words."""

    def __torch_function__(
        self, func: Callable, types: Sequence[type], args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is torch.Tensor.new_tensor and isinstance(args[1], list):
            # A size in the list would become the example's.
            return torch.stack([torch.as_tensor(value) for value in args[1]]).to(args[0].dtype)
        if func == torch.Tensor.mT.__get__:
            return args[0].transpose(-2, -1)
        if func is F.adaptive_max_pool2d:
            return _pooled(*args)
        return func(*args, **kwargs)


def _pooled(maps: torch.Tensor, size: int) -> torch.Tensor:
    """Adaptive maximum pooling of (N, C, H, W), for which H and W must be known but not divisible."""
    for axis in (2, 3):
        length = int(maps.shape[axis])
        bounds = [(number * length // size, -(-(number + 1) * length // size)) for number in range(size)]
        maps = torch.stack([maps.narrow(axis, low, high - low).amax(axis) for low, high in bounds], axis)
    return maps


class _TraceableStage:
    """A stage that, while it is traced, decodes without NumPy, which codecs need but no trace can follow."""

    def locate(self, crops: torch.Tensor) -> torch.Tensor:
        """:meth:`CascadeStage.locate`, traced in PyTorch's operators alone, for the codecs that can be."""
        if not torch.jit.is_tracing():
            return super().locate(crops)
        outputs = self.head(self.features(crops))
        codec = self.head.decoder
        if isinstance(codec, RegressionLabel):
            # It scales and shifts; sigmas, which only change the scores, stand last.
            origin, unit = (codec.decode(np.full((1, 1, 2), value, np.float32))[0] for value in (0, 1))
            origin, unit = (torch.as_tensor(values, dtype=torch.float32) for values in (origin, unit - origin))
            return outputs[..., :2] * unit + origin
        if isinstance(codec, SimCCLabel) and not codec.use_dark:
            highest = torch.minimum(*(values.amax(dim=-1) for values in outputs))
            bins = torch.stack([values.argmax(dim=-1) for values in outputs], dim=-1).float()
            # MMPose's word for nowhere.
            bins = torch.where(highest[..., None] > 0, bins, torch.full_like(bins, -1.0))
            return bins / codec.simcc_split_ratio
        raise UserError(
            f'a cascade with a {type(codec).__name__} has no ONNX form here, only with coordinates or SimCC'
        )
