"""How long ids last: IDF1 of the tracker on generated people whose ids are known.

Symbols: T frames, P people, K keypoints. Lengths are in heights of the person, points (x, y) in pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from classicpose.inference.tracking import Tracker
from classicpose.people import People
from classicpose.skeletons import OPENPOSE18

from .speed import Rows

FPS = 30.0
SIZE = (1280, 720)
_SECONDS = 20
_FEWEST = 4  # keypoints of somebody who counts as found

# To the left of the person, down from the top of the head, forward.
_TRUNK = dict(
    nose=(0, 0.08, 0.07), neck=(0, 0.18, 0), shoulder=(0.12, 0.19, 0), hip=(0.07, 0.50, 0), eye=(0.03, 0.06, 0.05),
    ear=(0.045, 0.07, 0),
)  # fmt: skip
_ARM, _FOREARM, _THIGH, _SHIN = 0.17, 0.15, 0.24, 0.22


@dataclass(frozen=True)
class Scene:
    """What people do: ``speed`` in heights a second (1.4 m/s are 0.8), how many times a second one of them turns
    round, and how many times a second one is hidden, for up to ``hidden_for`` seconds. ``guests`` come and go.
    """

    people: int
    speed: float
    turns: float = 0.1
    hidden: float = 0.0
    hidden_for: float = 1.0
    guests: bool = False


SCENES = {
    'one walks': Scene(1, 0.8),
    'one runs': Scene(1, 2.3),
    '4 walk': Scene(4, 0.8),
    '4 run': Scene(4, 2.3),
    '12 walk': Scene(12, 0.8),
    '4 hide': Scene(4, 0.8, turns=0.3, hidden=0.3),
    '4 come and go': Scene(4, 0.8, guests=True),
}
STEPS = (1, 2, 3, 6, 8, 15)


def measure_tracking(repeats: int, seed: int) -> Rows:
    """IDF1 in percent for each rate and scene, of so many generated videos together."""
    rows: Rows = [{'frames/s': FPS / step} for step in STEPS]
    for name, scene in SCENES.items():
        videos = [list(play(scene, np.random.default_rng((seed, number)))) for number in range(repeats)]
        for step, row in zip(STEPS, rows, strict=True):
            known, found = [], []
            for number, video in enumerate(videos):
                tracker = Tracker(OPENPOSE18, FPS / step)
                for people, ids in video[::step]:
                    known += [(number, one) for one in ids]
                    found += [(number, one) for one in tracker(people).track_ids.tolist()]
            row[name] = 100 * idf1(known, found)
    return rows


def idf1(known: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """IDF1 of detections that are all true (Ristani et al., 2016), from 0 to 1.

    The share of detections with the right id, each known id being assigned one found id so that this is most.

    Args:
        known: each detection's true id.
        found: its id by the tracker.
    """
    pairs = Counter(zip(known, found, strict=True))
    rows, columns = ({one: index for index, one in enumerate(set(ids))} for ids in (known, found))
    together = np.zeros((len(rows), len(columns)))
    for (one, other), count in pairs.items():
        together[rows[one], columns[other]] = count
    return together[linear_sum_assignment(together, maximize=True)].sum() / len(known)


def play(scene: Scene, rng: np.random.Generator) -> Iterator[tuple[People, list[int]]]:
    """Each frame of a generated video: the people found in it, as by a network, in any order, and who they are.

    A tenth of the keypoints is missing and most of those behind somebody else's trunk; the others are 0.01 heights off.
    """
    poses = [_walk(scene, rng) for _ in range(scene.people)]  # the first is the nearest
    everybody = np.stack([keypoints for keypoints, _ in poses], axis=1)  # (T, P, K, 2)
    ids = np.stack([ids for _, ids in poses], axis=1)
    heights = np.ptp(everybody[..., 1], axis=2)[..., None, None]
    everybody = everybody + rng.normal(size=everybody.shape) * 0.01 * heights
    found = rng.random(everybody.shape[:3]) > 0.1
    found &= ((everybody >= 0) & (everybody < SIZE)).all(axis=-1) & (ids >= 0)[..., None]
    found &= ~_hidden_by_others(everybody, ids) | (rng.random(found.shape) < 0.2)
    seen = found.sum(axis=-1) >= _FEWEST
    for number in range(len(everybody)):
        order = rng.permutation(np.flatnonzero(seen[number]))
        scores = found[number, order].astype(np.float32)
        people = People(
            name=f'{number:012d}',
            image_size=SIZE,
            skeleton=OPENPOSE18,
            keypoints=np.where(scores[..., None] > 0, everybody[number, order], 0).astype(np.float32),
            keypoint_scores=scores,
            scores=scores.mean(axis=1),
            boxes=np.zeros((len(order), 4), np.float32),
        )
        yield people, ids[number, order].tolist()


def _walk(scene: Scene, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One person's keypoints (T, K, 2), and the id (T,) in each frame, -1 where nobody is to be seen."""
    count = int(_SECONDS * FPS)
    height, ground = rng.uniform(150, 250), rng.uniform(0.75, 0.95) * SIZE[1]
    speed = scene.speed * rng.uniform(0.7, 1.3) * height / FPS
    # Guests leave the image, others turn round in time.
    margin = 0.5 * SIZE[0] if scene.guests else -(0.3 + 0.4 * scene.speed) * height
    x, direction, facing, phase = rng.uniform(-min(margin, 0), SIZE[0] + min(margin, 0)), rng.choice([-1, 1]), 0.0, 0.0
    one, ids, hidden = int(rng.integers(2**31)), np.empty(count, int), 0
    keypoints = np.empty((count, len(OPENPOSE18.keypoints), 2))
    for number in range(count):
        if rng.random() < scene.turns / FPS or x < -margin and direction < 0 or x > SIZE[0] + margin and direction > 0:
            direction = -direction
        facing += np.clip(direction * np.pi / 2 - facing, -6 / FPS, 6 / FPS)
        x += speed * np.sin(facing)
        phase += 2 * np.pi * (0.6 + 0.5 * scene.speed) / FPS
        keypoints[number] = _pose(phase, facing, 0.25 + 0.2 * scene.speed) * height + (x, ground - height)
        if not -height < x < SIZE[0] + height:
            one = int(rng.integers(2**31))  # who comes back is a stranger
        hidden -= 1
        if rng.random() < scene.hidden / FPS:
            hidden = max(hidden, int(rng.uniform(0, scene.hidden_for) * FPS))
        ids[number] = one if hidden <= 0 else -1
    return keypoints, ids


def _pose(phase: float, facing: float, swing: float) -> np.ndarray:
    """(K, 2) of somebody who walks; ``facing`` is 0 to the viewer and pi / 2 to the right."""
    joints = {}
    for side, sign in (('left_', 1), ('right_', -1)):
        joints |= {side + name: np.multiply(_TRUNK[name], (sign, 1, 1)) for name in ('shoulder', 'hip', 'eye', 'ear')}
        leg = sign * swing * np.sin(phase)
        joints[side + 'knee'] = _hang(joints[side + 'hip'], leg, _THIGH)
        bent = leg - swing * max(0, sign * np.cos(phase))
        joints[side + 'ankle'] = _hang(joints[side + 'knee'], bent, _SHIN)
        joints[side + 'elbow'] = _hang(joints[side + 'shoulder'], -leg, _ARM)
        joints[side + 'wrist'] = _hang(joints[side + 'elbow'], 0.3 - leg, _FOREARM)
    joints |= {name: np.array(_TRUNK[name]) for name in ('nose', 'neck')}
    left, down, forward = np.array([joints[name] for name in OPENPOSE18.keypoints]).T
    return np.column_stack([left * np.cos(facing) + forward * np.sin(facing), down])


def _hang(joint: np.ndarray, angle: float, length: float) -> np.ndarray:
    return joint + length * np.array([0, np.cos(angle), np.sin(angle)])


def _hidden_by_others(everybody: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(T, P, K) whether a keypoint lies behind the trunk of somebody nearer."""
    trunk = [OPENPOSE18.keypoints.index(f'{side}_{name}') for name in ('shoulder', 'hip') for side in ('left', 'right')]
    low, high = everybody[:, :, trunk].min(axis=2), everybody[:, :, trunk].max(axis=2)
    wider = 0.15 * (high - low)[..., 1:] * (1, 0)
    hidden = np.zeros(everybody.shape[:3], bool)
    for front in range(everybody.shape[1]):
        behind = everybody[:, front + 1 :]
        inside = (behind > (low - wider)[:, front, None, None]) & (behind < (high + wider)[:, front, None, None])
        hidden[:, front + 1 :] |= inside.all(axis=-1) & (ids[:, front] >= 0)[:, None, None]
    return hidden
