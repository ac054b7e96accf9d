"""PDJ and PCP, the MMEngine classes: against the functions, and what they make of awkward people."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from joint_cases import evaluate, people, samples
from mmpose.registry import METRICS

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, FLIC10, LSP14, OPENPOSE18, Skeleton
from custom_modules.metrics import PCP, PDJ, pcp, pdj, torso_diameters


def test_the_classes_report_what_the_functions_say() -> None:
    pred, gt, _ = people(1, joints=10)
    report = evaluate([PDJ(), PCP()], samples(pred, gt))
    shares = dict(zip((0.05, 0.1, 0.2), pdj(pred, gt, torso_diameters(gt), (0.05, 0.1, 0.2)), strict=True))
    for threshold, row in shares.items():
        assert report[f'pdj/left_wrist@{threshold}'] == row[2]
        assert report[f'pdj/right_eye@{threshold}'] == row[9]
        for part, (left, right) in dict(shoulder=(0, 3), elbow=(1, 4), wrist=(2, 5), hip=(6, 7), eye=(8, 9)).items():
            assert report[f'pdj/{part}@{threshold}'] == pytest.approx((row[left] + row[right]) / 2, rel=1e-12)
        assert report[f'pdj/mean@{threshold}'] == pytest.approx(row.mean(), rel=1e-12)
    curve = [pdj(pred, gt, torso_diameters(gt), [step / 100]).mean() for step in range(51)]
    area = sum((left + right) / 2 * 0.01 for left, right in pairwise(curve)) / 0.5
    assert report['pdj/auc'] == pytest.approx(area, rel=1e-12)
    for convention in ('strict', 'loose'):
        row = pcp(pred, gt, FLIC10.limbs, strict=convention == 'strict')
        assert report[f'pcp/{convention}/left_upper_arm'] == row[0]
        assert report[f'pcp/{convention}/upper_arm'] == pytest.approx((row[0] + row[2]) / 2, rel=1e-12)
        assert report[f'pcp/{convention}/lower_arm'] == pytest.approx((row[1] + row[3]) / 2, rel=1e-12)
        assert report[f'pcp/{convention}/shoulder-hip'] == pytest.approx((row[4] + row[5]) / 2, rel=1e-12)
        assert [report[f'pcp/{convention}/{part}-{part}'] for part in ('shoulder', 'hip', 'eye')] == row[6:].tolist()
        assert report[f'pcp/{convention}/mean'] == pytest.approx(row.mean(), rel=1e-12)
    assert len(report) == 3 * (10 + 5 + 1) + 1 + 2 * (6 + 3 + 3 + 1)
    assert all(type(value) is float for value in report.values())


def test_perfect_predictions_have_one_everywhere() -> None:
    _, gt, _ = people(2, joints=10, unlabelled=0.1)
    report = evaluate([PDJ(), PCP()], samples(np.nan_to_num(gt), gt))
    assert set(report.values()) == {1.0}


@pytest.mark.parametrize('make', [torch.from_numpy, lambda array: torch.tensor(array, dtype=torch.float32)])
def test_tensors_are_as_good_as_arrays(make: Callable[[np.ndarray], torch.Tensor]) -> None:
    pred, gt, _ = people(1, joints=10)
    expected = evaluate([PDJ(), PCP()], samples(pred, gt))
    assert evaluate([PDJ(), PCP()], samples(pred, gt, make=make), batch=40) == pytest.approx(expected, rel=1e-12)


def test_a_second_evaluation_starts_afresh() -> None:
    pred, gt, _ = people(1, joints=10)
    metric = PDJ()
    first = evaluate(metric, samples(pred[:20], gt[:20]))
    second = evaluate(metric, samples(pred[20:], gt[20:]))
    assert first != second
    assert evaluate(metric, samples(pred[:20], gt[:20])) == first


def test_joints_that_nobody_has_labelled_are_not_reported() -> None:
    pred, gt, _ = people(1, joints=10)
    gt[:, [1, 8, 9]] = np.nan
    report = evaluate([PDJ(), PCP()], samples(pred, gt))
    assert not any(np.isnan(value) for value in report.values())
    assert report['pdj/elbow@0.2'] == report['pdj/right_elbow@0.2']
    assert {name for name in report if 'left_elbow' in name or 'eye' in name or 'left_upper' in name} == set()
    shares = pdj(pred, gt, torso_diameters(gt), (0.2,))
    assert report['pdj/mean@0.2'] == pytest.approx(np.nanmean(shares), rel=1e-12)
    assert report['pcp/strict/upper_arm'] == report['pcp/strict/right_upper_arm']


def test_normalisers() -> None:
    """Errors of 12 pixels; annotated torso 50, predicted 100, box diagonal 200."""
    gt = np.zeros((1, 10, 2))
    gt[0, 7] = (30, 40)
    pred = gt + (12, 0)
    pred[0, 0], pred[0, 7] = (12, 0), (12, 100)
    boxes = np.array([[0.0, 0.0, 120.0, 160.0]])
    for normalize, diameter in dict(torso=50, predicted_torso=100, torso_box=200).items():
        just = 12 / diameter
        report = evaluate(PDJ(thresholds=(just, just - 1e-6), normalize=normalize), samples(pred, gt, boxes))
        assert report[f'pdj/left_wrist@{just:g}'] == 1
        assert report[f'pdj/left_wrist@{just - 1e-6:g}'] == 0


def test_a_predicted_point_is_no_excuse() -> None:
    """A network that predicts one point for all joints has no torso to be measured by."""
    _, gt, _ = people(1, joints=10)
    report = evaluate(PDJ(normalize='predicted_torso'), samples(np.full(gt.shape, 100.0), gt))
    assert set(report.values()) == {0.0}


def test_people_without_a_torso_are_left_out() -> None:
    pred, gt, _ = people(1, joints=10, unlabelled=0)
    gt[5:] = np.nan_to_num(gt[5:])
    gt[:5, 0] = np.nan
    pred[:5] += 1000
    assert evaluate(PDJ(), samples(pred, gt)) == evaluate(PDJ(), samples(pred[5:], gt[5:]))


def test_visibilities_may_carry_weights_behind_them() -> None:
    """Some of MMPose's transforms make keypoints_visible (1, K, 2): the visibility and a weight."""
    pred, gt, _ = people(1, joints=10)
    with_weights = samples(pred, gt)
    for sample in with_weights:
        visible = sample.gt_instances.keypoints_visible
        sample.gt_instances.keypoints_visible = np.stack([visible, np.ones_like(visible)], axis=-1)
    assert evaluate(PDJ(), with_weights) == evaluate(PDJ(), samples(pred, gt))


def test_limbs_of_other_skeletons_have_names() -> None:
    names = set()
    for skeleton in (COCO17, LSP14, OPENPOSE18):
        gt = np.random.default_rng(0).normal(size=(3, len(skeleton.keypoints), 2))
        report = evaluate(PCP(skeleton=skeleton), samples(gt, gt))
        # left, right and their mean; no two limbs share a name
        sided = {name for name in report if '/left_' in name}
        assert {name.replace('left_', 'right_') for name in sided} <= set(report)
        both = {name.replace('left_', '') for name in sided}
        assert len(set(report) - both) == 2 * len(skeleton.limbs) + 2
        names |= {name.removeprefix('pcp/strict/') for name in report if 'strict' in name}
    assert {'upper_arm', 'lower_arm', 'upper_leg', 'lower_leg', 'left_lower_leg', 'neck-head_top'} <= names


def test_a_limb_across_the_body_is_not_mixed_with_those_beside_it() -> None:
    crossed = Skeleton(
        name='crossed',
        keypoints=('left_shoulder', 'right_shoulder', 'left_hip', 'right_hip'),
        limbs=((0, 2), (1, 3), (0, 3)),
        sigmas=(1.0,) * 4,
    )
    gt = np.random.default_rng(0).normal(size=(3, 4, 2))
    pred = gt.copy()
    pred[:, 0] += 1000
    report = evaluate(PCP(skeleton=crossed), samples(pred, gt))
    assert report['pcp/strict/shoulder-hip'] == 0.5
    assert report['pcp/strict/left_shoulder-right_hip'] == 0


def test_configs_name_the_classes() -> None:
    metric = METRICS.build(
        dict(type='mmpose.PDJ', skeleton='classicpose.skeletons.LSP14', thresholds=[0.5], prefix='lsp')
    )
    assert metric.skeleton is LSP14 and metric.prefix == 'lsp'
    assert METRICS.build(dict(type='mmpose.PCP', threshold=0.2)).prefix == 'pcp'


def test_thresholds_are_named_as_one_writes_them() -> None:
    pred, gt, _ = people(1, joints=10)
    report = evaluate(PDJ(thresholds=(0.1 + 0.2, 1)), samples(pred, gt))
    assert {'pdj/elbow@0.3', 'pdj/elbow@1'} <= set(report)


def test_mistakes_are_explained() -> None:
    pred, gt, _ = people(1, joints=10)
    with pytest.raises(UserError, match='torso, torso_box, predicted_torso'):
        PDJ(normalize='bbox')
    with pytest.raises(UserError, match='pack them'):
        evaluate(PDJ(normalize='torso_box'), samples(pred, gt))
    with pytest.raises(UserError, match=r'prediction of shape \(1, 10, 2\) where coco needs \(1, 17, 2\)'):
        evaluate(PDJ(skeleton=COCO17), samples(pred, gt))
    for metric in (PDJ(), PCP()):
        with pytest.raises(UserError, match='check keypoints_visible'):
            evaluate(metric, samples(pred, np.full_like(gt, np.nan)))
        with pytest.raises(UserError, match='none of 0 people'):
            metric.evaluate(0)


def test_a_stage_of_a_cascade_is_judged_by_its_own_prediction() -> None:
    gt = np.random.default_rng(0).uniform(0, 200, (1, 10, 2))
    stages = np.stack([gt[0] + 1000, gt[0]])[None]
    sample = dict(
        pred_instances=dict(keypoints=gt, stage_keypoints=stages),
        gt_instances=dict(keypoints=gt, keypoints_visible=np.ones((1, 10))),
    )
    for stage, share in ((1, 0), (2, 1), (None, 1)):
        assert evaluate(PDJ(stage=stage), [sample])['pdj/mean@0.2'] == share
    with pytest.raises(UserError, match='stage 3 of a cascade of 2'):
        evaluate(PDJ(stage=3), [sample])
