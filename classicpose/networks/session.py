"""ONNX files as networks that are ready to run: arrays in, arrays out."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Arrays = tuple[np.ndarray, ...]

# Of the messages in onnx.proto3: where weights and subgraphs are, and TensorProto's data_location.
_SUBMESSAGES = dict(
    model={7: 'graph', 25: 'function'},
    graph={1: 'node', 5: 'tensor', 15: 'sparse tensor'},
    function={7: 'node'},
    node={5: 'attribute'},
    attribute={5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse tensor', 23: 'sparse tensor'},
)
_SUBMESSAGES['sparse tensor'] = {1: 'tensor', 2: 'tensor'}
_DATA_LOCATION, _EXTERNAL = 14, 1
_GZIP_START = b'\x1f\x8b'


def open_session(path: str | Path, threads: int = 0, device: str | None = None) -> InferenceSession:
    """A network that is ready to run, on a GPU where onnxruntime can use one.

    Args:
        path: an .onnx file, or a gzip of one.
        threads: of the processor; 0 for as many as ``OMP_NUM_THREADS`` says or there are.
        device: 'cpu', or 'cuda' for nothing else than a GPU.

    Raises:
        UserError: when the file is missing or broken or has its weights in other files, or the device is not available.
    """
    import onnxruntime

    try:
        data = Path(path).read_bytes()
        if data.startswith(_GZIP_START):
            data = gzip.decompress(data)
    except (OSError, EOFError) as error:
        reason = getattr(error, 'strerror', None) or error
        what = 'does not exist' if isinstance(error, FileNotFoundError) else 'cannot be read'
        raise UserError(f'network {path} {what}; give an .onnx file ({reason})') from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _usual_threads()
    options.log_severity_level = 3  # errors are told in one line of our own
    try:
        external = _has_external_data(memoryview(data), 'model')
    except (IndexError, ValueError, TypeError, RecursionError) as error:
        raise UserError(f'{path} is not a network that onnxruntime can load; copy or export it again') from error
    if external:
        # Its paths may lead anywhere on this machine.
        raise UserError(f'{path} keeps its weights in other files, which are not read: save it as one file')
    try:
        return onnxruntime.InferenceSession(data, options, providers=_providers(device))
    except UserError:
        raise
    except Exception as error:  # onnxruntime's errors share no class of their own
        raise UserError(f'{path} is not a network that onnxruntime can load; copy or export it again') from error


def run_session(session: InferenceSession, *inputs: np.ndarray) -> Arrays:
    """The network's outputs."""
    names = [value.name for value in session.get_inputs()]
    feed = {name: np.ascontiguousarray(values) for name, values in zip(names, inputs, strict=True)}
    return tuple(session.run(None, feed))


def _usual_threads() -> int:
    told = os.environ.get('OMP_NUM_THREADS', '')
    if told.isdecimal() and int(told):
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def _providers(device: str | None) -> list[str]:
    import onnxruntime

    kind = str(device or '').split(':')[0]
    cuda, cpu = 'CUDAExecutionProvider', 'CPUExecutionProvider'
    has_gpu = cuda in onnxruntime.get_available_providers()
    if kind not in ('', 'cpu', 'cuda') or (kind == 'cuda' and not has_gpu):
        raise UserError(f"device {device} cannot be used by this onnxruntime; give 'cpu', or leave it out")
    return [cuda, cpu] if has_gpu and kind != 'cpu' else [cpu]


def _has_external_data(message: memoryview, kind: str) -> bool:
    """Whether any weights of an ONNX message lie in other files.

    Raises:
        IndexError, ValueError, TypeError, RecursionError: when it is no such message, or cut short.
    """
    for number, value in _fields(message):
        if kind == 'tensor':
            if number == _DATA_LOCATION and value == _EXTERNAL:
                return True
        elif number in _SUBMESSAGES[kind] and _has_external_data(value, _SUBMESSAGES[kind][number]):
            return True
    return False


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Numbers and values of a protobuf message's fields."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        wire = tag & 7
        if wire == 0:
            value, position = _varint(message, position)
        else:
            if wire == 2:
                length, position = _varint(message, position)
            elif wire in (1, 5):
                length = 8 if wire == 1 else 4
            else:
                raise ValueError(f'wire type {wire}')
            value = message[position : position + length]
            if len(value) < length:
                raise ValueError('cut short')
            position += length
        yield tag >> 3, value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise ValueError('no number')
