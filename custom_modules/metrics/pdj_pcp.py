"""PDJ and PCP as metrics of single-person, top-down estimators."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmpose.registry import METRICS

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10, Skeleton, get_skeleton

from .joints import auc, pcp, pdj, torso_box_diameters, torso_diameters

# The curve published beside single numbers: 0 to 0.5 torso diameters, a hundredth apart.
_CURVE = np.arange(51) / 100

_LIMB_NAMES = {
    frozenset(('shoulder', 'elbow')): 'upper_arm',
    frozenset(('elbow', 'wrist')): 'lower_arm',
    frozenset(('hip', 'knee')): 'upper_leg',
    frozenset(('knee', 'ankle')): 'lower_leg',
}


class _PeopleMetric(BaseMetric):
    """Gathers one predicted and one annotated person a sample, and reports shares by name.

    A sample is what MMPose's TopdownPoseEstimator returns, as MMEngine's Evaluator passes it on:
    ``pred_instances.keypoints`` (1, K, 2), ``gt_instances.keypoints`` (1, K, 2), both in pixels of the image, and
    ``gt_instances.keypoints_visible`` (1, K), above 0 where labelled; arrays or tensors.

    What is not finite in the prediction is wrong, what is not finite in the ground truth is unlabelled. With ``stage``
    it is ``pred_instances.stage_keypoints`` (1, S, K, 2) of that stage, counted from 1, that is judged.
    """

    def __init__(self, skeleton: Skeleton | str = FLIC10, stage: int | None = None, **kwargs: object) -> None:
        self.skeleton = get_skeleton(skeleton)
        self.stage = stage
        super().__init__(**kwargs)

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Take over one batch's people, one entry of ``results`` a sample."""
        self.results.extend(self._person(sample) for sample in data_samples)

    def _person(self, sample: dict) -> dict[str, np.ndarray]:
        pred = _float_array(self._predicted(sample['pred_instances']))[..., :2]
        gt = _float_array(sample['gt_instances']['keypoints'])[..., :2]
        expected = (1, len(self.skeleton.keypoints), 2)
        for what, keypoints in (('prediction', pred), ('ground truth', gt)):
            if keypoints.shape != expected:
                raise UserError(
                    f'{type(self).__name__}: a {what} of shape {keypoints.shape} where {self.skeleton.name} needs '
                    f'{expected}: one person a sample, and the skeleton of the data'
                )
        visible = _float_array(sample['gt_instances']['keypoints_visible']).reshape(1, expected[1], -1)[..., :1]
        return dict(pred=pred, gt=np.where(visible > 0, gt, np.nan))

    def _predicted(self, people: dict) -> np.ndarray | torch.Tensor:
        if self.stage is None:
            return people['keypoints']
        stages = people['stage_keypoints']
        if self.stage > stages.shape[1]:
            raise UserError(f'{type(self).__name__}: stage {self.stage} of a cascade of {stages.shape[1]}')
        return stages[:, self.stage - 1]

    def compute_metrics(self, results: list[dict[str, np.ndarray]]) -> dict[str, float]:
        """Shares of all people, by name.

        Raises:
            UserError: when there is nobody to judge by.
        """
        people = {
            name: np.concatenate([person[name] for person in results]) for name in (results[0] if results else ())
        }
        report = self._report(**people) if people else {}
        if not report:
            raise UserError(
                f'{type(self).__name__}: none of {len(results)} people has labels on what is measured: check '
                f'keypoints_visible, and that the data is of {self.skeleton.name}'
            )
        return report

    @abstractmethod
    def _report(self, **people: np.ndarray) -> dict[str, float]:
        """Shares by name from what ``_person`` gathered, concatenated; empty when there is nothing to judge by."""


@METRICS.register_module()
class PDJ(_PeopleMetric):
    """Percentage of detected joints (Sapp & Taskar, CVPR 2013; Toshev & Szegedy, CVPR 2014), see ``joints.pdj``.

    Reports, as shares from 0 to 1, for each threshold: every joint (``pdj/left_elbow@0.2``), left and right averaged
    (``pdj/elbow@0.2``) and the mean of all joints (``pdj/mean@0.2``); besides ``pdj/auc``, the area under the mean's
    curve from 0 to 0.5 in steps of 0.01, where 1 is perfection. ``thresholds=[t / 100 for t in range(51)]`` reports the
    curve itself. Joints that nobody has labelled are left out.

    Whether left is the person's or the observer's is the ground truth's affair: on FLIC published
    numbers are observer-centric, and the person-centric ones of the same predictions up to 5 points
    lower, see ``skeletons.observer_centric``.

    Args:
        thresholds: shares of the torso diameter. Most papers publish 0.2.
        normalize: the torso diameter. 'torso' is the distance from the left shoulder to the right hip, as annotated,
            'predicted_torso' the same distance as predicted, 'torso_box' the diagonal of ``gt_instances.torso_boxes``
            (1, 4), x1, y1, x2, y2.
        skeleton: the body model of predictions and ground truth.
        stage: the stage of a cascade, from 1, whose predictions are measured; None measures the last stage's.
        kwargs: those of MMEngine's BaseMetric: ``prefix``, ``collect_device``, ...

    Raises:
        UserError: when ``normalize`` is none of these, or samples are not what it and the skeleton need.
    """

    default_prefix = 'pdj'

    def __init__(
        self,
        thresholds: Sequence[float] = (0.05, 0.1, 0.2),
        normalize: str = 'torso',
        skeleton: Skeleton | str = FLIC10,
        stage: int | None = None,
        **kwargs: object,
    ) -> None:
        if normalize not in _DIAMETERS:
            raise UserError(f'PDJ: normalize is {normalize!r} where {", ".join(_DIAMETERS)} are known')
        super().__init__(skeleton, stage, **kwargs)
        self.thresholds = tuple(float(threshold) for threshold in thresholds)
        self.normalize = normalize

    def _person(self, sample: dict) -> dict[str, np.ndarray]:
        person = super()._person(sample)
        if self.normalize == 'torso_box':
            if 'torso_boxes' not in sample['gt_instances']:
                raise UserError(
                    "PDJ: normalize='torso_box' needs torso_boxes in gt_instances: pack them, or use normalize='torso'"
                )
            person['torso_boxes'] = _float_array(sample['gt_instances']['torso_boxes']).reshape(1, 4)
        return person

    def _report(self, pred: np.ndarray, gt: np.ndarray, **boxes: np.ndarray) -> dict[str, float]:
        diameters = _DIAMETERS[self.normalize](pred=pred, gt=gt, skeleton=self.skeleton, **boxes)
        left_out = int((~(np.isfinite(diameters) & (diameters > 0))).sum())
        if left_out:
            print_log(f'PDJ: {left_out} of {len(gt)} people have no torso diameter and are left out.', 'current')
        curve = pdj(pred, gt, diameters, _CURVE)
        evaluated = ~np.isnan(curve[0])
        if not evaluated.any():
            return {}
        report = {}
        for threshold, shares in zip(self.thresholds, pdj(pred, gt, diameters, self.thresholds), strict=True):
            named = _by_name(self.skeleton.keypoints, shares)
            report |= {f'{name}@{threshold:g}': share for name, share in named.items()}
        return report | dict(auc=float(auc(_CURVE, curve[:, evaluated].mean(axis=1))))


@METRICS.register_module()
class PCP(_PeopleMetric):
    """Percentage of correct parts (Ferrari et al., CVPR 2008), strict and loose, see ``joints.pcp``.

    Reports, as shares from 0 to 1, under ``pcp/strict/`` and ``pcp/loose/``: every limb (``left_upper_arm``), left
    and right averaged (``upper_arm``) and the ``mean`` of all limbs of the skeleton. Arms and legs have names, other
    limbs are called after their ends, as ``left_shoulder-hip`` or ``shoulder-shoulder``. Limbs that nobody has
    labelled are left out.

    FLIC's literature compares ``upper_arm`` and ``lower_arm``; ``mean`` includes the line between the eyes, which is
    short, so that hardly anything is within half of it.

    Args:
        threshold: the largest error, as a share of the limb's true length.
        skeleton: the body model of predictions and ground truth.
        stage: the stage of a cascade, from 1, whose predictions are measured; None measures the last stage's.
        kwargs: those of MMEngine's BaseMetric: ``prefix``, ``collect_device``, ...

    Raises:
        UserError: when samples are not what the skeleton needs.
    """

    default_prefix = 'pcp'

    def __init__(
        self, threshold: float = 0.5, skeleton: Skeleton | str = FLIC10, stage: int | None = None, **kwargs: object
    ) -> None:
        super().__init__(skeleton, stage, **kwargs)
        self.threshold = threshold

    def _report(self, pred: np.ndarray, gt: np.ndarray) -> dict[str, float]:
        names = [_limb_name(*(self.skeleton.keypoints[joint] for joint in limb)) for limb in self.skeleton.limbs]
        report = {}
        for convention in ('strict', 'loose'):
            shares = pcp(pred, gt, self.skeleton.limbs, self.threshold, strict=convention == 'strict')
            report |= {f'{convention}/{name}': share for name, share in _by_name(names, shares).items()}
        return report


def _annotated_torsos(gt: np.ndarray, skeleton: Skeleton, **_: np.ndarray) -> np.ndarray:
    return torso_diameters(gt, skeleton)


def _predicted_torsos(pred: np.ndarray, skeleton: Skeleton, **_: np.ndarray) -> np.ndarray:
    """A torso of length zero gets the smallest diameter there is, so that the person's joints are wrong.

    Otherwise a network that predicts one point for everything would be excused.
    """
    diameters = torso_diameters(pred, skeleton)
    return np.where(np.isfinite(diameters) & (diameters > 0), diameters, np.finfo(np.float32).tiny)


def _annotated_boxes(torso_boxes: np.ndarray, **_: np.ndarray) -> np.ndarray:
    return torso_box_diameters(torso_boxes)


_DIAMETERS = dict(torso=_annotated_torsos, torso_box=_annotated_boxes, predicted_torso=_predicted_torsos)


def _by_name(names: Sequence[str], shares: np.ndarray) -> dict[str, float]:
    """Shares by name, the means of ``left_x`` and ``right_x`` by ``x``, and the mean of all; NaN is left out."""
    groups = defaultdict(list)
    for name, share in zip(names, shares, strict=True):
        if not np.isnan(share):
            for group in dict.fromkeys((name, _split_side(name)[1])):
                groups[group].append(share)
            groups['mean'].append(share)
    return {name: float(np.mean(members)) for name, members in groups.items()}


def _limb_name(start: str, end: str) -> str:
    (start_side, start_part), (end_side, end_part) = _split_side(start), _split_side(end)
    if start_side and end_side and start_side != end_side and start_part != end_part:
        return f'{start}-{end}'  # a diagonal: the name without sides is that of the limbs beside it
    part = _LIMB_NAMES.get(frozenset((start_part, end_part)), f'{start_part}-{end_part}')
    sides = {start_side, end_side} - {''}
    return ''.join(sides) + part if len(sides) == 1 else part


def _split_side(name: str) -> tuple[str, str]:
    for side in ('left_', 'right_'):
        if name.startswith(side):
            return side, name.removeprefix(side)
    return '', name


def _float_array(values: np.ndarray | torch.Tensor) -> np.ndarray:
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().double()
    return np.asarray(values, dtype=np.float64)
