"""People by MoveNet: Multipose finds them, Thunder looks at each, and COCO annotations are made of them.

Symbols: K keypoints, COCO's 17. Keypoints are (K, 3): x and y in the image's pixels and a score from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from mmpose.evaluation.functional.nms import oks_iou
from pycocotools import mask as run_lengths

from classicpose.people import AREA_OF_BOX
from classicpose.skeletons import COCO17

Network = Callable[[np.ndarray], np.ndarray]
"""From an (H, W, 3) RGB image to MoveNet's output for it."""

# Longer sides, in pixels, at which people are looked for, and whether in the mirror image: the small one for people who
# fill the image.
_FINDING = ((512, False), (320, True))
_STRIDE = 32  # the finder's sides are multiples of it
_FOUND = 6  # people at most, of one look
_FOUND_SCORE = 0.08  # of a person at whom the refiner looks
_CROP = 256  # the refiner's input
_MARGIN = 1.35  # a crop's side, in longer sides of the box around the keypoints
_SCORE = 0.2  # of a keypoint that is labelled
_MEAN_SCORE = 0.22  # of a person who is
_KEYPOINTS = 5
_SAME_PERSON = 0.5  # object keypoint similarity
_AGREE = 12  # pixels of the crop, between a keypoint and its mirror image's
_MIRRORED = list(COCO17.flip_indices)


def find(network: Network, image: np.ndarray, longest: int, mirrored: bool) -> list[tuple[float, np.ndarray]]:
    """Up to six people with their scores, by MoveNet Multipose.

    Args:
        image: (H, W, 3) RGB.
        longest: what the longer side is resized to.
        mirrored: whether to look at the mirror image.
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    resized = _resize(image, (max(round(width * scale), 1), max(round(height * scale), 1)))
    if mirrored:
        resized = resized[:, ::-1]
    below, right = (-side % _STRIDE for side in resized.shape[:2])
    padded = np.pad(resized, ((0, below), (0, right), (0, 0)))
    people = []
    for row in network(padded).reshape(_FOUND, 56):
        keypoints = _xy_first(row[:51], padded.shape[1] / scale, padded.shape[0] / scale)
        people.append((float(row[55]), _mirror(keypoints, width) if mirrored else keypoints))
    return people


def refine(network: Network, image: np.ndarray, keypoints: np.ndarray) -> np.ndarray | None:
    """A person's keypoints again, by MoveNet Thunder in a square crop and its mirror image.

    Where both agree it is their mean, weighted by score. Where not, the better one, and its score suffers.

    Returns:
        None where too few keypoints are sure enough to say where the person is.
    """
    sure = keypoints[:, 2] > _SCORE
    if sure.sum() < 2:
        sure = keypoints[:, 2] > _SCORE / 2
    if sure.sum() < 2:
        return None
    low, high = keypoints[sure, :2].min(axis=0), keypoints[sure, :2].max(axis=0)
    side = max((high - low).max() * _MARGIN, 20)
    corner = (low + high) / 2 - side / 2
    to_crop = np.hstack([np.eye(2), -corner[:, None]]) * (_CROP / side)
    crop = cv2.warpAffine(image, to_crop, (_CROP, _CROP))
    plain = _xy_first(network(crop), _CROP, _CROP)
    mirrored = _mirror(_xy_first(network(crop[:, ::-1]), _CROP, _CROP), _CROP)

    scores = np.stack([plain[:, 2], mirrored[:, 2]])
    both = np.stack([plain[:, :2], mirrored[:, :2]])
    agree = np.linalg.norm(both[0] - both[1], axis=1) <= _AGREE
    mean = (both * scores[..., None]).sum(axis=0) / np.maximum(scores.sum(axis=0), 1e-6)[:, None]
    better = np.where((scores[0] >= scores[1])[:, None], both[0], both[1])
    xy = np.where(agree[:, None], mean, better)
    score = scores.mean(axis=0) * np.where(agree, 1, 0.6)
    return np.column_stack([xy * side / _CROP + corner, score])


def label(finder: Network, refiner: Network, image: np.ndarray) -> list[np.ndarray]:
    """The keypoints of everybody in an image, (H, W, 3) RGB, each person once."""
    found = [person for look in _FINDING for person in find(finder, image, *look) if person[0] >= _FOUND_SCORE]
    people: list[np.ndarray] = []
    for _, keypoints in sorted(found, key=lambda person: -person[0]):
        if _largest_similarity(keypoints, people) > _SAME_PERSON:
            continue
        refined = refine(refiner, image, keypoints)
        if refined is not None and _largest_similarity(refined, people) <= _SAME_PERSON:
            people.append(refined)
    return people


def annotate(people: list[np.ndarray], others: list[np.ndarray], height: int, width: int) -> list[dict] | None:
    """The image's annotations but for their ids.

    Who is uncertain becomes a crowd as large as the box. A crowd teaches nothing outside the boxes of annotated people.

    Args:
        people: what :func:`label` gave.
        others: whom another network found. Those that are none of ``people`` are uncertain.

    Returns:
        None for an image to leave out: nobody is certain, or so many that the finder may have missed some.
    """
    people, others = ([_unseen_outside(person, height, width) for person in found] for found in (people, others))
    certain, uncertain = [], []
    for keypoints in people:
        labelled = keypoints[:, 2] >= _SCORE
        is_certain = keypoints[:, 2].mean() >= _MEAN_SCORE and labelled.sum() >= _KEYPOINTS
        (certain if is_certain else uncertain).append(keypoints)
    if not 0 < len(certain) < _FOUND:
        return None
    uncertain += [other for other in others if _largest_similarity(other, certain) < _SAME_PERSON / 2]
    annotations = []
    for keypoints in certain:
        labelled = keypoints[:, 2] >= _SCORE
        left, top, right, bottom = _box(keypoints[labelled, :2], height, width)
        table = np.column_stack([np.round(keypoints[:, :2], 1), np.full(len(keypoints), 2)]) * labelled[:, None]
        annotations.append(
            dict(
                category_id=1,
                iscrowd=0,
                keypoints=table.ravel().tolist(),
                num_keypoints=int(labelled.sum()),
                bbox=[left, top, right - left, bottom - top],
                area=AREA_OF_BOX * (right - left) * (bottom - top),
                segmentation=[[left, top, right, top, right, bottom, left, bottom]],
            )
        )
    for keypoints in uncertain:
        seen = keypoints[:, 2] >= _SCORE / 4
        if seen.sum() < 2:
            continue
        left, top, right, bottom = _box(keypoints[seen, :2], height, width)
        size = right - left + 1, bottom - top + 1
        (region,) = run_lengths.frPyObjects(np.array([[left, top, *size]], float), height, width)
        annotations.append(
            dict(
                category_id=1,
                iscrowd=1,
                keypoints=[0] * 3 * len(keypoints),
                num_keypoints=0,
                bbox=[left, top, right - left, bottom - top],
                area=float(size[0] * size[1]),
                segmentation=dict(size=[height, width], counts=region['counts'].decode()),
            )
        )
    return annotations


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    smaller = size[0] < image.shape[1]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _xy_first(output: np.ndarray, width: float, height: float) -> np.ndarray:
    """MoveNet's (y, x, score), from 0 to 1, as (K, 3) in pixels."""
    return output.reshape(-1, 3)[:, [1, 0, 2]] * (width, height, 1)


def _mirror(keypoints: np.ndarray, width: float) -> np.ndarray:
    return (keypoints * (-1, 1, 1) + (width, 0, 0))[_MIRRORED]


def _unseen_outside(keypoints: np.ndarray, height: int, width: int) -> np.ndarray:
    """The keypoints, with score 0 where they lie outside the image."""
    inside = ((keypoints[:, :2] >= 0) & (keypoints[:, :2] <= (width - 1, height - 1))).all(axis=1)
    return keypoints * np.column_stack([np.ones((len(keypoints), 2)), inside])


def _largest_similarity(keypoints: np.ndarray, people: list[np.ndarray]) -> float:
    """Object keypoint similarity to the most similar of ``people``, of the keypoints that both have; 0 without any."""
    if not people:
        return 0.0
    areas = np.array([_area(person) for person in people])
    rows = np.stack([person.ravel() for person in people])
    return float(oks_iou(keypoints.ravel(), rows, _area(keypoints), areas, vis_thr=_SCORE / 2).max())


def _area(keypoints: np.ndarray) -> float:
    sure = keypoints[keypoints[:, 2] > _SCORE, :2]
    return max(0.6 * np.prod(np.ptp(sure, axis=0)), 100) if len(sure) > 1 else 100


def _box(points: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom around points, with a tenth of the longer side to spare."""
    low, high = points.min(axis=0), points.max(axis=0)
    spare = 0.1 * (high - low).max() + 2
    low, high = np.maximum(low - spare, 0), np.minimum(high + spare, (width - 1, height - 1))
    return tuple(int(value) for value in np.round([*low, *high]))
