"""PDJ and PCP of Convolutional Pose Machines' published predictions on FLIC, to the last digit of the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from joint_cases import evaluate, samples
from scipy.io import loadmat

from classicpose.skeletons import Skeleton, observer_centric, seen_from_behind
from custom_modules.metrics import PCP, PDJ, pcp, pdj, torso_box_diameters, torso_diameters

CPM9 = Skeleton(
    name='flic_cpm',
    keypoints=(
        'left_shoulder', 'left_elbow', 'left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist',
        'left_hip', 'right_hip', 'nose',
    ),
    limbs=((0, 1), (1, 2), (3, 4), (4, 5)),
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
def published_flic(real_flic_predictions: Path) -> Flic:
    return Flic(real_flic_predictions)


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
    left_upper, left_lower, right_upper, right_lower = 100 * pcp(pred, published_flic.gt, CPM9.limbs, strict=strict)
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
            pcp(published_flic.turned, published_flic.turned, CPM9.limbs, strict=strict), [1, 1, 1, 1]
        )
