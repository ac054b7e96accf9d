"""Peaks and limb scores of a whole batch on the device where the maps are; only the assembly on the CPU.

The same algorithm as ``find_peaks`` and ``score_limbs``, as tensor operations without a loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from classicpose.paf.decode import people_from_candidates
from classicpose.paf.limbs import Candidates, Connections
from classicpose.paf.peaks import LOG_FLOOR, Peaks
from classicpose.paf.settings import DecodeSettings
from classicpose.skeletons import Skeleton

_BEFORE = ((-1, -1), (-1, 0), (-1, 1), (0, -1))


def decode_batch(
    heatmaps: torch.Tensor,
    pafs: torch.Tensor,
    skeleton: Skeleton,
    stride: float,
    settings: DecodeSettings,
    sizes: Sequence[tuple[int, int]] | None = None,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Find the people in the maps of several images.

    Args:
        heatmaps: (B, K + 1, H, W), background last, or (B, K, H, W).
        pafs: (B, 2 L, H, W) in the order of the skeleton's limbs.
        stride: input pixels a cell.
        settings: of those for which ``DecodeSettings.batched`` holds.
        sizes: (W, H) of each image's own part of the maps, at the top left; all of it without it.

    Returns:
        For each image what ``decode_people`` returns.

    Raises:
        ValueError: when there are not as many sizes as images.
    """
    keypoints = len(skeleton.keypoints)
    heatmaps = heatmaps[:, :keypoints].float()
    batch, _, height, width = heatmaps.shape
    if not batch:
        return []
    sizes = [(width, height)] * batch if sizes is None else list(sizes)
    if len(sizes) != batch:
        raise ValueError(f'{len(sizes)} sizes for {batch} images')
    sizes = torch.tensor(sizes, device=heatmaps.device)
    columns = torch.arange(width, device=heatmaps.device) >= sizes[:, :1]
    rows = torch.arange(height, device=heatmaps.device) >= sizes[:, 1:]
    outside = (rows[:, :, None] | columns[:, None, :])[:, None]
    image, keypoint, xy, score = _find_peaks(heatmaps.masked_fill(outside, -torch.inf), settings)
    counts = torch.bincount(image * keypoints + keypoint, minlength=batch * keypoints)
    limb, start, end, pairs = _pairs(counts.view(batch, keypoints), torch.tensor(skeleton.limbs, device=counts.device))
    limb_score, middle = _score_pairs(
        pafs.float().masked_fill(outside, 0),
        image[start] if len(start) else start,
        limb,
        xy,
        score,
        start,
        end,
        sizes,
        stride,
        settings,
    )
    accepted = limb_score > 0
    found = limb_score[accepted], limb[accepted], start[accepted], end[accepted], image[start[accepted]]

    peaks = Peaks(*(values.cpu().numpy() for values in (keypoint, xy, score)))
    peak_ends = counts.view(batch, keypoints).sum(dim=1).cumsum(dim=0).tolist()
    pair_ends = pairs.sum(dim=1).cumsum(dim=0).tolist()
    limb_score, limb, start, end, owner = (values.cpu().numpy() for values in found)
    middle = middle.cpu().numpy()
    people = []
    for index in range(batch):
        first, last = ([0, *peak_ends][index], peak_ends[index])
        own = owner == index
        connections = Connections(limb[own], start[own] - first, end[own] - first, limb_score[own])
        people.append(
            people_from_candidates(
                Peaks(*(values[first:last] for values in peaks)),
                Candidates(connections, middle[[0, *pair_ends][index] : pair_ends[index]]),
                skeleton,
                stride,
                settings,
            )
        )
    return people


def _find_peaks(heatmaps: torch.Tensor, settings: DecodeSettings) -> tuple[torch.Tensor, ...]:
    """Image (M,), keypoint (M,), position (M, 2) in cells and height (M,) of all peaks, in this order."""
    height, width = heatmaps.shape[2:]
    padded = F.pad(heatmaps, (1, 1, 1, 1), value=-torch.inf)

    def shifted(down: int, right: int) -> torch.Tensor:
        return padded[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]

    values = shifted(0, 0)
    is_peak = values > settings.lowest_peak
    for down, right in _BEFORE:
        if settings.neighbours == 8 or 0 in (down, right):
            is_peak &= values > shifted(down, right)
            is_peak &= values >= shifted(-down, -right)
    image, keypoint, row, column = is_peak.nonzero(as_tuple=True)
    score = heatmaps[image, keypoint, row, column].double()
    kept = _highest(image * heatmaps.shape[1] + keypoint, score, settings.max_peaks)
    image, keypoint, row, column, score = (values[kept] for values in (image, keypoint, row, column, score))
    xy = torch.stack([column, row], dim=1).double()
    if settings.subpixel == 'parabola':
        for axis, (down, right) in enumerate([(0, 1), (1, 0)]):
            before, after = (
                padded[image, keypoint, row + 1 + sign * down, column + 1 + sign * right].double() for sign in (-1, 1)
            )
            inside = ~(torch.isinf(before) | torch.isinf(after))
            before, after = ((side / score).clamp(min=LOG_FLOOR).log() for side in (before, after))
            curvature = before + after
            offset = torch.where(curvature < 0, 0.5 * (before - after) / curvature, 0).clamp(-0.5, 0.5)
            xy[:, axis] += torch.where(inside, offset, 0)
    return image, keypoint, xy, score


def _highest(group: torch.Tensor, score: torch.Tensor, count: int) -> torch.Tensor:
    """The indices, in order, of the ``count`` highest peaks of each group; groups are in order."""
    by_score = torch.argsort(score, descending=True, stable=True)
    order = by_score[torch.argsort(group[by_score], stable=True)]
    rank = torch.arange(len(order), device=group.device) - torch.searchsorted(group, group)
    return order[rank < count].sort().values


def _pairs(counts: torch.Tensor, limbs: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Kind, start and end of all pairs of peaks that a limb could join, and (B, L) how many there are."""
    batch, keypoints = counts.shape
    first = (counts.flatten().cumsum(dim=0) - counts.flatten()).view(batch, keypoints)
    ends = counts[:, limbs[:, 1]]
    pairs = counts[:, limbs[:, 0]] * ends
    flat = pairs.flatten()
    which = torch.repeat_interleave(torch.arange(len(flat), device=flat.device), flat)
    index = torch.arange(len(which), device=flat.device) - (flat.cumsum(dim=0) - flat)[which]
    columns = ends.flatten()[which]
    start = first[:, limbs[:, 0]].flatten()[which] + torch.div(index, columns, rounding_mode='floor')
    end = first[:, limbs[:, 1]].flatten()[which] + index % columns
    return which % len(limbs), start, end, pairs


def _score_pairs(
    pafs: torch.Tensor,
    image: torch.Tensor,
    limb: torch.Tensor,
    xy: torch.Tensor,
    height: torch.Tensor,
    start: torch.Tensor,
    end: torch.Tensor,
    sizes: torch.Tensor,
    stride: float,
    settings: DecodeSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(T,) the pairs' scores, 0 for those that are no limbs, and (T,) the field in their middle."""
    along = xy[end] - xy[start]
    length = along.norm(dim=1).clamp(min=1e-9)
    middle = _projections(pafs, image, limb, xy[start], along, length, xy.new_tensor([0.5]))[:, 0]
    scores = torch.zeros_like(middle)
    threshold = torch.tensor(settings.peak_threshold, device=height.device)
    likely = ((height[start] > threshold) & (height[end] > threshold)).nonzero()[:, 0]

    fractions = torch.arange(settings.samples, device=xy.device) / max(settings.samples - 1, 1)
    length = length[likely]
    samples = _projections(
        pafs, image[likely], limb[likely], xy[start[likely]], along[likely], length, fractions.double()
    )
    passes = samples > settings.paf_threshold
    passed = passes.sum(dim=1)
    if settings.mean_of_passing:
        score = torch.where(passes, samples, 0).sum(dim=1) / passed.clamp(min=1)
    else:
        score = samples.mean(dim=1)
    if settings.length_prior:
        long_limb = 0.5 * sizes[image[likely], 1]
        score = score + (long_limb / length - 1).clamp(max=0)
    score = torch.where(passed > settings.pass_ratio * settings.samples, score, 0).nan_to_num(0).clamp(min=0)
    short = length < settings.short_limb / stride
    score = torch.where(short, score.clamp(min=settings.paf_threshold), score)
    if settings.part_evidence:
        score = score * (height[start[likely]] * height[end[likely]]).sqrt()
    scores[likely] = score
    return scores, middle


def _projections(
    pafs: torch.Tensor,
    image: torch.Tensor,
    limb: torch.Tensor,
    start: torch.Tensor,
    along: torch.Tensor,
    length: torch.Tensor,
    fractions: torch.Tensor,
) -> torch.Tensor:
    """(C, S) the fields' component along each line at fractions of its way, bilinear between cells."""
    rows, columns = pafs.shape[2:]
    points = start[:, None] + fractions[:, None] * along[:, None]
    x = points[..., 0].clamp(0, columns - 1)
    y = points[..., 1].clamp(0, rows - 1)
    left, top = x.long(), y.long()
    right, below = (left + 1).clamp(max=columns - 1), (top + 1).clamp(max=rows - 1)
    x, y = x - left, y - top
    projection = 0
    for component in (0, 1):
        channel = (2 * limb + component)[:, None]
        where = image[:, None], channel
        value = (pafs[(*where, top, left)] * (1 - x) + pafs[(*where, top, right)] * x) * (1 - y)
        value = value + (pafs[(*where, below, left)] * (1 - x) + pafs[(*where, below, right)] * x) * y
        projection = projection + value * along[:, None, component]
    return projection / length[:, None]
