"""What prediction returns for one image."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from .skeletons import FACE70, HAND21, Skeleton

PARTS = dict(hand_left=HAND21, hand_right=HAND21, face=FACE70)
"""What else than the body may be found of a person, by OpenPose's names, and its keypoints."""

AREA_OF_BOX = 0.53
"""A person's area in shares of the box, as MMPose derives it where an annotation has none."""


def image_number(name: str) -> int | None:
    """The number at the end of an image's name, by which COCO's files are called: 139 of ``000000000139``."""
    digits = re.search('[0-9]+$', name)
    return int(digits[0]) if digits else None


def boxes_around(keypoints: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(P, 4) smallest boxes, x1, y1, x2, y2, around the keypoints (P, K, 2) that were ``found`` (P, K).

    Around none a box is infinite, its corners exchanged.
    """
    low = np.where(found[..., None], keypoints, np.inf).min(axis=1, initial=np.inf)
    high = np.where(found[..., None], keypoints, -np.inf).max(axis=1, initial=-np.inf)
    return np.concatenate([low, high], axis=1)


@dataclass
class People:
    """The people found in one image. Symbols: P people, may be 0; K keypoints of the skeleton; L limbs.

    Convention: coordinates are the image's pixels, integers at pixel centres, x before y. A keypoint that was not
    found has the score 0 and lies at (0, 0).

    Attributes:
        name: the beginning of the names of output files: ``street`` for ``street.jpg``, and
            ``walk_000000000012`` for the frame 12, counted from 0, of ``walk.mp4``.
        image_size: (w, h) of the image.
        skeleton: the keypoints' names, limbs and colours.
        keypoints: (P, K, 2) float32.
        keypoint_scores: (P, K) float32.
        scores: (P,) float32, the people's scores; best first if the network finds several people.
        boxes: (P, 4) float32 x1, y1, x2, y2: a single-person network's input box, else the smallest box around the
            keypoints found.
        track_ids: (P,) int64, the same for a person in all frames of a video; None without tracking.
        candidates: for each keypoint an (M, 3) float32 of x, y and score of all its peaks, whichever person they belong
            to; None unless asked for.
        heatmaps: (K, h, w) or, of affinity fields, (K + 1, h, w) with the background last; None unless asked for.
        pafs: (2 L, h, w), x and y of a limb in turn; None unless asked for.
        image_to_map: (2, 3), from the image's pixels to the cells of the maps; None without them.
        parts: by the names of ``PARTS``, (P, K, 3) float32 of x, y and score of each hand's or face's keypoints;
            zeros if none was found. Empty unless asked for.
        path: the image's or the video's file, camera index or URL; empty for an array.
        frame_number: the number of a video's frame, from 0; None for an image.
        time: the time of a video's frame, in seconds from the video's beginning; None if it is not known.
    """

    name: str
    image_size: tuple[int, int]
    skeleton: Skeleton
    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    scores: np.ndarray
    boxes: np.ndarray
    track_ids: np.ndarray | None = None
    candidates: list[np.ndarray] | None = None
    heatmaps: np.ndarray | None = None
    pafs: np.ndarray | None = None
    image_to_map: np.ndarray | None = None
    parts: dict[str, np.ndarray] = field(default_factory=dict)
    path: str = ''
    frame_number: int | None = None
    time: float | None = None

    def __len__(self) -> int:
        return len(self.keypoints)

    @property
    def found(self) -> np.ndarray:
        """(P, K) bool: the keypoints whose score is more than 0, and no infinity or NaN of a diverged network."""
        return (self.keypoint_scores > 0) & np.isfinite(self.keypoint_scores) & np.isfinite(self.keypoints).all(axis=-1)

    @property
    def found_keypoints(self) -> np.ndarray:
        """(P, K, 3) float32: x, y and score of the keypoints that were ``found``, zeros of the others."""
        table = np.dstack([self.keypoints, self.keypoint_scores])
        return np.where(self.found[..., None], table, 0).astype(np.float32)

    @property
    def numbers(self) -> np.ndarray:
        """(P,): the people's tracks, or where nobody is tracked their places in the image, from 0."""
        return np.arange(len(self)) if self.track_ids is None else self.track_ids

    @property
    def source_name(self) -> str:
        """The video's name, without the frame's number; an image's own."""
        return self.name if self.frame_number is None else self.name.removesuffix(f'_{self.frame_number:012d}')
