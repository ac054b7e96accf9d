"""From maps to people: the steps put together, and the settings by which the known decoders differ."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..skeletons import Skeleton
from .assembly import assemble_people, complete_people
from .limbs import Candidates, match_one_to_one, score_limbs
from .maps import cells_to_pixels
from .peaks import Peaks, find_peaks

# In cells.
_TYPICAL_SIZE = 20.0


@dataclass(frozen=True)
class DecodeSettings:
    """Everything by which decoders differ. Lengths are input pixels, so that they mean the same at every stride.

    Args:
        upsample: factor by which the maps are enlarged (bicubic) before anything else.
        smoothing: sigma of a Gaussian over the enlarged heatmaps, 0 for none.
        peak_threshold, neighbours, subpixel, max_peaks: see :func:`find_peaks`.
        peak_distance: of two peaks of a keypoint closer than this only the higher is kept.
        samples, paf_threshold, pass_ratio, mean_of_passing, part_evidence: see :func:`score_limbs`.
        length_prior: limbs longer than half the image's height lose score in proportion.
        short_limb: ends closer than this are joined whatever the field says.
        merge, best_first: see :func:`assemble_people`.
        hint_threshold: missing keypoints are guessed from peaks down to this height, see :func:`complete_people`; None
            leaves them missing.
        min_parts: people with fewer keypoints, before completion, are dropped.
        min_score: people whose score a keypoint is lower are dropped.
        ranking: the instance score. 'mean' of keypoints and limbs over the keypoints found; 'sum' of them over all
            keypoints and limbs there could be; 'size' is that sum, weighed by how exactly a person of that size
            can be located.
    """

    upsample: int = 1
    smoothing: float = 0.0
    peak_threshold: float = 0.02
    neighbours: int = 8
    subpixel: str = 'parabola'
    peak_distance: float = 0.0
    max_peaks: int = 127
    samples: int | None = 10
    paf_threshold: float = 0.05
    pass_ratio: float = 0.6
    mean_of_passing: bool = False
    part_evidence: bool = True
    length_prior: bool = False
    short_limb: float = 8.0
    merge: bool = True
    best_first: bool = True
    hint_threshold: float | None = 0.002
    min_parts: int = 3
    min_score: float = 0.05
    ranking: str = 'size'

    @property
    def lowest_peak(self) -> float:
        """The height from which peaks are looked for at all."""
        return self.peak_threshold if self.hint_threshold is None else self.hint_threshold

    @property
    def batched(self) -> bool:
        """Whether :func:`decode_batch` can do it: nothing enlarged, no centroids."""
        return (
            self.upsample == 1
            and not self.smoothing
            and self.subpixel != 'centroid'
            and not self.peak_distance
            and self.samples is not None
        )


# What all the originals have in common, and the default has not.
_ORIGINAL = dict(
    peak_threshold=0.1,
    paf_threshold=0.05,
    part_evidence=False,
    best_first=False,
    hint_threshold=None,
    ranking='sum',
)
DECODERS: dict[str, DecodeSettings] = dict(
    default=DecodeSettings(),
    # The authors' MATLAB evaluation on COCO, connect56LineVec.m.
    matlab=DecodeSettings(
        **_ORIGINAL, upsample=8, neighbours=4, subpixel='none', peak_distance=6, pass_ratio=0.8, mean_of_passing=True,
        length_prior=True, short_limb=0, merge=False, min_parts=3, min_score=0.2,
    ),
    # The authors' Python notebook and the PyTorch ports of it.
    python=DecodeSettings(
        **_ORIGINAL | dict(ranking='mean'), upsample=8, smoothing=3, neighbours=4, subpixel='none', pass_ratio=0.8,
        length_prior=True, short_limb=0, min_parts=4, min_score=0.4,
    ),
    # C++ OpenPose with its default flags; ends closer than about 1/150 of the image's diagonal are joined there too.
    openpose=DecodeSettings(
        **_ORIGINAL | dict(peak_threshold=0.05, best_first=True, ranking='mean'), upsample=8, subpixel='centroid',
        samples=None, pass_ratio=0.95, short_limb=3, min_parts=3, min_score=0.4,
    ),
    # Osokin's lightweight OpenPose.
    lightweight=DecodeSettings(
        **_ORIGINAL, upsample=4, neighbours=4, subpixel='none', peak_distance=6, pass_ratio=0.8, mean_of_passing=True,
        short_limb=0, min_parts=3, min_score=0.2,
    ),
)  # fmt: skip


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
    peaks = _peaks(heatmaps, stride, settings, settings.lowest_peak)
    candidates = score_limbs(
        pafs,
        peaks,
        skeleton.limbs,
        settings.samples,
        settings.paf_threshold,
        settings.pass_ratio,
        settings.mean_of_passing,
        settings.part_evidence,
        long_limb=0.5 * heatmaps.shape[1] if settings.length_prior else None,
        short_limb=settings.short_limb / stride,
        pixel=1 / stride,
        peak_threshold=settings.peak_threshold,
    )
    return people_from_candidates(peaks, candidates, skeleton, stride, settings)


def part_candidates(
    heatmaps: np.ndarray, skeleton: Skeleton, stride: float, settings: DecodeSettings = DECODERS['default']
) -> list[np.ndarray]:
    """All peaks from which :func:`decode_people` starts people, whoever they belong to in the end.

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
    peaks = _peaks(heatmaps, stride, settings, settings.peak_threshold)
    rows = np.column_stack([cells_to_pixels(peaks.xy, stride), peaks.score]).astype(np.float32)
    return [rows[peaks.keypoint == keypoint] for keypoint in range(count)]


def _peaks(heatmaps: np.ndarray, stride: float, settings: DecodeSettings, threshold: float) -> Peaks:
    if settings.smoothing:
        heatmaps = _smooth(heatmaps, settings.smoothing / stride)
    return find_peaks(
        heatmaps,
        threshold,
        settings.neighbours,
        settings.subpixel,
        settings.peak_distance / stride,
        settings.max_peaks,
    )


def people_from_candidates(
    peaks: Peaks,
    candidates: Candidates,
    skeleton: Skeleton,
    stride: float,
    settings: DecodeSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The second half of :func:`decode_people`, which needs the maps no more."""
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


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(map_, (0, 0), sigma) for map_ in maps])
