"""One person's network outputs to keypoints in the input's pixels, as MMPose's codecs decode them, and mirror tests.

Symbols: B boxes, K keypoints, W and H the maps' size. Decoders map the network's outputs, and the description's
``decoder``, to keypoints (B, K, 2) and scores (B, K).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from .session import Arrays

Decoded = tuple[np.ndarray, np.ndarray]


def decode_heatmaps(outputs: Arrays, decoder: Mapping[str, Any]) -> Decoded:
    """The highest cell of each map, moved a quarter towards its higher neighbour along x and y, times the stride.

    (-1, -1) times the stride where nothing is above 0.
    """
    (maps,) = outputs
    height, width = maps.shape[2:]
    flat = maps.reshape(*maps.shape[:2], -1)
    scores = flat.max(axis=-1)
    rows, columns = np.unravel_index(flat.argmax(axis=-1), (height, width))
    cells = np.stack([columns, rows], axis=-1).astype(np.float32)
    cells[scores <= 0] = -1
    columns, rows = cells.astype(int).transpose(2, 0, 1)
    person, keypoint = np.indices(scores.shape)

    def step(along: int, inside: np.ndarray) -> np.ndarray:
        right, below = (1, 0) if along == 0 else (0, 1)
        high = maps[person, keypoint, np.clip(rows + below, 0, height - 1), np.clip(columns + right, 0, width - 1)]
        low = maps[person, keypoint, np.clip(rows - below, 0, height - 1), np.clip(columns - right, 0, width - 1)]
        return np.where(inside, np.sign(high - low) * np.float32(0.25), 0)

    # The borders where MMPose leaves a keypoint in its cell's middle.
    cells[..., 0] += step(0, (columns > 1) & (columns < width - 1) & (rows > 0) & (rows < height))
    cells[..., 1] += step(1, (rows > 1) & (rows < height - 1) & (columns > 0) & (columns < width))
    return cells * np.float32(decoder['stride']), scores


def decode_pose_machine(outputs: Arrays, decoder: Mapping[str, Any]) -> Decoded:
    """The highest pixel of each map, enlarged to the input's ``size``; the last map is the background."""
    maps = outputs[0][:, :-1]
    keypoints, scores = np.zeros((*maps.shape[:2], 2), np.float32), np.zeros(maps.shape[:2], np.float32)
    for place in np.ndindex(*scores.shape):
        enlarged = cv2.resize(maps[place], tuple(decoder['size']), interpolation=cv2.INTER_CUBIC)
        row, column = np.unravel_index(enlarged.argmax(), enlarged.shape)
        keypoints[place] = column, row
        scores[place] = max(enlarged[row, column], 0)
    return keypoints, scores


def decode_coordinates(outputs: Arrays, decoder: Mapping[str, Any]) -> Decoded:
    """Coordinates of 0 to 1 times the input's ``size``; scores are 1, or 1 less the mean of RLE's sigmas."""
    (values,) = outputs
    keypoints = values[..., :2] * np.float32(decoder['size'])
    if values.shape[-1] == 2:
        return keypoints, np.ones(values.shape[:2], np.float32)
    return keypoints, (1 - values[..., 2:]).mean(axis=-1)


def decode_simcc(outputs: Arrays, decoder: Mapping[str, Any]) -> Decoded:
    """The highest bin of each axis over the bins a pixel, ``split_ratio``; the score is the lower of the two."""
    scores = np.minimum(outputs[0].max(axis=-1), outputs[1].max(axis=-1))
    bins = np.stack([values.argmax(axis=-1) for values in outputs], axis=-1).astype(np.float32)
    bins[scores <= 0] = -1
    return bins / np.float32(decoder['split_ratio']), scores


DECODERS = dict(
    MSRAHeatmap=decode_heatmaps,
    PoseMachineHeatmap=decode_pose_machine,
    RegressionLabel=decode_coordinates,
    SimCCLabel=decode_simcc,
)
"""By the name of a codec."""


def probable(outputs: Arrays, decoder: Mapping[str, Any]) -> Arrays:
    """The outputs with RLE's sigmas from 0 to 1, which the network puts out before their sigmoid."""
    if decoder['codec'] != 'RegressionLabel' or outputs[0].shape[-1] == 2:
        return outputs
    values = outputs[0].copy()
    values[..., 2:] = 1 / (1 + np.exp(-values[..., 2:]))
    return (values,)


def unmirrored(outputs: Arrays, decoder: Mapping[str, Any], flip_indices: Sequence[int], shift: bool) -> Arrays:
    """What the network put out of a mirror image, as if it had not been mirrored.

    Args:
        shift: move maps by a cell, coordinates by a pixel: MMPose's ``shift_heatmap`` and ``shift_coords``.
    """
    codec = decoder['codec']
    flip_indices = list(flip_indices)
    if codec == 'SimCCLabel':
        along_x, along_y = outputs
        return along_x[:, flip_indices, ::-1], along_y[:, flip_indices]
    if codec == 'RegressionLabel':
        values = outputs[0][:, flip_indices].copy()
        values[..., 0] = 1 - values[..., 0] - (1 / decoder['size'][0] if shift else 0)
        return (values,)
    channels = flip_indices + ([len(flip_indices)] if codec == 'PoseMachineHeatmap' else [])
    maps = outputs[0][:, channels, :, ::-1].copy()
    if shift:
        maps[..., 1:] = maps[..., :-1].copy()
    return (maps,)
