"""Caffe's binary weight files, read and written without Caffe.

A .caffemodel is one message of Caffe's protocol, of which four kinds of message matter here: the network, its layers,
their blobs, a blob's shape. They are described to google.protobuf when the first file is opened.
"""

from __future__ import annotations

from functools import cache
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch

from classicpose.errors import UserError

_KINDS = ('weight', 'bias')
"""What the first and the second blob of a layer are."""


def read_caffemodel(path: str | Path) -> dict[str, torch.Tensor]:
    """The weights in a .caffemodel, as ``<layer>.weight`` and ``<layer>.bias``, float32.

    Blobs of files older than 2015 have four sizes, of which the leading ones of a bias or a slope are 1;
    they are dropped.

    Raises:
        UserError: when the file is missing, cut short, a prototxt, or anything else.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror}): give a .caffemodel file') from error
    if _is_text(data):
        raise UserError(
            f"{path} is text, such as a network's description (.prototxt): give the weights, a .caffemodel file"
        )
    network = _messages()['Net']()
    try:
        network.ParseFromString(data)
    except Exception as error:  # google.protobuf's DecodeError, whose class depends on its build
        raise UserError(f'{path} is cut short or no .caffemodel: download or copy it again') from error
    weights = {}
    for layer in network.layer:
        if len(layer.blobs) > len(_KINDS):
            raise UserError(f'{path}: layer {layer.name} has {len(layer.blobs)} blobs, not a weight and a bias')
        for kind, blob in zip(_KINDS, layer.blobs, strict=False):
            weights[f'{layer.name}.{kind}'] = _tensor(blob, f'{path}: layer {layer.name}')
    if not weights:
        raise UserError(
            f'{path} is cut short or no .caffemodel, it has no layer with weights: download or copy it again'
        )
    return weights


def write_caffemodel(weights: dict[str, torch.Tensor], path: str | Path) -> None:
    """Write weights under the names of :func:`read_caffemodel`, which reads the same again."""
    network = _messages()['Net']()
    layers: dict[str, Any] = {}
    for name, tensor in weights.items():
        layer_name, _, kind = name.rpartition('.')
        if layer_name not in layers:
            # What has one weight a channel is PReLU, the only other layer with weights in these networks.
            type_ = 'PReLU' if tensor.ndim == 1 else 'Convolution'
            layers[layer_name] = network.layer.add(name=layer_name, type=type_)
        if kind != _KINDS[len(layers[layer_name].blobs)]:
            raise ValueError(f'{name}: a layer has a weight, then perhaps a bias')
        blob = layers[layer_name].blobs.add()
        blob.shape.dim.extend(tensor.shape)
        blob.data.extend(tensor.detach().float().flatten().tolist())
    Path(path).write_bytes(network.SerializeToString())


def _tensor(blob: Any, owner: str) -> torch.Tensor:
    shape = tuple(blob.shape.dim)
    if not shape:
        shape = (blob.num, blob.channels, blob.height, blob.width)
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
    values = np.array(blob.data, dtype=np.float32)
    if len(values) != prod(shape):
        sizes = 'x'.join(map(str, shape))
        raise UserError(f'{owner} has {len(values)} numbers, not {sizes}: download or copy the file again')
    return torch.from_numpy(values.reshape(shape))


def _is_text(data: bytes) -> bool:
    try:
        text = data[:4096].decode()
    except UnicodeDecodeError:
        return False
    return bool(text) and all(character.isprintable() or character.isspace() for character in text)


@cache
def _messages() -> dict[str, type]:
    """The four messages by name; fields have Caffe's names and numbers."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    fields = dict(
        Shape=[('dim', 1, field.TYPE_INT64, True)],
        Blob=[
            ('num', 1, field.TYPE_INT32, False),
            ('channels', 2, field.TYPE_INT32, False),
            ('height', 3, field.TYPE_INT32, False),
            ('width', 4, field.TYPE_INT32, False),
            ('data', 5, field.TYPE_FLOAT, True),
            ('shape', 7, 'Shape', False),
        ],
        Layer=[
            ('name', 1, field.TYPE_STRING, False),
            ('type', 2, field.TYPE_STRING, False),
            ('blobs', 7, 'Blob', True),
        ],
        Net=[('layer', 100, 'Layer', True)],
    )
    package = 'classicpose.caffe'
    file = descriptor_pb2.FileDescriptorProto(name='classicpose/caffe.proto', package=package, syntax='proto2')
    for name, members in fields.items():
        message = file.message_type.add(name=name)
        for member, number, kind, repeated in members:
            added = message.field.add(name=member, number=number)
            added.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if isinstance(kind, str):
                added.type, added.type_name = field.TYPE_MESSAGE, f'.{package}.{kind}'
            else:
                added.type = kind
                if repeated:
                    added.options.packed = True
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f'{package}.{name}')) for name in fields}
