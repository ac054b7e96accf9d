"""Hands and faces of the people in images: their places from the body, then a network that looks there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserError
from ..networks.estimators import Sample
from ..people import PARTS, People
from ..skeletons import Skeleton
from .loading import load_estimator
from .part_boxes import face_squares, hand_squares, lacking

if TYPE_CHECKING:
    import torch

# Crops at a time: as many as a batch of images has, but for memory.
_MOST_CROPS = 32
# Pixels around a crop, for interpolation.
_MARGIN = 3
_NAMES = dict(hand=('hand_left', 'hand_right'), face=('face',))


class PartNetwork:
    """A trained network of hands or faces.

    Args:
        part: 'hand' or 'face'.
        config: the network's config, or an exported .onnx file alone.
        checkpoint: its weights (.pth), or the network that tools/export_onnx.py exported (.onnx).
        device: 'cpu', 'cuda', ...; by default a GPU if there is one.

    Attributes:
        names: the keys of ``People.parts`` that it fills.

    Raises:
        UserError: when a file is missing, broken or of another model, or the config is about something else.
    """

    def __init__(
        self,
        part: str,
        config: str | Path,
        checkpoint: str | Path | None = None,
        device: str | torch.device | None = None,
    ) -> None:
        self._estimator = load_estimator(config, checkpoint, device=device)
        self.part = part
        self.names = _NAMES[part]
        self.skeleton = self._estimator.skeleton
        expected = PARTS[_NAMES[part][0]]
        if self._estimator.bottom_up or self.skeleton.keypoints != expected.keypoints:
            raise UserError(f"{config} is no network for a {part}: its keypoints are not the {part}'s")

    def check(self, skeleton: Skeleton) -> None:
        """Raise a UserError if people of this body model have no such part."""
        missing = lacking(skeleton, self.part)
        if missing:
            raise UserError(
                f'the body model {skeleton.name!r} has no {", ".join(missing)}, which locate a {self.part}: '
                f'leave out --{self.part}, or take another network for the body'
            )

    def add_to(self, images: Sequence[np.ndarray], people: Sequence[People]) -> None:
        """Find the parts of all people in several images, all crops together, and add them to the people."""
        places, samples = [], []
        for number, (image, found) in enumerate(zip(images, people, strict=True)):
            for name in self.names:
                found.parts[name] = np.zeros((len(found), len(self.skeleton.keypoints), 3), np.float32)
                mirrored = name == 'hand_left'
                for person, square in enumerate(_squares(found, name)):
                    crop, corner = _region(image, square)
                    if crop.size:
                        places.append((number, name, person, corner, crop.shape[1] if mirrored else 0))
                        samples.append(self._sample(crop, square, corner, mirrored))
        for place, keypoints in zip(places, self._keypoints(samples), strict=True):
            number, name, person, corner, mirrored_width = place
            if mirrored_width:
                keypoints[:, 0] = mirrored_width - 1 - keypoints[:, 0]
            keypoints[:, :2] += corner
            keypoints[keypoints[:, 2] == 0] = 0
            people[number].parts[name][person] = keypoints

    def _sample(self, crop: np.ndarray, square: np.ndarray, corner: np.ndarray, mirrored: bool) -> Sample:
        """What the network is to see; it has only seen right hands, and a left one is like one in the mirror."""
        center, half = square[:2] - corner, square[2] / 2
        if mirrored:
            crop = np.ascontiguousarray(crop[:, ::-1])
            center[0] = crop.shape[1] - 1 - center[0]
        box = np.concatenate([center - half, center + half, [1]]).astype(np.float32)
        return self._estimator.prepare(crop, box[None])[0]

    def _keypoints(self, samples: list[Sample]) -> list[np.ndarray]:
        """(K, 3) of every sample, in the pixels of its crop."""
        results = []
        for start in range(0, len(samples), _MOST_CROPS):
            results += self._estimator.predict(samples[start : start + _MOST_CROPS])
        return [np.column_stack([found.keypoints[0], found.keypoint_scores[0]]) for found in results]


def _squares(people: People, name: str) -> np.ndarray:
    return face_squares(people) if name == 'face' else hand_squares(people, name.removeprefix('hand_'))


def _region(image: np.ndarray, square: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What of the image a square sees, empty where that is nothing, and the (x, y) of its first pixel."""
    if square[2] == 0:
        return image[:0], np.zeros(2)
    low = np.maximum(np.floor(square[:2] - square[2] / 2).astype(int) - _MARGIN, 0)
    high = np.maximum(np.ceil(square[:2] + square[2] / 2).astype(int) + _MARGIN, 0)
    return image[low[1] : high[1], low[0] : high[0]], low
