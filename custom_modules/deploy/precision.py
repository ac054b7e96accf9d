"""Smaller ONNX files: weights in half precision, or a network of 8-bit integers, measured against PyTorch."""

from __future__ import annotations

import contextlib
import copy
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmpose.registry import DATASETS, MODELS
from torch import nn

from classicpose.errors import UserError
from classicpose.files import write_whole
from classicpose.networks.description import KEY, read_description
from classicpose.progress import tracked

from ..configuration.explain import explained_config_errors
from ..engine.checkpoints import load_weights
from ..engine.outputs import key_metric
from ..models.pose_estimators.deeppose import stacked_field
from .export import Exported, export
from .network import onnx_estimator

PRECISIONS = ('half', 'int8')

# From so many values on a tensor is worth a conversion of its own.
_LARGE = 64
_CALIBRATION_IMAGES = 32
# Convolutions that stay in float32. They see few channels, so 8 bits lose most there and save least.
_FIRST_IN_FLOAT = 3


@dataclass
class Smaller:
    """A smaller file and what it costs.

    Attributes:
        exported: the file; its ``difference`` is that of the float32 network it was made of.
        metric: the config's, see :func:`key_metric`, higher for a better network.
        before, after: its values on the config's test data, with PyTorch and with the file.
    """

    exported: Exported
    metric: str
    before: float
    after: float


def export_smaller(
    cfg: Config,
    checkpoint: str | Path,
    path: str | Path,
    precision: str,
    largest_loss: float = 0.01,
    force: bool = False,
    card: dict[str, str] | None = None,
) -> Smaller:
    """Write a smaller network to an ONNX file, once it was tested on the config's test data.

    Args:
        cfg, checkpoint, path, card: see :func:`export`.
        precision: 'half' stores weights in 16 bits and computes as before; 'int8' computes with integers, whose ranges
            are those seen in training images.
        largest_loss: of the metric, an absolute number.
        force: write the file whatever is lost.

    Raises:
        UserError: as :func:`export`, or when more is lost; then there is no file.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / 'whole.onnx', Path(folder) / 'small.onnx'
        exported = export(cfg, checkpoint, whole, card)
        if precision == 'half':
            _halve(whole, small)
        else:
            _quantise(cfg, whole, small)
        _describe_again(whole, small, precision)
        model = MODELS.build(cfg.model)
        load_weights(model, checkpoint)
        metric, before = evaluate(cfg, model.eval())
        _, after = evaluate(cfg, onnx_estimator(cfg, small))
        if not before - after <= largest_loss and not force:
            raise UserError(
                f'{precision} costs {before - after:.4f} of {metric}, from {before:.4f} to {after:.4f}, more than '
                f'{largest_loss:g}: nothing was written; allow more with --largest-loss, or write it with --force'
            )
        write_whole(path, lambda unfinished: unfinished.write_bytes(small.read_bytes()))
    return Smaller(replace(exported, path=path), metric, before, after)


@torch.inference_mode()
def evaluate(cfg: Config, model: nn.Module) -> tuple[str, float]:
    """Name and value of the config's metric, see :func:`key_metric`, of a model on its test data."""
    with explained_config_errors(cfg), contextlib.redirect_stdout(None):  # of what pycocotools prints
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
        evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    for index in tracked(range(len(dataset)), 'test', len(dataset), 'samples'):
        batch = pseudo_collate([dataset[index]])
        evaluator.process(data_batch=batch, data_samples=model.test_step(batch))
    with contextlib.redirect_stdout(None):
        metrics = evaluator.evaluate(len(dataset))
    name = key_metric(cfg, metrics)
    return name, float(metrics[name])


def _halve(source: Path, target: Path) -> None:
    """Large weights become 16 bits and a cast back, which onnxruntime does once, when it loads the file."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    proto = onnx.load(source)
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _LARGE:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f'{name}_half'))
            casts.append(helper.make_node('Cast', [f'{name}_half'], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, target)


def _quantise(cfg: Config, source: Path, target: Path) -> None:
    """Static quantisation: 8 bits, weights by channel, between QuantizeLinear and DequantizeLinear.

    Activations are quantised after Clip and Relu: what these cut off would make the steps several times as large.
    Weights have 7 bits: CPUs without VNNI add products of 8 bits in 16, which overflow.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self) -> None:
            self._inputs = _calibration_inputs(cfg, [value.name for value in onnx.load(source).graph.input])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self._inputs, None)

    prepared = source.with_name('prepared.onnx')
    with _only_errors_logged():  # it recommends what was just done
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        nodes = onnx.load(prepared).graph.node
        convolutions = [index for index, node in enumerate(nodes) if node.op_type == 'Conv']
        first = nodes[: [*convolutions, len(nodes)][min(_FIRST_IN_FLOAT, len(convolutions))]]
        quantize_static(
            str(prepared),
            str(target),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=['Conv', 'MatMul', 'Gemm', 'Add', 'Concat', 'Clip', 'Relu'],
            nodes_to_exclude=[node.name for node in first],
        )


@contextlib.contextmanager
def _only_errors_logged() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _calibration_inputs(cfg: Config, names: Sequence[str]) -> Iterator[dict[str, np.ndarray]]:
    """What the network takes under these names for images of the training data, prepared as in testing."""
    train = cfg.train_dataloader.dataset
    train = train.get('datasets', [train])[0]
    chosen = {name: train[name] for name in ('ann_file', 'data_prefix', 'data_root', 'split') if name in train}
    config: Mapping = dict(copy.deepcopy(cfg.test_dataloader.dataset), **chosen, test_mode=True)
    with explained_config_errors(cfg):
        dataset = DATASETS.build({name: value for name, value in config.items() if name != 'indices'})
        preprocess = MODELS.build(cfg.model.data_preprocessor)
    for index in np.linspace(0, len(dataset) - 1, min(_CALIBRATION_IMAGES, len(dataset))).astype(int):
        batch = preprocess(pseudo_collate([dataset[int(index)]]))
        inputs = dict(inputs=batch['inputs'])
        if 'boxes' in names:
            inputs['boxes'] = stacked_field(batch['data_samples'], 'bboxes', batch['inputs'])
        yield {name: inputs[name].numpy() for name in names}


def _describe_again(source: Path, target: Path, precision: str) -> None:
    """Give a converted network the description of the one it was made of."""
    import onnx

    original, proto = onnx.load(source), onnx.load(target)
    text = {entry.key: entry.value for entry in original.metadata_props}
    onnx.helper.set_model_props(proto, {KEY: read_description(text, source).with_card(precision=precision).to_json()})
    for kind in ('input', 'output'):
        values = getattr(proto.graph, kind)
        del values[:]
        values.extend(getattr(original.graph, kind))
    onnx.save(proto, target)
