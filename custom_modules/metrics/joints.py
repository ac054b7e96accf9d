"""How near predicted joints and limbs are to the annotated ones: PDJ and PCP as pure functions on arrays.

Symbols: N people, K joints, L limbs, T thresholds.

Convention: keypoints are (x, y) in pixels of one image; what is measured is a ratio of lengths, so any unit will do.
Results are shares from 0 to 1. Ground truth that is NaN is unlabelled and left out. A predicted NaN is a joint that was
not found, hence wrong. A joint or limb of which nobody has a label has no share: the functions return NaN for it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classicpose.skeletons import FLIC10, Skeleton, get_skeleton


def pdj(pred: np.ndarray, gt: np.ndarray, diameters: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Percentage of detected joints: whose error is no more than a share of the person's torso diameter.

    Sapp & Taskar, MODEC (CVPR 2013), with <= as in the evaluation code that the published numbers come from; Toshev &
    Szegedy, DeepPose (CVPR 2014), report it under this name.

    Args:
        pred: (N, K, 2).
        gt: (N, K, 2), NaN where unlabelled.
        diameters: (N,), see ``torso_diameters``. People whose diameter is 0, NaN or infinite are left out.
        thresholds: T shares of the diameter.

    Returns:
        (T, K), NaN for a joint of which nobody counts.
    """
    diameters = np.asarray(diameters, dtype=np.float64)
    errors = _distances(pred, gt)
    if diameters.shape != errors.shape[:1]:
        raise ValueError(f'{len(errors)} people but diameters of shape {diameters.shape}')
    usable = np.isfinite(diameters) & (diameters > 0)
    # Divided, not multiplied: 57 / 100 is 0.57 to the last bit, 0.57 * 100 is less than 57.
    errors = errors / np.where(usable, diameters, np.nan)[:, None]
    counted = usable[:, None] & _labelled(gt)
    shares = [_share(errors <= threshold, counted) for threshold in thresholds]
    return np.stack(shares) if shares else np.empty((0, errors.shape[1]))


def pcp(
    pred: np.ndarray, gt: np.ndarray, limbs: Sequence[tuple[int, int]], threshold: float = 0.5, strict: bool = True
) -> np.ndarray:
    """Percentage of correct parts: limbs whose ends are off by no more than a share of the limb's true length.

    Ferrari, Marin-Jimenez & Zisserman (CVPR 2008). Strict: both ends, as the definition reads and as DeepPose words it.
    Loose: the mean of the two ends' errors, as the evaluation code distributed with that paper computes it and as
    several published numbers are meant.

    Args:
        pred: (N, K, 2).
        gt: (N, K, 2), NaN where unlabelled.
        limbs: L pairs of joint indices.
        threshold: share of the limb's length.
        strict: both ends, else their mean.

    Returns:
        (L,), NaN for a limb of which nobody counts. Limbs of length zero, and those with an unlabelled end, do not.
    """
    starts, ends = np.asarray(limbs, dtype=int).reshape(-1, 2).T
    errors = _distances(pred, gt)
    gt = np.asarray(gt, dtype=np.float64)
    lengths = _distances(gt[:, starts], gt[:, ends])
    usable = np.isfinite(lengths) & (lengths > 0)
    error = np.maximum(errors[:, starts], errors[:, ends]) if strict else (errors[:, starts] + errors[:, ends]) / 2
    return _share(error / np.where(usable, lengths, np.nan) <= threshold, usable)


def auc(thresholds: Sequence[float], values: np.ndarray) -> np.ndarray:
    """Area under a curve by the trapezium rule, divided by its width: a curve that is 1 everywhere has area 1.

    Args:
        thresholds: T >= 2, ascending.
        values: (T, ...), the curve or curves.

    Returns:
        (...), between the curve's smallest and largest value; NaN where the curve is.
    """
    thresholds, values = np.asarray(thresholds, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if len(thresholds) < 2 or not (np.diff(thresholds) > 0).all():
        raise ValueError(f'a curve needs two ascending thresholds or more, not {thresholds}')
    if len(values) != len(thresholds):
        raise ValueError(f'{len(thresholds)} thresholds but {len(values)} values')
    middles = (values[1:] + values[:-1]) / 2
    return np.tensordot(np.diff(thresholds), middles, axes=1) / (thresholds[-1] - thresholds[0])


def torso_diameters(keypoints: np.ndarray, torso: Skeleton | str | tuple[int, int] = FLIC10) -> np.ndarray:
    """Distance from the left shoulder to the right hip, the unit of PDJ.

    Args:
        keypoints: (N, K, 2).
        torso: the body model the keypoints are of, or the indices of the two joints to use.

    Returns:
        (N,), NaN where one of the two is.
    """
    start, end = torso if _is_pair(torso) else _indices(torso, 'left_shoulder', 'right_hip')
    keypoints = np.asarray(keypoints, dtype=np.float64)
    return _distances(keypoints[:, start], keypoints[:, end])


def torso_box_diameters(boxes: np.ndarray) -> np.ndarray:
    """Diagonals (N,) of boxes (N, 4), given as x1, y1, x2, y2. FLIC has such a box around everybody's torso."""
    boxes = np.asarray(boxes, dtype=np.float64)
    return _distances(boxes[:, :2], boxes[:, 2:])


def _is_pair(torso: object) -> bool:
    return not isinstance(torso, (Skeleton, str))


def _indices(skeleton: Skeleton | str, *names: str) -> list[int]:
    skeleton = get_skeleton(skeleton)
    absent = [name for name in names if name not in skeleton.keypoints]
    if absent:
        raise ValueError(f'{skeleton.name} has no {" and no ".join(absent)}')
    return [skeleton.keypoints.index(name) for name in names]


def _labelled(gt: np.ndarray) -> np.ndarray:
    return np.isfinite(gt).all(axis=-1)


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(..., 2) and the same -> (...). Equal shapes are required: broadcasting would hide a missing person."""
    first, second = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if first.shape != second.shape or first.shape[-1:] != (2,):
        raise ValueError(f'keypoints of shapes {first.shape} and {second.shape} where (..., 2) and the same are needed')
    return np.hypot(first[..., 0] - second[..., 0], first[..., 1] - second[..., 1])


def _share(correct: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """The share of the counted people that are correct, (N, K) and (N, K) -> (K,)."""
    numbers = counted.sum(axis=0)
    return np.where(numbers > 0, (correct & counted).sum(axis=0) / np.maximum(numbers, 1), np.nan)
