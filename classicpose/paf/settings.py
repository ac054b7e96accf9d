"""The settings by which decoders differ, and the known decoders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DecodeSettings:
    """All settings by which decoders differ. Lengths are in input pixels, so that they mean the same at every stride.

    Args:
        upsample: the decoder first enlarges the maps by this factor (bicubic).
        smoothing: the sigma of a Gaussian filter on the enlarged heatmaps; the decoder looks for peaks in the filtered
            heatmaps and takes their heights from the unfiltered ones. 0 filters nothing.
        peak_threshold: a person starts from peaks higher than this.
        neighbours: a peak is no lower than this many neighbouring cells, 4 or 8.
        subpixel: 'none' takes the cell's centre. 'parabola' fits a parabola to the logarithms of the peak and its two
            neighbours along x and along y, which is exact for a Gaussian. 'centroid' takes that of the 7 x 7 cells
            around the peak.
        peak_distance: where two peaks of a keypoint are closer than this, the decoder keeps the higher one.
        max_peaks: the decoder keeps this many peaks of a keypoint, the highest; an untrained network has thousands. 127
            is C++ OpenPose's limit.
        samples: the number of samples on the line between two peaks, bilinear between cells. None takes C++ OpenPose's
            5 to 25, by length.
        paf_threshold: a sample passes if the field along the line exceeds this.
        pass_ratio: a limb needs more than this share of passing samples.
        mean_of_passing: a limb's score is the mean of its passing samples, not of all samples.
        part_evidence: multiply a limb's score by the geometric mean of its two peaks' heights.
        length_prior: add ``min(0.5 H / length - 1, 0)`` to a limb's score, as the originals do: limbs longer than half
            the image's height H lose score.
        short_limb: join ends closer than this, with a score of at least ``paf_threshold``; so short a line may miss all
            cells of the field.
        merge: a limb between two people joins them if they share no keypoint.
        best_first: take the limbs of all kinds in the order of their scores, not kind by kind.
        hint_threshold: guess missing keypoints from peaks down to this height; None leaves them missing.
        min_parts: drop people with fewer keypoints than this, not counting guessed ones.
        min_score: drop people whose score per keypoint is lower than this.
        ranking: the score of a person. 'mean': the sum of keypoint and limb scores over the number of keypoints found.
            'sum': the same sum over the number of all keypoints and limbs of the body model. 'size': that value times a
            weight for how exactly a person of that size can be located.
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
        """Whether ``decode_batch`` can do it: nothing enlarged, no centroids."""
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
