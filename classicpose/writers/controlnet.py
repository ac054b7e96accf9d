"""Skeletons that steer image generators: ControlNet's JSON and its picture, for ComfyUI, SwarmUI and others.

The format is that of comfyui_controlnet_aux and the web UIs (``decode_json_as_poses``): OpenPose's fields, the size of
the canvas, and keypoints that are there, with a score of 1, or not.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

from ..files import JsonList, six_digits
from ..people import PARTS, People
from ..skeletons import FEET6, OPENPOSE18, Skeleton, convert_keypoints
from ..visualization.controlnet import draw_controlnet
from ..visualization.people_and_maps import part_threshold
from .base import ImageFiles
from .openpose_json import check_common, converted_people

# Fields that may be empty, and how many keypoints they have.
_COUNTS = {f'{part}_keypoints_2d': len(skeleton.keypoints) for part, skeleton in (PARTS | dict(foot=FEET6)).items()}


class ControlNet(ImageFiles):
    """Writes ``<name>_controlnet.json`` and ``<name>_controlnet.png`` for every image, see :func:`controlnet_people`.

    ``frames.json`` beside them is the list of them all, as ComfyUI's nodes pass it on: there zeros stand for null.

    Args:
        skeleton: of the people to come, who are then refused at once where they have none of OpenPose's keypoints.

    Raises:
        UserError: when the folder or a file cannot be written, or the body model has none of OpenPose's keypoints.
    """

    endings = ('_controlnet.json', '_controlnet.png')

    def __init__(self, folder: str | Path, threshold: float, skeleton: Skeleton | None = None) -> None:
        check_common(skeleton, OPENPOSE18)
        super().__init__(folder)
        self._threshold = threshold
        self._frames = JsonList(self._folder / 'frames.json')

    def __enter__(self) -> ControlNet:
        self._frames.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._frames.__exit__(*error)

    def files(self, people: People, image: np.ndarray | None) -> dict[str, bytes]:
        """The JSON and the picture drawn from it."""
        contents = controlnet_people(people, self._threshold)
        zeros = {field: [0.0] * 3 * count for field, count in _COUNTS.items()}
        filled = [zeros | {field: numbers for field, numbers in p.items() if numbers} for p in contents['people']]
        self._frames.extend([contents | dict(people=filled)])
        picture = cv2.imencode('.png', draw_controlnet(people.image_size, contents['people']))[1]
        return dict(zip(self.endings, (json.dumps(contents).encode(), picture.tobytes()), strict=True))


def controlnet_people(people: People, threshold: float) -> dict:
    """ControlNet's JSON of an image.

    A person has OpenPose's 18 keypoints, the neck among them, each x, y and 1, or 0, 0, 0 where its score is not more
    than ``threshold``; 21 of a hand, 70 of a face and 6 of the feet, or null without any. Coordinates are the image's
    pixels, which is the canvas. People without any of the 18 are left out.
    """
    fields = dict(pose=converted_people(people, OPENPOSE18)) | people.parts
    if set(FEET6.keypoints) <= set(people.skeleton.keypoints):
        fields['foot'] = np.dstack(convert_keypoints(people.keypoints, people.keypoint_scores, people.skeleton, FEET6))
    there = {f'{name}_keypoints_2d': _there(table, part_threshold(name, threshold)) for name, table in fields.items()}
    persons = [
        {field: six_digits(there[field][person]) if there[field][person].any() else None for field in there}
        for person in np.flatnonzero(there['pose_keypoints_2d'].any(axis=(1, 2)))
    ]
    width, height = people.image_size
    return dict(
        people=[dict.fromkeys(_COUNTS) | person for person in persons], canvas_width=width, canvas_height=height
    )


def _there(keypoints: np.ndarray, threshold: float) -> np.ndarray:
    """(P, K, 3) with the score 1 where it is more than ``threshold``, else zeros."""
    there = np.isfinite(keypoints).all(axis=-1) & (keypoints[..., 2] > max(threshold, 0))
    return np.where(there[..., None], np.insert(keypoints[..., :2], 2, 1, axis=-1), 0)
