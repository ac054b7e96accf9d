"""PDJ and PCP, the functions: by hand, and against the definitions in plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joint_cases import people

from classicpose.skeletons import COCO17, FLIC10, LSP14, OPENPOSE18, Skeleton, observer_centric, seen_from_behind
from custom_modules.metrics import auc, pcp, pdj, torso_box_diameters, torso_diameters

reproducible = settings(derandomize=True, deadline=None)
seeds = st.integers(0, 2**32 - 1)

LIMBS = ((0, 1), (1, 2), (3, 4), (4, 5))
THRESHOLDS = (0.0, 0.05, 0.1, 0.2, 0.5)


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
    np.testing.assert_array_equal(torso_diameters(keypoints, 'classicpose.skeletons.FLIC10'), [5, np.nan])
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
