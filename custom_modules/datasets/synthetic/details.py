"""Feet, hands and faces of synthetic people, in the order of COCO-WholeBody's keypoints.

Convention: image pixels (x, y), of people who are placed. A hand's own frame runs along the forearm and, across it, to
the side of the thumb, in lengths of the hand.
"""

from __future__ import annotations

import numpy as np

from classicpose.skeletons import COCO17, FACE68, FEET6, HAND21

from .person import Person
from .poses import SIDES

# From the wrist to the tip of the middle finger, in body heights.
_HAND_LENGTH = 0.095
# Of each finger: its root along and across the hand, its length, and the degrees it points aside.
_FINGERS = (
    (0.22, 0.24, 0.48, 42),
    (0.50, 0.19, 0.46, 9),
    (0.53, 0.05, 0.48, 0),
    (0.50, -0.09, 0.45, -8),
    (0.44, -0.21, 0.38, -20),
)
_TURN = 7.0  # degrees, to either side
_SHORTEST = 0.6  # of a bent finger's length
# A hand whose forearm points at the viewer has no direction to draw it in.
_LEAST_LENGTH = 0.25


def foot_keypoints(person: Person) -> np.ndarray:
    """(6, 2): big toe, small toe and heel of the left foot, then of the right."""
    return np.stack([person.at(name)[:2] for name in FEET6.keypoints])


def hand_keypoints(person: Person, side: str) -> np.ndarray:
    """(21, 2) of the person's left or right hand."""
    wrist, end = person.at(f'{side}_wrist'), person.at(f'{side}_hand')
    forward = (end - wrist)[:2] / max(np.linalg.norm(end - wrist), 1e-6)
    length = np.linalg.norm(forward)
    forward = forward / length * max(length, _LEAST_LENGTH) if length > 0 else np.array([0, _LEAST_LENGTH])
    # The thumb of a hand that hangs down points to the body, and from behind to the other side.
    turn = SIDES[side] * (1 if np.cos(person.yaw) >= 0 else -1)
    thumbward = np.array([-forward[1], forward[0]]) / np.linalg.norm(forward) * turn
    frame = person.scale * _HAND_LENGTH * np.stack([forward, thumbward])
    points = [np.zeros(2)]
    for (along, across, finger, degrees), (aside, bend) in zip(
        _FINGERS, person.look.fingers[list(SIDES).index(side)], strict=True
    ):
        angle = np.radians(degrees + _TURN * aside)
        reach = finger * (_SHORTEST + (1 - _SHORTEST) * (bend + 1) / 2)
        steps = np.linspace(0, 1, 4)[:, None] * reach * [np.cos(angle), np.sin(angle)]
        points += list(np.array([along, across]) + steps)
    return wrist[:2] + np.stack(points) @ frame


def face_keypoints(person: Person) -> np.ndarray:
    """(68, 2), of the far side of a head that is turned, too."""
    return person.at('head')[:2] + person.scale * _FACE @ person.head[:2].T


def fingers(person: Person, side: str) -> list[np.ndarray]:
    """(4, 2) of every finger, from its root to its tip."""
    points = hand_keypoints(person, side)
    return [points[first : first + 4] for first in range(1, len(HAND21.keypoints), 4)]


def whole_body(person: Person, keypoints: np.ndarray, shape: tuple[int, int]) -> dict:
    """COCO-WholeBody's entries of an annotation: ``foot_kpts``, ``lefthand_box``, ``face_valid`` and so on.

    Feet and hands are labelled with the ankle and the wrist before them, and as visible as these; a face where the nose
    and both eyes are seen.

    Args:
        keypoints: (17, 3) of COCO's, with their visibility.
        shape: (H, W) of the image.
    """
    seen = dict(zip(COCO17.keypoints, keypoints[:, 2].astype(int), strict=True))
    feet = np.repeat([seen['left_ankle'], seen['right_ankle']], 3)
    face = all(seen[name] == 2 for name in ('nose', 'left_eye', 'right_eye'))
    parts = dict(
        foot=(foot_keypoints(person), feet),
        lefthand=(hand_keypoints(person, 'left'), np.full(21, seen['left_wrist'])),
        righthand=(hand_keypoints(person, 'right'), np.full(21, seen['right_wrist'])),
        face=(face_keypoints(person), np.full(len(FACE68.keypoints), 2 * face)),
    )
    entries = {}
    for name, (points, visible) in parts.items():
        points = points.round(1)
        inside = ((points >= 0) & (points <= np.array(shape[::-1]) - 1)).all(axis=1)
        visible = np.where(inside, visible, 0)
        table = np.where(visible[:, None] > 0, np.column_stack([points, visible]), 0)
        # A hand or a face of which a part is cut off or hidden is none to learn from.
        valid = bool((visible > 0).any() if name == 'foot' else (visible == 2).all())
        entries |= {f'{name}_valid': valid, f'{name}_kpts': [round(float(value), 1) for value in table.ravel()]}
        if name != 'foot':
            x, y, right, below = np.concatenate([points.min(axis=0), points.max(axis=0)]) if valid else np.zeros(4)
            entries[f'{name}_box'] = [round(float(value), 1) for value in (x, y, right - x, below - y)]
    return entries


def _ellipse(x: float, y: float, z: float, half: tuple[float, float], degrees: list[float]) -> list[tuple]:
    """Points around (x, y) from the person's right side (180 degrees) over the top (-90) to the left (0)."""
    angles = np.radians(degrees)
    return [(x + half[0] * np.cos(angle), y + half[1] * np.sin(angle), z) for angle in angles]


def _face() -> np.ndarray:
    """(68, 3) in the head's own frame, in body heights: x to the person's left, y down, z ahead."""
    jaw = [
        (0.051 * np.sin(angle), 0.012 + 0.065 * np.cos(angle), 0.04 * np.cos(angle / 2))
        for angle in np.radians(np.linspace(-95, 95, 17))
    ]
    arch = zip((0.04, 0.034, 0.027, 0.02, 0.012), (0, 4e-3, 5e-3, 4e-3, 1e-3), strict=True)
    right_brow = [(-x, -0.021 - lift, 0.056) for x, lift in arch]
    bridge = [(0, y, z) for y, z in zip((-0.006, 0.001, 0.008, 0.014), (0.06, 0.064, 0.068, 0.072), strict=True)]
    base = [(x, 0.021 - abs(x) / 5, 0.064) for x in (-0.01, -0.005, 0, 0.005, 0.01)]
    eye = [180, -120, -60, 0, 60, 120]
    mouth = 0.044
    return np.array(
        jaw
        + right_brow
        + [(-x, y, z) for x, y, z in reversed(right_brow)]
        + bridge
        + base
        + _ellipse(-0.024, -0.006, 0.058, (0.012, 0.009), eye)
        + _ellipse(0.024, -0.006, 0.058, (0.012, 0.009), eye)
        + _ellipse(0, mouth, 0.062, (0.019, 0.009), [180, -150, -120, -90, -60, -30, 0, 30, 60, 90, 120, 150])
        + _ellipse(0, mouth, 0.062, (0.014, 0.004), [180, -135, -90, -45, 0, 45, 90, 135])
    )


_FACE = _face()


def brows(person: Person) -> list[np.ndarray]:
    """(5, 2) of the right brow and of the left one."""
    points = face_keypoints(person)
    return [points[17:22], points[22:27]]


def lips(person: Person) -> np.ndarray:
    """(12, 2), the outline of the mouth."""
    return face_keypoints(person)[48:60]
