"""Similarities by hand and by COCO's own code, and people who walk, cross, hide and come back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from people import UPRIGHT
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from classicpose.inference.frames import Frame, open_frames
from classicpose.inference.run import run
from classicpose.inference.tracking import Tracker, oks_matrix, person_areas
from classicpose.people import People
from classicpose.skeletons import COCO17, OPENPOSE18

HEIGHT = 200.0
RNG = np.random.default_rng(0)


def crowd(keypoints: np.ndarray, scores: np.ndarray | None = None) -> People:
    """People (P, 18, 2), the first with the highest score; a keypoint at NaN is missing."""
    keypoints = np.asarray(keypoints, np.float32).reshape(-1, 18, 2)
    missing = np.isnan(keypoints).any(axis=-1)
    return People(
        name='frame',
        image_size=(640, 480),
        skeleton=OPENPOSE18,
        keypoints=np.where(missing[..., None], 0, keypoints),
        keypoint_scores=np.where(missing, 0, 0.8).astype(np.float32),
        scores=np.linspace(0.9, 0.5, len(keypoints), dtype=np.float32) if scores is None else scores,
        boxes=np.zeros((len(keypoints), 4), np.float32),
    )


def person(x: float, y: float = 100.0, height: float = HEIGHT) -> np.ndarray:
    return UPRIGHT * height + (x, y)


def ids(people: People) -> list[int]:
    return people.track_ids.tolist()


def test_similarity_by_hand() -> None:
    sigmas = np.array([0.1, 0.2])
    here = np.array([[[0.0, 0.0], [10.0, 0.0]]])
    # The first keypoint is 3 to the right and 4 down, the second one in place; the area is 50.
    there = np.array([[[3.0, 4.0], [10.0, 0.0]]])
    both, first = np.array([[True, True]]), np.array([[True, False]])
    near = math.exp(-25 / (2 * 50 * 0.2**2))
    area = np.array([50.0])
    assert oks_matrix(here, both, there, both, area, sigmas) == pytest.approx((near + 1) / 2)
    # Of two and one keypoints, the one that both have.
    assert oks_matrix(here, both, there, first, area, sigmas) == pytest.approx(near)
    assert oks_matrix(here, ~first, there, first, area, sigmas) == 0
    assert oks_matrix(here, both, there, both & False, area, sigmas) == 0
    # Half a turn of the roles and everything twice as large change nothing.
    assert oks_matrix(there, both, here, both, area, sigmas) == pytest.approx((near + 1) / 2)
    assert oks_matrix(2 * here, both, 2 * there, both, 4 * area, sigmas) == pytest.approx((near + 1) / 2)


def test_similarity_of_nobody() -> None:
    nobody, found = np.zeros((0, 18, 2)), np.zeros((0, 18), bool)
    somebody = person(0)[None]
    sigmas = np.array(OPENPOSE18.sigmas)
    there = np.ones((1, 18), bool)
    assert oks_matrix(nobody, found, somebody, there, np.ones(1), sigmas).shape == (0, 1)
    assert oks_matrix(somebody, there, nobody, found, np.ones(0), sigmas).shape == (1, 0)


def test_similarity_is_cocos() -> None:
    truth = RNG.uniform(0, 100, (4, 17, 2)).round()
    visible = RNG.integers(0, 3, (4, 17))
    areas = RNG.uniform(500, 5000, 4)
    detections = (truth[[0, 1, 2, 3, 0, 1]] + RNG.normal(0, 8, (6, 17, 2))).round(2)
    annotations = [
        dict(
            id=index + 1,
            image_id=1,
            category_id=1,
            iscrowd=0,
            area=areas[index],
            bbox=[0, 0, 100, 100],
            keypoints=np.column_stack([truth[index], visible[index]]).ravel().tolist(),
            num_keypoints=int((visible[index] > 0).sum()),
        )
        for index in range(4)
    ]
    coco = COCO()
    coco.dataset = dict(images=[dict(id=1)], annotations=annotations, categories=[dict(id=1, name='person')])
    coco.createIndex()
    results = [
        dict(
            image_id=1,
            category_id=1,
            score=1 - index / 10,
            keypoints=np.column_stack([found, np.ones(17)]).ravel().tolist(),
        )
        for index, found in enumerate(detections)
    ]
    evaluation = COCOeval(coco, coco.loadRes(results), 'keypoints')
    evaluation._prepare()
    there = np.ones((6, 17), bool)
    similar = oks_matrix(detections, there, truth, visible > 0, areas, np.array(COCO17.sigmas))
    np.testing.assert_allclose(similar, evaluation.computeOks(1, 1), rtol=1e-9)


def test_areas() -> None:
    keypoints = np.array([[[0, 0], [30, 20], [99, 99]], [[0, 0], [0, 40], [99, 99]], [[5, 5], [0, 0], [0, 0]]])
    found = np.array([[1, 1, 0], [1, 1, 0], [1, 0, 0]], bool)
    areas = person_areas(keypoints, found)
    assert areas[:2].tolist() == [600, 800]
    assert 0 < areas[2] < 1e-9


def test_walkers_keep_their_ids() -> None:
    tracker = Tracker(OPENPOSE18)
    for frame in range(30):
        noise = RNG.normal(0, 2, (3, 18, 2))
        found = tracker(crowd(noise + [person(4 * frame), person(300 - 4 * frame, 90), person(200, 250)]))
        assert ids(found) == [0, 1, 2]


@pytest.mark.parametrize('speed', [3, 7, 10])
def test_people_who_walk_through_each_other_keep_their_ids(speed: float) -> None:
    tracker = Tracker(OPENPOSE18)
    for frame in range(40):
        noise = RNG.normal(0, 1.5, (2, 18, 2))
        people = noise + [person(300 + speed * (frame - 20)), person(300 - speed * (frame - 20))]
        found = tracker(crowd(people))
        # In frame 20 one is where the other is, and only chance can tell them apart.
        assert ids(found) == [0, 1] or frame == 20


def test_the_order_of_the_people_does_not_matter() -> None:
    tracker, scores = Tracker(OPENPOSE18), np.linspace(0.9, 0.5, 5, dtype=np.float32)
    for frame in range(20):
        people = np.array([person(140 * index + 5 * frame) for index in range(5)]) + RNG.normal(0, 2, (5, 18, 2))
        order = RNG.permutation(5)
        assert ids(tracker(crowd(people[order], scores[order]))) == order.tolist()


@pytest.mark.parametrize(('speed', 'fps'), [(164, 30), (164, 3.75), (164, 2), (400, 10), (400, 3.75), (1100, 30)])
def test_one_person_keeps_one_id_at_any_rate(speed: float, fps: float) -> None:
    """A walk, a run and, at six heights a second, a sprint."""
    tracker = Tracker(OPENPOSE18, fps)
    for frame in range(20):
        noise = RNG.normal(0, 2, (18, 2))
        assert ids(tracker(crowd([person(speed * frame / fps) + noise]))) == [0]


@pytest.mark.parametrize(('speed', 'step'), [(164, 8), (400, 3)])
def test_frames_left_out_of_a_folder_without_a_rate(speed: float, step: int) -> None:
    tracker = Tracker(OPENPOSE18)
    for frame in range(0, 20 * step, step):
        assert ids(tracker(crowd([person(speed * frame / 30)]))) == [0]


def test_the_search_is_no_wider_than_anybody_runs() -> None:
    tracker = Tracker(OPENPOSE18, 3.75)
    tracker(crowd([person(0)]))
    assert ids(tracker(crowd([person(700)]))) == [1]


def test_the_rate_of_a_video_and_its_step_reach_the_tracker(tmp_path: Path) -> None:
    writer = cv2.VideoWriter(str(tmp_path / 'walk.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 30, (64, 48))
    for _ in range(60):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()

    class Walker:
        skeleton = OPENPOSE18

        def stream(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, People]]:
            return ((frame, crowd([person(164 * frame.number / 30)])) for frame in frames)

    class Ids(list):
        __enter__ = __exit__ = lambda *_: None

        def write(self, people: People, image: np.ndarray) -> None:
            self.extend(ids(people))

    seen = Ids()
    assert run(Walker(), open_frames(tmp_path / 'walk.avi', frame_step=15), [seen], tracking=True) == 4
    assert seen == [0, 0, 0, 0]


@pytest.mark.parametrize('fps', [30, 10, 5])
def test_a_passer_by_does_not_take_the_id_of_somebody_hidden(fps: float) -> None:
    """Whoever was seen in the last frame is where they are expected, and nearer in time."""
    tracker = Tracker(OPENPOSE18, fps)
    assert ids(tracker(crowd([person(0), person(250)]))) == [0, 1]
    for frame in range(1, int(0.8 * fps) + 1):
        assert ids(tracker(crowd([person(300 * frame / fps)]))) == [0]


def test_somebody_who_turned_round_meanwhile() -> None:
    """Seen from the front, then from behind: left and right have changed places."""
    tracker = Tracker(OPENPOSE18)
    for frame in range(10):
        assert ids(tracker(crowd([person(4 * frame), person(0, 400)]))) == [0, 1]
    for _ in range(20):
        assert ids(tracker(crowd([person(0, 400)]))) == [1]
    behind = (UPRIGHT * (-1, 1) + (1, 0)) * HEIGHT + (20, 100)
    assert ids(tracker(crowd([behind, person(0, 400)]))) == [0, 1]


def test_a_velocity_is_forgotten_by_and_by() -> None:
    """Of two people who may be the one hidden for long, it is not the one as far off as they could have walked."""
    tracker = Tracker(OPENPOSE18, max_gap=4)
    for frame in range(20):
        tracker(crowd([person(8 * frame)]))
    for _ in range(75):
        tracker(crowd([]))
    last = 8 * 19
    both = crowd([person(last + 650), person(last + 250)], np.ones(2, np.float32))
    assert ids(tracker(both)) == [1, 0]


def test_another_pose_at_the_same_place_is_somebody_else() -> None:
    tracker = Tracker(OPENPOSE18)
    tracker(crowd([person(0)]))
    lying = person(0)[:, ::-1]
    lying += (person(0) - lying).mean(axis=0)
    assert ids(tracker(crowd([lying]))) == [1]


def test_an_arm_found_a_second_time_is_not_the_person() -> None:
    """It is where it was in the next frame, in which the rest has moved and the arm is found once."""
    arm = [OPENPOSE18.keypoints.index(f'left_{name}') for name in ('shoulder', 'elbow', 'wrist')]
    second, moved = np.full((18, 2), np.nan), person(212)
    second[arm] = moved[arm] = person(200)[arm]
    twice = crowd([person(200), second], np.array([0.2, 0.01]))
    tracker = Tracker(OPENPOSE18)
    for _ in range(9):
        assert ids(tracker(crowd(person(200)))) == [0]
    assert ids(tracker(twice)) == ids(tracker(twice)) == [0, 1]
    assert ids(tracker(crowd(moved))) == [0]


def test_of_two_copies_the_better_one_keeps_the_id() -> None:
    tracker, scores = Tracker(OPENPOSE18), np.array([0.4, 0.7], np.float32)
    for frame in range(5):
        assert ids(tracker(crowd([person(4 * frame)] * 2, scores))) == [1, 0]


@pytest.mark.parametrize(('gap', 'known'), [(1, True), (5, True), (6, False)])
def test_somebody_who_was_hidden(gap: int, known: bool) -> None:
    tracker = Tracker(OPENPOSE18, max_gap=5.5 / 30)
    for frame in range(10):
        assert ids(tracker(crowd([person(12 * frame), person(0, 400)]))) == [0, 1]
    for _ in range(gap):
        assert ids(tracker(crowd([person(0, 400)]))) == [1]
    # Walked on meanwhile.
    back = tracker(crowd([person(12 * (10 + gap)), person(0, 400)]))
    assert ids(back) == [0 if known else 2, 1]


def test_ids_are_never_given_again() -> None:
    tracker, seen = Tracker(OPENPOSE18, fps=1, max_gap=2), []
    for frame in range(100):
        place = 5000 * (frame // 5)
        found = tracker(crowd([person(place)] if frame % 5 < 2 else []))
        seen += ids(found)
    assert seen == [number for number in range(20) for _ in range(2)]
    assert len(tracker._tracks) <= 1


def test_parts_that_come_and_go() -> None:
    tracker = Tracker(OPENPOSE18)
    for frame in range(40):
        people = RNG.normal(0, 2, (2, 18, 2)) + [person(4 * frame), person(120 + 4 * frame)]
        people[RNG.random((2, 18)) < 0.5] = np.nan
        people[:, 0] = RNG.normal(0, 2, (2, 2)) + [person(4 * frame)[0], person(120 + 4 * frame)[0]]
        assert ids(tracker(crowd(people))) == [0, 1]


def test_a_part_in_common_is_no_proof() -> None:
    tracker = Tracker(OPENPOSE18)
    tracker(crowd([person(0)]))
    # Another one whose wrist is where the first one's was.
    other = person(400)
    other[4] = person(0)[4]
    assert ids(tracker(crowd([other]))) == [1]


def test_strangers_and_nobody() -> None:
    tracker = Tracker(OPENPOSE18)
    assert ids(tracker(crowd([]))) == []
    assert tracker(crowd([])).track_ids.dtype == np.int64
    assert ids(tracker(crowd([person(0)]))) == [0]
    assert ids(tracker(crowd([person(1000)]))) == [1]
    nowhere = np.full((18, 2), np.nan)
    assert ids(Tracker(OPENPOSE18, min_oks=0.0)(crowd([nowhere, nowhere]))) == [0, 1]


def test_the_scale_does_not_matter() -> None:
    seen = []
    for scale in (0.05, 1, 40):
        tracker, rng = Tracker(OPENPOSE18), np.random.default_rng(1)
        people = [rng.normal(0, 15, (4, 18, 2)) + [person(x) for x in (0, 60, 120, 180)] for _ in range(30)]
        seen.append([ids(tracker(crowd(scale * frame))) for frame in people])
    assert seen[0] == seen[1] == seen[2]


def test_the_rest_stays_as_it_is() -> None:
    people = crowd([person(0), person(300)])
    tracked = Tracker(OPENPOSE18)(people)
    assert people.track_ids is None
    assert tracked.keypoints is people.keypoints
    assert tracked.name == people.name
