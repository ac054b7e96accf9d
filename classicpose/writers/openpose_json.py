"""People in OpenPose's JSON format 1.3, for programs that read OpenPose's own.

Convention: pixels with integers at their centres. OpenPose's own coordinates are half a pixel larger.

Symbols: P people, K keypoints, M peaks of one keypoint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import six_digits
from ..people import People
from ..skeletons import BODY25, MPI15, OPENPOSE18, Skeleton, convert_keypoints
from .base import ImageFiles

LAYOUTS = dict(coco18=OPENPOSE18, body25=BODY25, mpi15=MPI15)
"""OpenPose's models by the order of their keypoints: COCO, BODY_25 and MPI."""


def own_layout(skeleton: Skeleton) -> str:
    """The layout of a body model's own keypoints, COCO's where they are none of OpenPose's."""
    return next((name for name, own in LAYOUTS.items() if own.name == skeleton.name), 'coco18')


KEYPOINT_SCALES = (0, 1, 2, 3, 4)

# The fields beside the body's. Only those of hands and a face that were looked for are filled.
_OTHERS = (
    'face_keypoints_2d', 'hand_left_keypoints_2d', 'hand_right_keypoints_2d',
    'pose_keypoints_3d', 'face_keypoints_3d', 'hand_left_keypoints_3d', 'hand_right_keypoints_3d',
)  # fmt: skip
_NOBODY_TRACKED = -1


class OpenPoseJson(ImageFiles):
    """Writes ``<name>_keypoints.json`` for every image, people or not.

    Args:
        folder: made where it does not exist.
        layout, keypoint_scale, net_size: see :func:`openpose_people`.
        skeleton: of the people to come, who are then refused at once where they have no part of the layout.

    Raises:
        UserError: when the settings are impossible, or the folder or a file cannot be written.
    """

    endings = ('_keypoints.json',)

    def __init__(
        self,
        folder: str | Path,
        layout: str = 'coco18',
        keypoint_scale: int = 0,
        net_size: tuple[int, int] | None = None,
        skeleton: Skeleton | None = None,
    ) -> None:
        _check(layout, keypoint_scale, net_size)
        check_common(skeleton, LAYOUTS[layout])
        super().__init__(folder)
        self._settings = dict(layout=layout, keypoint_scale=keypoint_scale, net_size=net_size)

    def files(self, people: People, image: np.ndarray | None) -> dict[str, bytes]:
        """The file of an image."""
        contents = json.dumps(openpose_people(people, **self._settings), separators=(',', ':'))
        return {self.endings[0]: contents.encode()}


def openpose_people(
    people: People,
    layout: str = 'coco18',
    keypoint_scale: int = 0,
    net_size: tuple[int, int] | None = None,
) -> dict:
    """What OpenPose would write about an image.

    Keypoints are converted by name. If the network does not find the neck and the middle of the hips itself, they are
    made of the two shoulders and hips; keypoints that the network lacks are 0, 0, 0. ``person_id`` is the person's
    track, or -1. ``part_candidates`` are there if ``people`` has candidates.

    Args:
        layout: ``coco18``, ``body25`` or ``mpi15``, the order of the keypoints.
        keypoint_scale, net_size: see :func:`scale_keypoints`.

    Raises:
        UserError: when the settings are impossible or the people have no part of the layout.
    """
    _check(layout, keypoint_scale, net_size)
    target = LAYOUTS[layout]

    def numbers(rows: np.ndarray) -> list[float]:
        return six_digits(scale_keypoints(rows, people.image_size, keypoint_scale, net_size))

    ids = np.full(len(people), _NOBODY_TRACKED) if people.track_ids is None else people.track_ids
    persons = [
        dict(person_id=[int(number)], pose_keypoints_2d=numbers(keypoints))
        | {name: [] for name in _OTHERS}
        | {f'{name}_keypoints_2d': numbers(_finite(tables[person])) for name, tables in people.parts.items()}
        for person, (number, keypoints) in enumerate(zip(ids, converted_people(people, target), strict=True))
    ]
    contents = dict(version=1.3, people=persons)
    if people.candidates is not None:
        found = dict(zip(people.skeleton.keypoints, people.candidates, strict=True))
        peaks = [found.get(name, np.zeros((0, 3))) for name in target.keypoints]
        contents['part_candidates'] = [{str(index): numbers(rows) for index, rows in enumerate(peaks)}]
    return contents


def scale_keypoints(
    keypoints: np.ndarray, image_size: tuple[int, int], mode: int, net_size: tuple[int, int] | None = None
) -> np.ndarray:
    """Keypoints in another unit, as OpenPose's option ``keypoint_scale``.

    The centres of the image's corner pixels are its corners: with mode 3 the last pixel's is (1, 1). Unlike
    OpenPose's, missing keypoints stay 0, 0, 0 in every mode.

    Args:
        keypoints: (..., 3) x, y in the image's pixels and score, 0 where the keypoint is missing.
        image_size: (w, h).
        mode: 0 and 2 the image's pixels, 1 those of the image as fitted into the network's input, 3 from 0 to 1,
            4 from -1 to 1. (2 is OpenPose's size of drawn images, which here is the image's.)
        net_size: (w, h) of the network's input, needed for mode 1; -1 where it follows the image's aspect.

    Returns:
        (..., 3), a new array.
    """
    _check_scale(mode, net_size)
    factor, offset = np.ones(2), 0.0
    # An image one pixel wide has one position, 0.
    extent = np.maximum(np.array(image_size) - 1, 1)
    if mode == 1:
        factor = factor * min((net - 1) / own for net, own in zip(net_size, extent, strict=True) if net > 0)
    elif mode == 3:
        factor = 1 / extent
    elif mode == 4:
        factor, offset = 2 / extent, -1.0
    scaled = np.array(keypoints, dtype=np.float64)
    scaled[..., :2] = scaled[..., :2] * factor + offset
    scaled[scaled[..., 2] == 0] = 0
    return scaled


def converted_people(people: People, target: Skeleton) -> np.ndarray:
    """(P, K, 3): x, y and score of the keypoints of another body model. Missing keypoints are 0, 0, 0.

    Raises:
        UserError: when the two body models have no keypoint in common.
    """
    check_common(people.skeleton, target)
    keypoints, scores = people.found_keypoints[..., :2], people.found_keypoints[..., 2]
    return np.dstack(convert_keypoints(keypoints, scores, people.skeleton, target))


def check_common(source: Skeleton | None, target: Skeleton) -> None:
    """Refuse a body model, where it is known, that has no keypoint of another."""
    if source is not None and not set(source.keypoints) & set(target.keypoints):
        raise UserError(
            f'the body model {source.name!r} has no keypoint in common with {target.name!r}, which this format needs: '
            f'{", ".join(source.keypoints[:4])}, ... against {", ".join(target.keypoints[:4])}, ...; '
            'write CSV instead'
        )


def _finite(keypoints: np.ndarray) -> np.ndarray:
    """(..., 3) with zeros where x, y or the score is no number, which JSON does not have."""
    return np.where(np.isfinite(keypoints).all(axis=-1, keepdims=True), keypoints, 0)


def _check(layout: str, keypoint_scale: int, net_size: tuple[int, int] | None) -> None:
    if layout not in LAYOUTS:
        raise UserError(f'no layout {layout!r}: give one of {", ".join(LAYOUTS)}')
    _check_scale(keypoint_scale, net_size)


def _check_scale(mode: int, net_size: tuple[int, int] | None) -> None:
    if mode not in KEYPOINT_SCALES:
        raise UserError(f'keypoint_scale {mode}: give one of {", ".join(map(str, KEYPOINT_SCALES))}')
    if mode == 1 and (net_size is None or max(net_size) <= 0):
        raise UserError('keypoint_scale 1 is in pixels of the network: give net_resolution too')
