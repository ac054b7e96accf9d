"""From maps to people: the steps put together."""

from __future__ import annotations

import cv2
import numpy as np

from ..skeletons import Skeleton
from .assembly import assemble_people, complete_people
from .limbs import Candidates, match_one_to_one, score_limbs
from .maps import cells_to_pixels
from .peaks import Peaks, find_peaks
from .settings import DECODERS, DecodeSettings

# In cells.
_TYPICAL_SIZE = 20.0


def decode_people(
    heatmaps: np.ndarray,
    pafs: np.ndarray,
    skeleton: Skeleton,
    stride: float,
    settings: DecodeSettings = DECODERS['default'],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the people in one image's maps.

    Args:
        heatmaps: (K + 1, H, W), background last, or (K, H, W).
        pafs: (2 L, H, W) in the order of the skeleton's limbs.
        stride: input pixels a cell.

    Returns:
        keypoints (P, K, 2) in input pixels, (0, 0) where a keypoint is missing; keypoint_scores (P, K), 0 where it is
        missing or guessed; instance_scores (P,), best first.
    """
    count = len(skeleton.keypoints)
    heatmaps = np.asarray(heatmaps[:count], dtype=np.float32)
    pafs = np.asarray(pafs, dtype=np.float32)
    if settings.upsample != 1:
        heatmaps, pafs = _enlarge(heatmaps, settings.upsample), _enlarge(pafs, settings.upsample)
        stride = stride / settings.upsample
    peaks = find_peaks(heatmaps, stride, settings)
    candidates = score_limbs(pafs, peaks, skeleton.limbs, stride, settings)
    return people_from_candidates(peaks, candidates, skeleton, stride, settings)


def part_candidates(
    heatmaps: np.ndarray, skeleton: Skeleton, stride: float, settings: DecodeSettings = DECODERS['default']
) -> list[np.ndarray]:
    """All peaks from which ``decode_people`` starts people, whichever person they finally belong to.

    Args:
        heatmaps: (K + 1, H, W), background last, or (K, H, W).
        stride: input pixels a cell.

    Returns:
        For each keypoint (M, 3) float32: x and y in input pixels, and the score.
    """
    count = len(skeleton.keypoints)
    heatmaps = np.asarray(heatmaps[:count], dtype=np.float32)
    if settings.upsample != 1:
        heatmaps, stride = _enlarge(heatmaps, settings.upsample), stride / settings.upsample
    peaks = find_peaks(heatmaps, stride, settings)
    peaks = peaks.take(peaks.score > np.float32(settings.peak_threshold))
    rows = np.column_stack([cells_to_pixels(peaks.xy, stride), peaks.score]).astype(np.float32)
    return [rows[peaks.keypoint == keypoint] for keypoint in range(count)]


def people_from_candidates(
    peaks: Peaks,
    candidates: Candidates,
    skeleton: Skeleton,
    stride: float,
    settings: DecodeSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The second half of ``decode_people``, which no longer needs the maps."""
    connections = match_one_to_one(candidates.limbs)
    members, limb_scores = assemble_people(peaks, connections, skeleton, settings.merge, settings.best_first)
    found = (members >= 0).sum(axis=1)
    evidence = _at_peaks(peaks.score, members).sum(axis=1) + limb_scores
    mean = evidence / np.maximum(found, 1)
    kept = (found >= settings.min_parts) & (mean >= settings.min_score)
    members, evidence, mean = members[kept], evidence[kept], mean[kept]

    if settings.ranking == 'mean':
        instance_scores = mean
    else:
        instance_scores = evidence / (len(skeleton.keypoints) + len(skeleton.limbs))
        if settings.ranking == 'size':
            instance_scores = instance_scores * _size_weight(members, peaks)
    keypoint_scores = _at_peaks(peaks.score, members)
    if settings.hint_threshold is not None:
        members = complete_people(members, peaks, candidates.middle, skeleton)
    keypoints = _at_peaks(cells_to_pixels(peaks.xy, stride), members)
    order = np.argsort(-instance_scores, kind='stable')
    return tuple(values[order].astype(np.float32) for values in (keypoints, keypoint_scores, instance_scores))


def _at_peaks(values: np.ndarray, members: np.ndarray, missing: float = 0.0) -> np.ndarray:
    """(P, K, ...) the values (M, ...) of people's peaks."""
    result = np.full((*members.shape, *values.shape[1:]), missing)
    found = members >= 0
    result[found] = values[members[found]]
    return result


def _size_weight(members: np.ndarray, peaks: Peaks) -> np.ndarray:
    """(P,) in [0, 1): what is left of a person's similarity to the truth when keypoints are off by a cell or so.

    The similarity of COCO falls with the error over the person's size, and the error is the same for all sizes: it
    comes with the grid.
    """
    low = _at_peaks(peaks.xy, members, np.inf).min(axis=1)
    high = _at_peaks(peaks.xy, members, -np.inf).max(axis=1)
    size = np.sqrt((high - low + 1).prod(axis=1))
    return size / (size + _TYPICAL_SIZE)


def _enlarge(maps: np.ndarray, factor: int) -> np.ndarray:
    size = (maps.shape[2] * factor, maps.shape[1] * factor)
    return np.stack([cv2.resize(map_, size, interpolation=cv2.INTER_CUBIC) for map_ in maps])
