"""PDJ and PCP: by hand, against the definitions in plain loops, and to the last digit of published numbers."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData
from mmpose.registry import METRICS
from mmpose.structures import PoseDataSample
from scipy.io import loadmat
from shipped_configs import REPOSITORY

from custom_modules.errors import UserError
from custom_modules.metrics import (
    PCP,
    PDJ,
    auc,
    pcp,
    pdj,
    torso_box_diameters,
    torso_diameters,
)
from custom_modules.skeletons import (
    COCO17,
    FLIC10,
    LSP14,
    OPENPOSE18,
    Skeleton,
    observer_centric,
    seen_from_behind,
)

reproducible = settings(derandomize=True, deadline=None)
seeds = st.integers(0, 2**32 - 1)

LIMBS = ((0, 1), (1, 2), (3, 4), (4, 5))
THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.5)


def people(
    seed: int, number: int = 40, joints: int = 6, unlabelled: float = 0.2
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, ground truth and diameters: joints missing in it, limbs of length zero, people without a torso."""
    rng = np.random.default_rng(seed)
    gt = rng.normal(100, 30, (number, joints, 2))
    pred = gt + rng.normal(0, 12, gt.shape)
    folded = rng.random(number) < 0.2
    gt[folded, 1] = gt[folded, 0]
    gt[rng.random((number, joints)) < unlabelled] = np.nan
    diameters = rng.uniform(20, 150, number)
    diameters[rng.random(number) < 0.1] = 0
    diameters[rng.random(number) < 0.1] = np.nan
    return pred, gt, diameters


def on_a_grid(seed: int, number: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and ground truth in small whole numbers, so that ratios meet thresholds exactly."""
    rng = np.random.default_rng(seed)
    gt = rng.integers(0, 5, (number, 6, 2)).astype(float)
    return gt + rng.integers(-2, 3, gt.shape), gt


# --- PDJ -------------------------------------------------------------------------------------


def test_pdj_by_hand() -> None:
    """Errors 5, 10 and 15 pixels at a diameter of 100; then 0, 10 and one unlabelled at 50."""
    gt = np.array([[[0, 0], [10, 10], [20, 20]], [[0, 0], [10, 10], [np.nan, np.nan]]])
    pred = np.array([[[3, 4], [10, 20], [29, 32]], [[0, 0], [16, 18], [99, 99]]], dtype=float)
    shares = pdj(pred, gt, np.array([100.0, 50.0]), (0.05, 0.1, 0.15, 0.2))
    np.testing.assert_array_equal(shares, [[1, 0, 0], [1, 0.5, 0], [1, 0.5, 1], [1, 1, 1]])


def pdj_by_the_book(pred: np.ndarray, gt: np.ndarray, diameters: np.ndarray, thresholds: tuple) -> list[list[float]]:
    table = []
    for threshold in thresholds:
        row = []
        for joint in range(gt.shape[1]):
            found = counted = 0
            for person in range(len(gt)):
                x, y = gt[person, joint]
                if math.isnan(x) or math.isnan(diameters[person]) or diameters[person] == 0:
                    continue
                counted += 1
                dx, dy = pred[person, joint, 0] - x, pred[person, joint, 1] - y
                found += math.sqrt(dx * dx + dy * dy) <= threshold * diameters[person]
            row.append(found / counted if counted else math.nan)
        table.append(row)
    return table


@reproducible
@given(seeds, st.integers(1, 40), st.sampled_from([0.0, 0.2, 0.9]))
def test_pdj_is_the_definition(seed: int, number: int, unlabelled: float) -> None:
    pred, gt, diameters = people(seed, number, unlabelled=unlabelled)
    expected = pdj_by_the_book(pred, gt, diameters, THRESHOLDS)
    np.testing.assert_allclose(pdj(pred, gt, diameters, THRESHOLDS), expected, rtol=1e-12)


def test_exactly_at_the_threshold_is_found() -> None:
    """57 of 100 pixels at 0.57, and so on: at every hundredth, for which 0.57 * 100 < 57 in floating point."""
    diameters = np.full(101, 100.0)
    gt = np.zeros((101, 1, 2))
    pred = gt + np.arange(101)[:, None, None] * [1.0, 0.0]
    found = pdj(pred, gt, diameters, np.arange(101) / 100)[:, 0]
    np.testing.assert_allclose(found, np.arange(1, 102) / 101, rtol=1e-12)


def test_a_joint_that_nobody_has_labelled_has_no_share() -> None:
    pred, gt, diameters = people(0)
    gt[:, 2] = np.nan
    shares = pdj(pred, gt, diameters, THRESHOLDS)
    assert np.isnan(shares[:, 2]).all() and not np.isnan(np.delete(shares, 2, axis=1)).any()
    assert np.isnan(pdj(pred, gt, np.zeros(len(gt)), THRESHOLDS)).all()
    assert pdj(pred[:0], gt[:0], diameters[:0], THRESHOLDS).shape == (5, 6)
    assert pdj(pred, gt, diameters, ()).shape == (0, 6)


def test_a_predicted_nan_is_wrong_not_left_out() -> None:
    gt = np.zeros((2, 6, 2))
    gt[:, :, 0] = np.arange(6)
    pred = gt.copy()
    pred[0] = np.nan
    np.testing.assert_array_equal(pdj(pred, gt, np.ones(2), (0.2,)), [[0.5] * 6])
    for strict in (True, False):
        np.testing.assert_array_equal(pcp(pred, gt, LIMBS, strict=strict), [0.5] * 4)


@reproducible
@given(seeds)
def test_a_wider_threshold_never_finds_less(seed: int) -> None:
    shares = pdj(*people(seed), np.arange(51) / 100)
    assert (np.diff(shares, axis=0) >= 0).all()


@reproducible
@given(seeds, st.floats(0.01, 100), st.floats(-1000, 1000), st.randoms(use_true_random=False))
def test_scale_place_and_order_of_people_do_not_matter(seed: int, scale: float, shift: float, random: object) -> None:
    pred, gt, diameters = people(seed)
    order = list(range(len(gt)))
    random.shuffle(order)
    moved_pred, moved_gt = pred[order] * scale + shift, gt[order] * scale + shift
    np.testing.assert_array_equal(
        pdj(moved_pred, moved_gt, diameters[order] * scale, THRESHOLDS[1:]), pdj(pred, gt, diameters, THRESHOLDS[1:])
    )
    for strict in (True, False):
        np.testing.assert_array_equal(
            pcp(moved_pred, moved_gt, LIMBS, strict=strict), pcp(pred, gt, LIMBS, strict=strict)
        )


def test_shapes_that_do_not_fit_are_refused() -> None:
    pred, gt, diameters = people(0)
    with pytest.raises(ValueError, match='shapes'):
        pdj(pred[:1], gt, diameters, THRESHOLDS)
    with pytest.raises(ValueError, match='diameters of shape'):
        pdj(pred, gt, diameters[:1], THRESHOLDS)
    with pytest.raises(ValueError, match='shapes'):
        pcp(np.dstack([pred, pred]), np.dstack([gt, gt]), LIMBS)


def test_single_precision_is_as_good() -> None:
    pred, gt, diameters = people(3)
    single = [array.astype(np.float32) for array in (pred, gt, diameters)]
    np.testing.assert_array_equal(pdj(*single, THRESHOLDS[1:]), pdj(pred, gt, diameters, THRESHOLDS[1:]))


# --- PCP -------------------------------------------------------------------------------------


def test_pcp_by_hand() -> None:
    """Limbs of length 10, ends off by 5 and 5, 6 and 4, 6 and 5; the last has no length."""
    gt = np.array([[[0, 0], [10, 0]]] * 3 + [[[7, 7], [7, 7]]], dtype=float)
    errors = np.array([[5, 5], [6, 4], [6, 5], [0, 0]], dtype=float)
    pred = gt + np.stack([np.zeros_like(errors), errors], axis=-1)
    limbs = [(0, 1)]
    assert pcp(pred, gt, limbs) == pytest.approx([1 / 3])
    assert pcp(pred, gt, limbs, strict=False) == pytest.approx([2 / 3])
    assert pcp(pred, gt, limbs, threshold=0.6) == pytest.approx([1])
    assert np.isnan(pcp(pred[3:], gt[3:], limbs))


def pcp_by_the_book(pred: np.ndarray, gt: np.ndarray, limbs: tuple, threshold: float, strict: bool) -> list[float]:
    row = []
    for start, end in limbs:
        found = counted = 0
        for person in range(len(gt)):
            length = math.dist(gt[person, start], gt[person, end])
            if math.isnan(length) or length == 0:
                continue
            counted += 1
            first, second = (math.dist(pred[person, joint], gt[person, joint]) for joint in (start, end))
            reach = threshold * length
            found += (first <= reach and second <= reach) if strict else first + second <= 2 * reach
        row.append(found / counted if counted else math.nan)
    return row


@reproducible
@given(seeds, st.integers(1, 40), st.sampled_from([0.0, 0.2, 0.9]), st.floats(0.1, 1), st.booleans())
def test_pcp_is_the_definition(seed: int, number: int, unlabelled: float, threshold: float, strict: bool) -> None:
    pred, gt, _ = people(seed, number, unlabelled=unlabelled)
    expected = pcp_by_the_book(pred, gt, LIMBS, threshold, strict)
    np.testing.assert_allclose(pcp(pred, gt, LIMBS, threshold, strict), expected, rtol=1e-12)


@reproducible
@given(seeds, st.sampled_from([0.25, 0.3, 0.5, 1.0]))
def test_strict_is_never_above_loose(seed: int, threshold: float) -> None:
    for pred, gt in (on_a_grid(seed), people(seed)[:2]):
        strict, loose = (pcp(pred, gt, LIMBS, threshold, convention) for convention in (True, False))
        assert (strict <= loose).all()


def test_exactly_half_a_limb_is_correct() -> None:
    """On the grid many ends are off by just half the limb; one hair less reach loses them."""
    pred, gt = on_a_grid(0, number=500)
    for strict in (True, False):
        np.testing.assert_allclose(pcp(pred, gt, LIMBS, 0.5, strict), pcp_by_the_book(pred, gt, LIMBS, 0.5, strict))
        assert (pcp(pred, gt, LIMBS, 0.5 - 1e-9, strict) < pcp(pred, gt, LIMBS, 0.5, strict)).all()


# --- curves, torsos, left and right ----------------------------------------------------------


def test_area_under_the_curve_by_hand() -> None:
    assert auc([0, 0.5], [1, 1]) == 1
    assert auc([0, 0.1, 0.5], [0, 1, 1]) == pytest.approx(0.9)
    np.testing.assert_allclose(auc([0, 1, 3], [[0, 2], [1, 2], [1, 2]]), [2.5 / 3, 2])
    # A step at a: 1 - a, but for half a step of the thresholds.
    thresholds = np.arange(51) / 100
    assert auc(thresholds, thresholds >= 0.2) == pytest.approx(0.6 + 0.01)


@pytest.mark.parametrize(('thresholds', 'values'), [([0.1], [1]), ([0, 0.2, 0.1], [0, 1, 1]), ([0, 1], [1, 1, 1])])
def test_what_is_no_curve_is_refused(thresholds: list[float], values: list[float]) -> None:
    with pytest.raises(ValueError, match='thresholds'):
        auc(thresholds, values)


def test_a_torso_reaches_from_the_left_shoulder_to_the_right_hip() -> None:
    keypoints = np.zeros((2, 10, 2))
    keypoints[0, 0], keypoints[0, 7] = (10, 20), (13, 24)
    keypoints[1, 7] = np.nan
    np.testing.assert_array_equal(torso_diameters(keypoints), [5, np.nan])
    np.testing.assert_array_equal(torso_diameters(keypoints, (0, 7)), [5, np.nan])
    np.testing.assert_array_equal(torso_diameters(keypoints, 'custom_modules.skeletons.FLIC10'), [5, np.nan])
    np.testing.assert_array_equal(torso_box_diameters([[1, 2, 4, 6], [0, 0, 0, 0]]), [5, 0])
    with pytest.raises(ValueError, match='stick has no left_shoulder and no right_hip'):
        torso_diameters(keypoints, Skeleton(name='stick', keypoints=('nose',), limbs=(), sigmas=(1.0,)))


def test_only_people_seen_from_behind_are_turned_round() -> None:
    front = np.arange(20, dtype=float).reshape(10, 2)
    front[0, 0], front[3, 0] = 200, 100
    behind, unknown = front.copy(), front.copy()
    behind[0, 0], behind[3, 0] = 100, 200
    unknown[0], unknown[3, 0] = np.nan, 200
    keypoints = np.stack([front, behind, unknown])
    before = keypoints.copy()
    assert seen_from_behind(keypoints, FLIC10).tolist() == [False, True, False]
    turned = observer_centric(keypoints, FLIC10)
    np.testing.assert_array_equal(turned[[0, 2]], keypoints[[0, 2]])
    # Shoulders, elbows, wrists and hips change places, eyes do not.
    np.testing.assert_array_equal(turned[1], behind[[3, 4, 5, 0, 1, 2, 7, 6, 8, 9]])
    np.testing.assert_array_equal(keypoints, before)
    np.testing.assert_array_equal(observer_centric(turned, FLIC10), turned)


@pytest.mark.parametrize('skeleton', [COCO17, FLIC10, LSP14, OPENPOSE18], ids=lambda skeleton: skeleton.name)
def test_turning_round_moves_whole_joints_of_any_skeleton(skeleton: Skeleton) -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.normal(size=(50, len(skeleton.keypoints), 3)).astype(np.float32)
    turned = observer_centric(keypoints, skeleton)
    assert turned.dtype == np.float32 and not seen_from_behind(turned, skeleton).any()
    behind = seen_from_behind(keypoints, skeleton)
    assert 10 < behind.sum() < 40
    for index, name in enumerate(skeleton.keypoints):
        source = index if 'eye' in name or 'ear' in name else skeleton.flip_indices[index]
        np.testing.assert_array_equal(turned[behind, index], keypoints[behind, source])


# --- the MMEngine classes --------------------------------------------------------------------


def samples(
    pred: np.ndarray,
    gt: np.ndarray,
    boxes: np.ndarray | None = None,
    make: Callable[[np.ndarray], object] = np.asarray,
) -> list[PoseDataSample]:
    """What a top-down estimator returns for N people. Unlabelled joints are at (0, 0), as datasets have them."""
    result = []
    for index in range(len(gt)):
        person = gt[index : index + 1]
        labelled = ~np.isnan(person).any(axis=-1)
        truth = InstanceData(keypoints=make(np.nan_to_num(person)), keypoints_visible=make(labelled.astype(np.float32)))
        if boxes is not None:
            truth.torso_boxes = make(boxes[index : index + 1])
        found = InstanceData(keypoints=make(pred[index : index + 1]), keypoint_scores=make(np.ones(labelled.shape)))
        result.append(PoseDataSample(gt_instances=truth, pred_instances=found))
    return result


def evaluate(metrics: list | object, people: list[PoseDataSample], batch: int = 7) -> dict[str, float]:
    evaluator = Evaluator(metrics if isinstance(metrics, list) else [metrics])
    for start in range(0, len(people), batch):
        evaluator.process(people[start : start + batch])
    return evaluator.evaluate(len(people))


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
        dict(type='mmpose.PDJ', skeleton='custom_modules.skeletons.LSP14', thresholds=[0.5], prefix='lsp')
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
        with pytest.raises(UserError, match='nobody among 0 people'):
            metric.evaluate(0)


# --- golden numbers: the published predictions of Convolutional Pose Machines on FLIC --------

CPM9 = Skeleton(
    name='flic_cpm',
    keypoints=(
        'left_shoulder', 'left_elbow', 'left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist',
        'left_hip', 'right_hip', 'nose',
    ),
    limbs=LIMBS,
    sigmas=(1.0,) * 9,
)  # fmt: skip
CPM9_COLUMNS = [0, 1, 2, 3, 4, 5, 6, 9, 16]

# elbow and wrist at 0.05, 0.1, 0.2; shoulder, hip and nose at 0.2
GOLDEN_CPM = dict(
    torso=(62.70, 89.76, 97.59, 67.52, 87.80, 95.03, 99.31, 91.44, 99.41),
    predicted_torso=(63.44, 89.96, 97.54, 68.75, 88.29, 94.98, 99.36, 92.67, 99.41),
    other_diagonal=(62.30, 89.37, 97.49, 67.18, 87.20, 94.83, 99.36, 91.09, 99.51),
    torso_box=(61.76, 89.17, 97.19, 65.90, 87.35, 94.49, 99.11, 90.35, 99.41),
    torso_box_height=(51.72, 83.91, 95.77, 57.33, 83.42, 93.36, 98.87, 84.99, 99.31),
)
GOLDEN_CPM_PERSON_CENTRIC = (60.29, 85.63, 92.91, 65.06, 83.71, 90.60, 94.59, 87.20, 99.41)
GOLDEN_MEAN_POSE = (6.64, 23.57, 60.48, 3.30, 10.68, 34.74, 92.96, 61.27, 87.80)


class Flic:
    """The genuine annotations, and what was predicted for the test people; CPM9's joints, MATLAB's coordinates."""

    def __init__(self, folder: Path) -> None:
        examples = loadmat(folder / 'examples.mat', squeeze_me=True)['examples']
        self.people = np.stack(list(examples['coords']))[:, :, CPM9_COLUMNS].transpose(0, 2, 1).astype(np.float64)
        self.boxes = np.stack(list(examples['torsobox'])).astype(np.float64)
        self.is_test = examples['istest'].astype(bool)
        self.is_train = examples['istrain'].astype(bool)
        self.turned = observer_centric(self.people, CPM9)
        self.gt = self.turned[self.is_test]
        self.test_boxes = self.boxes[self.is_test]
        predictions = loadmat(folder / 'cpm_predictions_test.mat')['prediction_all']
        self.cpm = predictions.transpose(2, 0, 1).astype(np.float64)

    def mean_pose(self) -> np.ndarray:
        """For every test person the training people's mean place in the torso box, width and height being 1."""
        corners, sizes = self.boxes[:, None, :2], (self.boxes[:, 2:] - self.boxes[:, :2])[:, None]
        mean = ((self.turned - corners) / sizes)[self.is_train].mean(axis=0)
        return corners[self.is_test] + mean * sizes[self.is_test]

    def diameters(self, normalizer: str) -> np.ndarray:
        return dict(
            torso=torso_diameters(self.gt, CPM9),
            predicted_torso=torso_diameters(self.cpm, CPM9),
            other_diagonal=torso_diameters(self.gt, (3, 6)),
            torso_box=torso_box_diameters(self.test_boxes),
            torso_box_height=self.test_boxes[:, 3] - self.test_boxes[:, 1],
        )[normalizer]


@pytest.fixture(scope='session')
def published_flic() -> Flic:
    """The genuine FLIC files; the test is skipped where they are missing."""
    for folder in (os.environ.get('CLASSICPOSE_DATA', 'data'), '../shared/data'):
        flic = REPOSITORY / folder / 'flic'
        if (flic / 'examples.mat').is_file() and (flic / 'cpm_predictions_test.mat').is_file():
            return Flic(flic)
    pytest.skip('needs examples.mat and cpm_predictions_test.mat in data/flic')


def golden_row(shares: np.ndarray) -> np.ndarray:
    """(3, 9) shares at 0.05, 0.1 and 0.2 in the order of the golden table, in per cent."""
    shares = 100 * shares
    shoulder, elbow, wrist = ((shares[:, joint] + shares[:, joint + 3]) / 2 for joint in (0, 1, 2))
    hip, nose = (shares[2, 6] + shares[2, 7]) / 2, shares[2, 8]
    return np.array([*elbow, *wrist, shoulder[2], hip, nose])


def assert_golden(actual: np.ndarray | list[float], expected: tuple[float, ...]) -> None:
    """To the last digit the table has."""
    np.testing.assert_allclose(actual, expected, rtol=0, atol=0.00501)


@pytest.mark.real_data
def test_flic_is_as_published(published_flic: Flic) -> None:
    assert published_flic.people.shape == (5003, 9, 2) and published_flic.cpm.shape == (1016, 9, 2)
    assert not np.isnan(published_flic.people).any()
    assert (published_flic.is_train.sum(), published_flic.is_test.sum()) == (3987, 1016)
    behind = seen_from_behind(published_flic.people, CPM9)
    assert (behind.sum(), behind[published_flic.is_test].sum()) == (247, 48)
    assert (published_flic.turned[:, 0, 0] > published_flic.turned[:, 3, 0]).all()
    torsos = torso_diameters(published_flic.turned, CPM9)
    np.testing.assert_allclose([torsos.min(), np.median(torsos), torsos.max()], [62.1, 161, 362.7], atol=0.06)
    assert torso_diameters(published_flic.people, CPM9).min() == pytest.approx(67.1, abs=0.05)


@pytest.mark.real_data
@pytest.mark.parametrize('normalizer', GOLDEN_CPM)
def test_published_predictions_have_their_published_pdj(published_flic: Flic, normalizer: str) -> None:
    shares = pdj(published_flic.cpm, published_flic.gt, published_flic.diameters(normalizer), (0.05, 0.1, 0.2))
    assert_golden(golden_row(shares), GOLDEN_CPM[normalizer])


@pytest.mark.real_data
def test_person_centric_truth_costs_five_points(published_flic: Flic) -> None:
    gt = published_flic.people[published_flic.is_test]
    shares = pdj(published_flic.cpm, gt, torso_diameters(gt, CPM9), (0.05, 0.1, 0.2))
    assert_golden(golden_row(shares), GOLDEN_CPM_PERSON_CENTRIC)


@pytest.mark.real_data
@pytest.mark.parametrize('normalize', ['torso', 'predicted_torso', 'torso_box'])
def test_the_class_gives_the_published_pdj(published_flic: Flic, normalize: str) -> None:
    metric = PDJ(normalize=normalize, skeleton=CPM9)
    report = evaluate(metric, samples(published_flic.cpm, published_flic.gt, published_flic.test_boxes), batch=128)
    names = [f'{part}@{threshold}' for part in ('elbow', 'wrist') for threshold in (0.05, 0.1, 0.2)]
    names += ['shoulder@0.2', 'hip@0.2', 'nose@0.2']
    assert_golden([100 * report[f'pdj/{name}'] for name in names], GOLDEN_CPM[normalize])


@pytest.mark.real_data
def test_a_constant_pose_in_the_torso_box(published_flic: Flic) -> None:
    """What every network has to beat."""
    pred = published_flic.mean_pose()
    shares = pdj(pred, published_flic.gt, published_flic.diameters('torso'), (0.05, 0.1, 0.2))
    assert_golden(golden_row(shares), GOLDEN_MEAN_POSE)
    assert 100 * shares[2].mean() == pytest.approx(65.2, abs=0.05)
    assert 100 * shares[2, [1, 2, 4, 5]].mean() == pytest.approx(47.6, abs=0.05)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ('who', 'strict', 'expected'),
    [
        ('cpm', True, (98.43, 91.78)),
        ('cpm', False, (99.16, 94.00)),
        ('mean pose', True, (77.07, 22.74)),
    ],
)
def test_pcp_of_arms(published_flic: Flic, who: str, strict: bool, expected: tuple[float, float]) -> None:
    pred = published_flic.cpm if who == 'cpm' else published_flic.mean_pose()
    left_upper, left_lower, right_upper, right_lower = 100 * pcp(pred, published_flic.gt, LIMBS, strict=strict)
    assert_golden([(left_upper + right_upper) / 2, (left_lower + right_lower) / 2], expected)
    report = evaluate(PCP(skeleton=CPM9), samples(pred, published_flic.gt), batch=128)
    convention = 'strict' if strict else 'loose'
    assert_golden([100 * report[f'pcp/{convention}/{limb}'] for limb in ('upper_arm', 'lower_arm')], expected)


@pytest.mark.real_data
def test_the_forearm_of_length_zero_is_left_out(published_flic: Flic) -> None:
    lengths = np.linalg.norm(published_flic.turned[:, 4] - published_flic.turned[:, 5], axis=-1)
    assert (lengths == 0).sum() == 1 and not published_flic.is_test[lengths == 0].any()
    for strict in (True, False):
        np.testing.assert_array_equal(
            pcp(published_flic.turned, published_flic.turned, LIMBS, strict=strict), [1, 1, 1, 1]
        )


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
