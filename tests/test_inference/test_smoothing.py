"""The One-Euro filter against its published formula, one number at a time, and what it does to jitter and lag."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from people import UPRIGHT

from classicpose.inference.smoothing import OneEuroSmoother
from classicpose.people import People
from classicpose.skeletons import OPENPOSE18

FPS = 25.0


def crowd(keypoints: np.ndarray, track_ids: list[int], found: np.ndarray | None = None) -> People:
    keypoints = np.asarray(keypoints)
    found = np.ones(keypoints.shape[:2]) if found is None else found
    return People(
        name='frame',
        image_size=(640, 480),
        skeleton=OPENPOSE18,
        keypoints=np.where(found[..., None] > 0, keypoints, 0),
        keypoint_scores=found.astype(np.float32),
        scores=np.ones(len(keypoints), np.float32),
        boxes=np.zeros((len(keypoints), 4), np.float32),
        track_ids=np.array(track_ids, dtype=np.int64),
    )


class PublishedFilter:
    """Algorithms 1 and 2 of the paper, for one signal."""

    def __init__(self, rate: float, min_cutoff: float, beta: float, speed_cutoff: float) -> None:
        self.rate, self.min_cutoff, self.beta, self.speed_cutoff = rate, min_cutoff, beta, speed_cutoff
        self.x: float | None = None
        self.dx = 0.0

    def alpha(self, cutoff: float) -> float:
        tau = 1.0 / (2 * math.pi * cutoff)
        te = 1.0 / self.rate
        return 1.0 / (1.0 + tau / te)

    def __call__(self, x: float, size: float) -> float:
        if self.x is None:
            self.x = x
            return x
        dx = (x - self.x) * self.rate / size
        a = self.alpha(self.speed_cutoff)
        self.dx = a * dx + (1 - a) * self.dx
        a = self.alpha(self.min_cutoff + self.beta * abs(self.dx))
        self.x = a * x + (1 - a) * self.x
        return self.x


def walk(frames: int, people: int = 1, noise: float = 3.0, speed: float = 4.0, seed: int = 0) -> np.ndarray:
    """(frames, people, 18, 2), 200 pixels tall."""
    rng = np.random.default_rng(seed)
    start = UPRIGHT * 200 + rng.uniform(50, 300, (people, 1, 2))
    return start + [[[[speed * frame, 0]]] for frame in range(frames)] + rng.normal(0, noise, (frames, people, 18, 2))


def test_the_published_formula() -> None:
    smoother = OneEuroSmoother(FPS, min_cutoff=1.2, beta=3.0, speed_cutoff=0.8)
    filters = [[[PublishedFilter(FPS, 1.2, 3.0, 0.8) for _ in range(2)] for _ in range(18)] for _ in range(3)]
    for people in walk(40, people=3):
        expected = np.empty((3, 18, 2))
        for number, one in enumerate(people):
            size = float(np.ptp(one, axis=0).max())
            for keypoint in range(18):
                for axis in range(2):
                    expected[number, keypoint, axis] = filters[number][keypoint][axis](one[keypoint, axis], size)
        np.testing.assert_allclose(smoother(crowd(people, [4, 7, 9])).keypoints, expected, rtol=1e-12)


def test_who_rests_stays() -> None:
    smoother = OneEuroSmoother(FPS)
    people = crowd(walk(1)[0].astype(np.float32), [0])
    for _ in range(10):
        smooth = smoother(people)
        np.testing.assert_array_equal(smooth.keypoints, people.keypoints)
        assert smooth.keypoints.dtype == np.float32


def test_less_jitter_and_little_lag() -> None:
    smoother = OneEuroSmoother(FPS)
    still = walk(200, speed=0)
    smooth = np.array([smoother(crowd(people, [0])).keypoints for people in still])
    assert np.diff(smooth, axis=0).std() < 0.4 * np.diff(still, axis=0).std()
    # Without noise, at 250 pixels or 1.3 sizes a second: how far behind in the end.
    smoother = OneEuroSmoother(FPS)
    moving = walk(50, noise=0, speed=10)
    smooth = np.array([smoother(crowd(people, [0])).keypoints for people in moving])
    lag = (moving[-1] - smooth[-1])[..., 0]
    assert (lag > 0).all()
    assert (lag < 10).all()  # less than a frame
    # A higher beta has less lag.
    smoother = OneEuroSmoother(FPS, beta=0)
    stiff = np.array([smoother(crowd(people, [0])).keypoints for people in moving])
    assert ((moving[-1] - stiff[-1])[..., 0] > 2 * lag).all()


@pytest.mark.parametrize('scale', [0.125, 16.0])
def test_the_same_at_any_scale_and_place(scale: float) -> None:
    small, large = OneEuroSmoother(FPS), OneEuroSmoother(FPS)
    for people in walk(20):
        expected = small(crowd(people, [0])).keypoints * scale + 1000
        np.testing.assert_allclose(large(crowd(people * scale + 1000, [0])).keypoints, expected, rtol=1e-9)


def test_missing_parts_stay_missing_and_start_anew() -> None:
    smoother = OneEuroSmoother(FPS)
    frames, there = walk(4), np.ones((1, 18))
    without = there.copy()
    without[0, 4] = 0
    smoother(crowd(frames[0], [0]))
    smooth = smoother(crowd(frames[1], [0], without))
    np.testing.assert_array_equal(smooth.keypoints[0, 4], 0)
    smooth = smoother(crowd(frames[2], [0], there))
    np.testing.assert_array_equal(smooth.keypoints[0, 4], frames[2][0, 4])
    others = np.arange(18) != 4
    assert (smooth.keypoints[0, others] != frames[2][0, others]).all()
    assert (smoother(crowd(frames[3], [0])).keypoints[0, 4] != frames[3][0, 4]).all()


def test_each_track_on_its_own() -> None:
    frames = walk(20, people=3)
    together, apart = OneEuroSmoother(FPS), [OneEuroSmoother(FPS) for _ in range(3)]
    rng = np.random.default_rng(5)
    for people in frames:
        order = rng.permutation(3)
        smooth = together(crowd(people[order], order.tolist())).keypoints
        for row, number in enumerate(order):
            alone = apart[number](crowd(people[number : number + 1], [number])).keypoints[0]
            np.testing.assert_array_equal(smooth[row], alone)


def test_tracks_that_are_gone_are_forgotten() -> None:
    smoother = OneEuroSmoother(FPS)
    frames = walk(3)
    smoother(crowd(frames[0], [0]))
    assert len(smoother(crowd(np.zeros((0, 18, 2)), []))) == 0
    np.testing.assert_array_equal(smoother(crowd(frames[1], [0])).keypoints, frames[1])
    for number in range(100):
        smoother(crowd(frames[2], [number]))
    assert list(smoother._last.rows) == [99]


def test_a_single_part() -> None:
    smoother, found = OneEuroSmoother(FPS, min_cutoff=1.0), np.zeros((1, 18))
    found[0, 3] = 1
    smoother(crowd(np.zeros((1, 18, 2)), [0], found))
    moved = smoother(crowd(np.full((1, 18, 2), 10.0), [0], found)).keypoints
    assert moved[0, 3] == pytest.approx(10 / (1 + FPS / (2 * math.pi)))


def test_people_without_tracks() -> None:
    people = crowd(walk(1)[0], [0])
    with pytest.raises(ValueError, match='only tracked people'):
        OneEuroSmoother(FPS)(replace(people, track_ids=None))


def test_hands_are_smoothed_like_the_body() -> None:
    """A hand whose keypoints move as the body's do is filtered as these are, by the body's size."""
    positions = walk(30, noise=4.0)
    alone, whole = OneEuroSmoother(30), OneEuroSmoother(30)
    for keypoints in positions:
        body = alone(crowd(keypoints, [0]))
        people = crowd(keypoints, [0])
        scores = np.ones((1, 18, 1), np.float32)
        hand = np.concatenate([keypoints, scores], axis=-1).astype(np.float32)
        people.parts = dict(hand_left=hand.copy(), face=np.zeros((1, 70, 3), np.float32))
        smooth = whole(people)
        np.testing.assert_allclose(smooth.keypoints, body.keypoints, atol=1e-4)
        np.testing.assert_allclose(smooth.parts['hand_left'][..., :2], body.keypoints, atol=1e-3)
        assert (smooth.parts['hand_left'][..., 2] == 1).all()
        assert not smooth.parts['face'].any()
    np.testing.assert_array_equal(people.parts['hand_left'], hand)
