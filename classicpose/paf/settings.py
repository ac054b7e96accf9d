"""The settings by which decoders differ, and the known decoders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeSettings:
    """Everything by which decoders differ. Lengths are input pixels, so that they mean the same at every stride.

    Args:
        upsample: factor by which the maps are enlarged (bicubic) before anything else.
        smoothing: sigma of a Gaussian over the enlarged heatmaps in which peaks are looked for, 0 for none. Their
            height is that of the heatmaps as they were.
        peak_threshold: a peak from which a person starts is higher than this.
        neighbours: 4 or 8, the cells that a peak must not be lower than.
        subpixel: 'none'; 'parabola' through the logarithms of the peak and its two neighbours along x and along y,
            exact for a Gaussian; 'centroid' of the 7 x 7 cells around.
        peak_distance: of two peaks of a keypoint closer than this only the higher is kept.
        max_peaks: only so many of a keypoint are kept, the highest: an untrained network has thousands. 127 is C++
            OpenPose's limit.
        samples: points on the line between two peaks, bilinear between cells; None takes C++ OpenPose's 5 to 25, by
            length.
        paf_threshold: what the field along the line must exceed for a sample to pass.
        pass_ratio: a limb needs more than this share of passing samples.
        mean_of_passing: a limb's score is the mean of the passing samples, not of all.
        part_evidence: it is multiplied by the geometric mean of its ends' heights.
        length_prior: limbs longer than half the image's height lose score in proportion; the originals add
            ``min(0.5 H / length - 1, 0)``.
        short_limb: ends closer than this are joined, with a score of ``paf_threshold`` at least: so short a line may
            miss all cells of the field.
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
        **_ORIGINAL, upsample=4, neighbours=4, subpixel='none', peak_distance=12, pass_ratio=0.8, mean_of_passing=True,
        short_limb=0, merge=False, min_parts=3, min_score=0.2,
    ),
)  # fmt: skip
