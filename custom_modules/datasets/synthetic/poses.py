"""Poses of an articulated body in three dimensions.

Convention: lengths are in body heights around the middle of the hips. The viewer's frame has x to
the right of the image, y down and z towards the viewer; the projection drops z, which only
decides what hides what. The body's own frame has x to the person's left, y down and z ahead, so a
person who faces the viewer (yaw 0) has the left side on the right of the image.

Symbols: J joints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from classicpose.skeletons import COCO17, FEET6

# COCO's keypoints first, so that the first 17 rows of any array of joints are an annotation.
JOINTS = COCO17.keypoints + (
    'neck', 'chin', 'collar', 'buckle', 'head', 'face', 'hair', 'left_waist', 'right_waist',
    'left_hand', 'right_hand', 'left_toe', 'right_toe',
) + FEET6.keypoints  # fmt: skip

# Signs of x in the body's own frame.
SIDES = {'left': 1.0, 'right': -1.0}

Range = tuple[float, float]


class _Style(NamedTuple):
    """How a pair of limbs is held.

    Attributes:
        share: how often.
        abduction: degrees the limb is lifted sideways.
        flexion: degrees it is lifted forwards.
        bend: degrees at the elbow or the knee.
        outward: whether a bent forearm points away from the body (1) or across it (-1).
    """

    share: float
    abduction: Range
    flexion: Range
    bend: Range
    outward: Range = (0, 0)


_ARM_STYLES = (
    _Style(0.38, (4, 25), (-20, 25), (0, 40), (-0.5, 0.5)),  # hanging
    _Style(0.20, (10, 50), (-10, 40), (50, 125), (-1, 1)),  # bent
    _Style(0.17, (50, 100), (-10, 20), (0, 110), (-0.3, 0.3)),  # held out
    _Style(0.15, (110, 165), (-10, 15), (0, 80), (-1, 0.3)),  # raised
    _Style(0.10, (35, 55), (-15, 5), (80, 105), (-1.5, -1)),  # hand on the hip
)
_LEG_STYLES = (
    _Style(0.45, (2, 12), (-8, 8), (0, 10)),  # standing
    _Style(0.28, (2, 10), (-25, 35), (0, 50)),  # walking
    _Style(0.17, (12, 38), (-5, 20), (0, 50)),  # apart
    _Style(0.10, (5, 30), (65, 95), (60, 100)),  # sitting
)

# In the head's own frame. The skull is two balls, the face before and below the hair, so that the
# one nearer to the viewer shows which way the head looks.
_HEAD_POINTS = {
    'head': (0, 0, 0),
    'face': (0, 0.012, 0.022),
    'hair': (0, -0.012, -0.018),
    'nose': (0, 0.014, 0.07),
    'left_eye': (0.024, -0.006, 0.058),
    'right_eye': (-0.024, -0.006, 0.058),
    'left_ear': (0.058, 0.006, -0.004),
    'right_ear': (-0.058, 0.006, -0.004),
}


def sample_yaw(rng: np.random.Generator) -> float:
    """Radians. Of eight people six face the viewer, one is in half profile, one shows the back."""
    kind = rng.random()
    if kind < 0.75:
        degrees = np.clip(rng.normal(0, 20), -45, 45)
    elif kind < 0.875:
        degrees = rng.uniform(45, 72) * rng.choice((-1, 1))
    else:
        degrees = 180 + rng.uniform(-35, 35)
    return float(np.radians(degrees))


def sample_pose(rng: np.random.Generator, yaw: float) -> tuple[np.ndarray, np.ndarray]:
    """A pose within natural limits, seen from slightly above or below.

    Args:
        yaw: radians the body is turned; 0 faces the viewer, pi shows the back.

    Returns:
        (J, 3) joints in the order of `JOINTS`, and the (3, 3) rotation from the head's frame to the viewer's.
    """
    broad, long = rng.uniform(0.9, 1.12), rng.uniform(0.95, 1.05)
    tilt = np.clip(rng.normal(0, 6), -15, 15) if rng.random() < 0.9 else rng.uniform(-35, 35)
    view = _rotation(pitch=rng.uniform(-16, 4), roll=tilt) @ _rotation(yaw=np.degrees(yaw))
    trunk = _rotation(pitch=rng.uniform(-18, 4), roll=np.clip(rng.normal(0, 5), -12, 12))
    pose = {
        'neck': trunk @ [0, -0.31 * long, 0],
        'chin': trunk @ [0, -0.345 * long, 0.01],
        'collar': trunk @ [0, -0.275 * long, 0.05],
        'buckle': np.array([0, -0.02, 0.06]),
    }
    arm, leg = _choose(rng, _ARM_STYLES), _choose(rng, _LEG_STYLES)
    for side, sign in SIDES.items():
        # The arms do the same thing less often than the legs.
        if rng.random() < 0.6:
            arm = _choose(rng, _ARM_STYLES)
        shoulder = trunk @ [sign * 0.105 * broad, -0.285 * long, 0]
        waist = trunk @ [sign * 0.062 * broad, -0.06, 0]
        pose |= {f'{side}_shoulder': shoulder, f'{side}_waist': waist}
        pose |= _arm(rng, arm, side, shoulder, trunk, long)
        pose |= _leg(rng, leg, side, np.array([sign * 0.062 * broad, 0, 0]), long)
    pose = {name: view @ point for name, point in pose.items()}

    head_yaw, pitch, roll = np.clip(rng.normal(0, (14, 7, 7)), (-28, -15, -15), (28, 15, 15))
    head = view @ trunk @ _rotation(head_yaw, pitch, roll)
    center = pose['chin'] + view @ trunk @ [0, -0.055, 0.012]
    pose |= {name: center + head @ point for name, point in _HEAD_POINTS.items()}
    return np.stack([pose[name] for name in JOINTS]), head


def _arm(
    rng: np.random.Generator,
    style: _Style,
    side: str,
    shoulder: np.ndarray,
    trunk: np.ndarray,
    long: float,
) -> dict[str, np.ndarray]:
    sign = SIDES[side]
    upper = _direction(rng, style, sign)
    outward = sign * rng.uniform(*style.outward)
    aim = np.array([outward, rng.uniform(-1.2, 0.4), rng.uniform(0, 0.6)])
    upper, lower = trunk @ upper, trunk @ _bent(upper, aim, rng.uniform(*style.bend))
    elbow = shoulder + 0.17 * long * upper
    wrist = elbow + 0.145 * long * lower
    hand = wrist + 0.035 * lower
    return {f'{side}_elbow': elbow, f'{side}_wrist': wrist, f'{side}_hand': hand}


def _leg(rng: np.random.Generator, style: _Style, side: str, hip: np.ndarray, long: float) -> dict[str, np.ndarray]:
    sign = SIDES[side]
    upper = _direction(rng, style, sign)
    knee = hip + 0.235 * long * upper
    back = np.array([0, 0, -1.0])
    ankle = knee + 0.23 * long * _bent(upper, back, rng.uniform(*style.bend))
    toe = ankle + [sign * 0.02, 0.035, 0.075]
    pose = {f'{side}_hip': hip, f'{side}_knee': knee, f'{side}_ankle': ankle, f'{side}_toe': toe}
    pose[f'{side}_big_toe'] = toe + [-sign * 0.017, 0.006, 0.01]
    pose[f'{side}_small_toe'] = toe + [sign * 0.02, 0.006, -0.012]
    pose[f'{side}_heel'] = ankle + [0, 0.03, -0.03]
    return pose


def _direction(rng: np.random.Generator, style: _Style, sign: float) -> np.ndarray:
    """(3,) unit vector of an upper arm or a thigh in the body's frame."""
    aside, ahead = np.radians([rng.uniform(*style.abduction), rng.uniform(*style.flexion)])
    down = np.cos(aside)
    return np.array([sign * np.sin(aside), down * np.cos(ahead), down * np.sin(ahead)])


def _bent(direction: np.ndarray, aim: np.ndarray, degrees: float) -> np.ndarray:
    """The unit vector ``direction`` (3,) turned towards ``aim`` (3,)."""
    side = aim - (aim @ direction) * direction
    side /= max(np.linalg.norm(side), 1e-6)
    angle = np.radians(degrees)
    return np.cos(angle) * direction + np.sin(angle) * side


def _rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3), in degrees: first yaw about y, then pitch about x, then roll about z."""
    c, s = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    about_y = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    about_x = np.array([[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]])
    about_z = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def _choose(rng: np.random.Generator, styles: Sequence[_Style]) -> _Style:
    return styles[rng.choice(len(styles), p=[style.share for style in styles])]
