"""Noticing, while a model is validated, that it answers the same whatever it sees.

Symbols: N people, K joints.

Convention: positions are (x, y) relative to the window in which the network sees a person, the origin at its centre,
its longer side the unit. An unlabelled joint is NaN in the truth; nothing is measured there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from warnings import catch_warnings, simplefilter

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample
from torch import nn

from ..wrapping import unwrapped

# A joint whose predictions are spread by less than this share of the truth's spread hardly varies: even the best guess
# of a network that explains 4 % of the variance is spread more.
_FROZEN = 0.2
# Two joints that are on average closer than this share of their true distance are predicted at one point.
_MERGED = 0.1
# A heatmap learns a peak of 1. One below this has none; more than this share of such heatmaps is worth a warning.
_PEAK = 0.1
_PEAKLESS = 0.5
# Fewer people tell nothing: of two or three, any pose is the mean.
_PEOPLE = 8


@dataclass(frozen=True)
class PredictionStatistics:
    """What of predictions tells a model that has learnt something from one that has not.

    Args:
        frozen: (K,) whether a joint's predictions hardly vary between people.
        merged: (K,) whether a joint is predicted where another one is.
        peakless: share of the heatmaps without a peak; 0 without heatmaps.
        distance: mean distance of the predictions from the truth.
        mean_pose_distance: the same for the mean of all true poses in place of every prediction.
    """

    frozen: np.ndarray
    merged: np.ndarray
    peakless: float
    distance: float
    mean_pose_distance: float


def measure(predicted: np.ndarray, truth: np.ndarray, peaks: np.ndarray | None = None) -> PredictionStatistics:
    """The statistics of predictions (N, K, 2) against the truth (N, K, 2).

    Joints labelled in fewer than eight people are left out. A prediction that is no number counts as the centre.

    Args:
        peaks: (N, K) the heatmaps' maxima, for a model that has heatmaps.
    """
    labelled = np.isfinite(truth).all(axis=-1)
    labelled &= labelled.sum(axis=0) >= _PEOPLE
    truth = np.where(labelled[..., None], truth, np.nan)
    predicted = np.where(labelled[..., None], np.nan_to_num(predicted, posinf=0, neginf=0), np.nan)
    with catch_warnings():
        simplefilter('ignore', RuntimeWarning)  # a joint left out: its means are NaN, and NaN is less than nothing
        return PredictionStatistics(
            frozen=spread(predicted) < _FROZEN * spread(truth),
            merged=(distances_between(predicted) < _MERGED * distances_between(truth)).any(axis=0),
            peakless=0.0 if peaks is None or not labelled.any() else float((peaks[labelled] < _PEAK).mean()),
            distance=mean_distance(predicted, truth),
            mean_pose_distance=mean_distance(np.broadcast_to(np.nanmean(truth, axis=0), truth.shape), truth),
        )


def spread(positions: np.ndarray) -> np.ndarray:
    """(K,) root mean square distance of each joint of (N, K, 2) from its own mean over the people; NaN is left out."""
    offsets = positions - np.nanmean(positions, axis=0)
    return np.sqrt(np.nanmean((offsets**2).sum(axis=-1), axis=0))


def distances_between(positions: np.ndarray) -> np.ndarray:
    """(K, K) mean distance over the people between two joints of (N, K, 2); NaN is left out."""
    return np.stack([np.nanmean(_lengths(positions - joint), axis=0) for joint in positions.swapaxes(0, 1)[:, :, None]])


def mean_distance(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Mean over people and joints of the distance between (N, K, 2) and (N, K, 2); NaN is left out."""
    return float(np.nanmean(_lengths(predicted - truth)))


def _lengths(vectors: np.ndarray) -> np.ndarray:
    return np.hypot(vectors[..., 0], vectors[..., 1])


def explain(statistics: PredictionStatistics, names: Sequence[str]) -> str | None:
    """One sentence on what is wrong and its likely causes; None where nothing is.

    Args:
        names: of the K joints.
    """
    findings, causes = [], []
    if statistics.frozen.any():
        findings.append(f'{_listed(statistics.frozen, names)} hardly vary between people')
    if statistics.merged.any():
        findings.append(f'{_listed(statistics.merged, names)} are predicted where another joint is')
    if statistics.peakless > _PEAKLESS:
        findings.append(f'{statistics.peakless:.0%} of the heatmaps have no peak (maximum below {_PEAK})')
        causes.append('a heatmap loss that the background dominates')
    if findings:
        causes += ['a learning rate that is far too small or too large', 'coordinates that are not normalised']
    if statistics.distance >= statistics.mean_pose_distance:
        findings.append(
            f'the mean distance to the truth, {statistics.distance:.3f} of the crop, is no better than that of the '
            f'mean pose, {statistics.mean_pose_distance:.3f}'
        )
        causes = causes or ['left and right exchanged', "coordinates in another frame than the annotations'"]
    if not findings:
        return None
    return (
        f'Something is wrong with the predictions: {"; ".join(findings)}; likely causes, unless training has only '
        f'begun: {", ".join(causes)}.'
    )


def _listed(affected: np.ndarray, names: Sequence[str]) -> str:
    few = [name for name, yes in zip(names, affected, strict=True) if yes]
    return f'{len(few)} of {len(names)} joints' + (f' ({", ".join(few)})' if len(few) <= 3 else '')


@HOOKS.register_module(name=['PredictionCheckHook', 'PredictionWatchHook'])
class PredictionCheckHook(Hook):
    """Warns after a validation or a test whose predictions have collapsed, see ``explain``.

    It watches models that see one person at a time, in a crop (``input_center`` and ``input_scale``) or in the person's
    box, and says nothing about others, or about fewer than eight people.
    """

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        self._people: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def _after_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[PoseDataSample] | None = None,
        mode: str = 'train',
    ) -> None:
        if mode != 'train':
            self._people += [_in_window(sample) for sample in outputs if _is_one_person(sample)]

    def _after_epoch(self, runner: Runner, mode: str = 'train') -> None:
        if mode == 'train':
            return
        people = [person for shard in all_gather_object(self._people) for person in shard]
        if len(people) < _PEOPLE or not is_main_process():
            return
        predicted, truth, scores = (np.stack(arrays) for arrays in zip(*people, strict=True))
        statistics = measure(predicted, truth, scores if _has_heatmaps(runner.model) else None)
        loop = runner.val_loop if mode == 'val' else runner.test_loop
        names = loop.dataloader.dataset.metainfo['keypoint_id2name']
        warning = explain(statistics, [names[joint] for joint in range(truth.shape[1])])
        if warning:
            # MMEngine's logger leaves out a warning that repeats another word for word.
            runner.logger.warning(f'{warning} (iteration {runner.iter})')


def _is_one_person(sample: PoseDataSample) -> bool:
    truth = sample.get('gt_instances', ())
    return 'keypoints' in truth and 'bboxes' in truth and len(truth) == 1 == len(sample.pred_instances)


def _in_window(sample: PoseDataSample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predicted and true positions (K, 2) relative to the window, and the scores (K,)."""
    people, found = sample.gt_instances, sample.pred_instances
    if 'input_scale' in sample:
        center, size = np.asarray(sample.input_center), np.asarray(sample.input_scale)
    else:
        low, high = np.asarray(people.bboxes[0]).reshape(2, 2)
        center, size = (low + high) / 2, high - low
    labelled = np.asarray(people.keypoints_visible[0]) > 0
    truth = np.where(labelled[:, None], people.keypoints[0], np.nan)
    predicted = np.asarray(found.keypoints[0])
    return (predicted - center) / size.max(), (truth - center) / size.max(), np.asarray(found.keypoint_scores[0])


def _has_heatmaps(model: nn.Module) -> bool:
    """Whether the head's codec makes heatmaps, so that a joint's score is a maximum of one."""
    head = getattr(unwrapped(model), 'head', None)
    return 'heatmaps' in getattr(getattr(head, 'decoder', None), 'field_mapping_table', ())
