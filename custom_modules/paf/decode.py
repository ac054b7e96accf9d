"""From maps to people: the steps put together, and the settings by which the known decoders differ."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..skeletons import Skeleton
from .assembly import assemble_people
from .limbs import connect_limbs
from .maps import cells_to_pixels
from .peaks import find_peaks


@dataclass(frozen=True)
class DecodeSettings:
    """Everything by which decoders differ. Lengths are input pixels, so that they mean the same at every stride.

    Args:
        upsample: factor by which the maps are enlarged (bicubic) before anything else.
        smoothing: sigma of a Gaussian over the enlarged heatmaps, 0 for none.
        peak_threshold, neighbours, subpixel: see :func:`find_peaks`.
        peak_distance: of two peaks of a part closer than this only the higher is kept.
        samples, paf_threshold, pass_ratio, mean_of_passing: see :func:`connect_limbs`.
        length_prior: limbs longer than half the picture's height lose score in proportion.
        short_limb: ends closer than this are joined whatever the field says.
        merge, best_first: see :func:`assemble_people`.
        min_parts: people with fewer parts are dropped.
        min_score: people whose score a part is lower are dropped.
        rank_by_sum: people's scores are sums over their parts and limbs; False divides by the number of parts.
    """

    upsample: int = 1
    smoothing: float = 0.0
    peak_threshold: float = 0.1
    neighbours: int = 8
    subpixel: str = 'parabola'
    peak_distance: float = 0.0
    samples: int | None = 10
    paf_threshold: float = 0.05
    pass_ratio: float = 0.6
    mean_of_passing: bool = False
    length_prior: bool = True
    short_limb: float = 8.0
    merge: bool = True
    best_first: bool = False
    min_parts: int = 3
    min_score: float = 0.2
    rank_by_sum: bool = True


DECODERS: dict[str, DecodeSettings] = dict(
    default=DecodeSettings(),
    # The authors' MATLAB evaluation on COCO, connect56LineVec.m.
    matlab=DecodeSettings(
        upsample=8, neighbours=4, subpixel='none', peak_distance=6, pass_ratio=0.8, mean_of_passing=True,
        short_limb=0, merge=False, min_parts=3, min_score=0.2,
    ),
    # The authors' Python notebook and the PyTorch ports of it.
    python=DecodeSettings(
        upsample=8, smoothing=3, neighbours=4, subpixel='none', pass_ratio=0.8,
        short_limb=0, min_parts=4, min_score=0.4, rank_by_sum=False,
    ),
    # C++ OpenPose with its default flags; ends closer than about 1/150 of the picture's diagonal are joined there too.
    openpose=DecodeSettings(
        upsample=8, peak_threshold=0.05, subpixel='centroid', samples=None, pass_ratio=0.95, length_prior=False,
        short_limb=3, best_first=True, min_parts=3, min_score=0.4, rank_by_sum=False,
    ),
    # Osokin's lightweight OpenPose.
    lightweight=DecodeSettings(
        upsample=4, neighbours=4, subpixel='none', peak_distance=6, pass_ratio=0.8, mean_of_passing=True,
        length_prior=False, short_limb=0, min_parts=3, min_score=0.2,
    ),
)  # fmt: skip


def decode_people(
    heatmaps: np.ndarray,
    pafs: np.ndarray,
    skeleton: Skeleton,
    stride: float,
    settings: DecodeSettings = DECODERS['default'],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the people in one picture's maps.

    Args:
        heatmaps: (K + 1, H, W), background last, or (K, H, W).
        pafs: (2 L, H, W) in the order of the skeleton's limbs.
        stride: input pixels a cell.

    Returns:
        keypoints (P, K, 2) in input pixels, (0, 0) where a part is missing; keypoint_scores (P, K), 0 where it is
        missing; instance_scores (P,), best first.
    """
    count = len(skeleton.keypoints)
    heatmaps = np.asarray(heatmaps[:count], dtype=np.float32)
    pafs = np.asarray(pafs, dtype=np.float32)
    if settings.upsample != 1:
        heatmaps, pafs = _enlarge(heatmaps, settings.upsample), _enlarge(pafs, settings.upsample)
        stride = stride / settings.upsample
    field_height = heatmaps.shape[1]
    peaks = find_peaks(
        _smooth(heatmaps, settings.smoothing / stride) if settings.smoothing else heatmaps,
        settings.peak_threshold,
        settings.neighbours,
        settings.subpixel,
        settings.peak_distance / stride,
    )
    connections = connect_limbs(
        pafs,
        peaks,
        skeleton.limbs,
        settings.samples,
        settings.paf_threshold,
        settings.pass_ratio,
        settings.mean_of_passing,
        long_limb=0.5 * field_height if settings.length_prior else None,
        short_limb=settings.short_limb / stride,
        pixel=1 / stride,
    )
    members, limb_scores = assemble_people(peaks, connections, skeleton, settings.merge, settings.best_first)

    found = members >= 0
    keypoints = np.zeros((len(members), count, 2))
    keypoint_scores = np.zeros((len(members), count))
    keypoints[found] = cells_to_pixels(peaks.xy[members[found]], stride)
    keypoint_scores[found] = peaks.score[members[found]]

    parts = found.sum(axis=1)
    total = keypoint_scores.sum(axis=1) + limb_scores
    mean = total / np.maximum(parts, 1)
    kept = (parts >= settings.min_parts) & (mean >= settings.min_score)
    instance_scores = total / (count + len(skeleton.limbs)) if settings.rank_by_sum else mean
    order = np.flatnonzero(kept)
    order = order[np.argsort(-instance_scores[order], kind='stable')]
    return (
        keypoints[order].astype(np.float32),
        keypoint_scores[order].astype(np.float32),
        instance_scores[order].astype(np.float32),
    )


def _enlarge(maps: np.ndarray, factor: int) -> np.ndarray:
    size = (maps.shape[2] * factor, maps.shape[1] * factor)
    return np.stack([cv2.resize(map_, size, interpolation=cv2.INTER_CUBIC) for map_ in maps])


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(map_, (0, 0), sigma) for map_ in maps])
