"""Where a person's hands and face are, by the keypoints of the body, as OpenPose takes it.

Squares are (x, y, side) in the image's pixels, the centre first; the side is 0 where there is none.

Symbols: P people.
"""

from __future__ import annotations

import numpy as np

from ..people import People
from ..skeletons import Skeleton

# Lowest scores of the keypoints that are used.
_HAND_SCORE = 0.03
_FACE_SCORE = 0.25
# Smaller ones show a network nothing.
_SMALLEST = 40.0

# From the wrist on, in forearms.
_BEYOND_WRIST = 0.33


def lacking(skeleton: Skeleton, part: str) -> list[str]:
    """The keypoints without which a body model has no 'hand' or 'face'."""
    if part == 'hand':
        needed = [f'{side}_{joint}' for side in ('left', 'right') for joint in ('shoulder', 'elbow', 'wrist')]
    elif 'nose' in skeleton.keypoints:
        needed = ['left_eye', 'right_eye'] if 'neck' not in skeleton.keypoints else ['neck']
    else:
        needed = ['head_top', 'neck']  # as MPI
    return [name for name in needed if name not in skeleton.keypoints]


def hand_squares(people: People, side: str) -> np.ndarray:
    """(P, 3): beyond the wrist, as large as the longer of forearm and upper arm asks for."""
    shoulder, elbow, wrist = (_keypoint(people, f'{side}_{joint}') for joint in ('shoulder', 'elbow', 'wrist'))
    known = np.minimum(np.minimum(shoulder[:, 2], elbow[:, 2]), wrist[:, 2]) > _HAND_SCORE
    center = wrist[:, :2] + _BEYOND_WRIST * (wrist - elbow)[:, :2]
    return _squares(center, 1.5 * np.maximum(_distance(wrist, elbow), 0.9 * _distance(elbow, shoulder)), known)


def face_squares(people: People) -> np.ndarray:
    """(P, 3): the mean of what neck and nose, the eyes and the ears say, as far as they are there."""
    if 'nose' not in people.skeleton.keypoints:
        head, neck = _keypoint(people, 'head_top'), _keypoint(people, 'neck')
        return _squares(head[:, :2], 1.33 * _distance(neck, head), np.minimum(head[:, 2], neck[:, 2]) > _FACE_SCORE)
    nose, neck = _keypoint(people, 'nose'), _keypoint(people, 'neck')
    left, right = ({kind: _keypoint(people, f'{side}_{kind}') for kind in ('eye', 'ear')} for side in ('left', 'right'))
    seen = {
        name: {kind: points[:, 2] > _FACE_SCORE for kind, points in side.items()}
        for name, side in (('left', left), ('right', right))
    }
    # In profile: one eye and its ear, and nothing of the other side.
    same = (seen['left']['eye'] == seen['left']['ear']) & (seen['right']['eye'] == seen['right']['ear'])
    profile = same & (seen['left']['eye'] != seen['right']['eye'])
    near = {kind: np.where(seen['left']['eye'][:, None], left[kind], right[kind]) for kind in ('eye', 'ear')}
    profile_center = (nose + near['eye'] + near['ear'])[:, :2] / 3
    profile_side = 0.85 * (_distance(nose, near['eye']) + _distance(nose, near['ear']) + _distance(neck, nose))
    votes = [
        (
            np.where(profile[:, None], profile_center, (neck + nose)[:, :2] / 2),
            np.where(profile, profile_side, 2 * _distance(neck, nose)),
            np.minimum(neck[:, 2], nose[:, 2]) > _FACE_SCORE,
        ),
        *(
            (
                (left[kind] + right[kind])[:, :2] / 2,
                factor * _distance(left[kind], right[kind]),
                seen['left'][kind] & seen['right'][kind],
            )
            for kind, factor in (('eye', 3), ('ear', 2))
        ),
    ]
    centers, sides, known = (np.stack(values) for values in zip(*votes, strict=True))
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known[..., None], centers, 0).sum(axis=0) / count[:, None]
    return _squares(center, np.where(known, sides, 0).sum(axis=0) / count, known.any(axis=0))


def _squares(center: np.ndarray, side: np.ndarray, known: np.ndarray) -> np.ndarray:
    squares = np.column_stack([center, side])
    squares[~known | (side < _SMALLEST)] = 0
    return squares


def _keypoint(people: People, name: str) -> np.ndarray:
    """(P, 3): x, y and score; zeros of a keypoint that the body model lacks."""
    if name not in people.skeleton.keypoints:
        return np.zeros((len(people), 3))
    index = people.skeleton.keypoints.index(name)
    return np.column_stack([people.keypoints[:, index], people.keypoint_scores[:, index]]).astype(np.float64)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, :2] - b[:, :2], axis=1)
