"""Cartoon people: dress a pose, draw it, read off which keypoints can be seen.

Convention: pixel coordinates are (x, y) with integers at pixel centres; z has the same unit and
grows towards the viewer. Colours are BGR.

Symbols: H, W the image's height and width, J joints, C corners of a convex polygon.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from classicpose.skeletons import COCO17

from . import details
from .poses import JOINTS, SIDES, sample_pose, sample_yaw

Color = tuple[int, int, int]

# What a body's pixel can belong to: its label is the body's first label + the index here.
PARTS = (
    'head', 'torso', 'left_upper_arm', 'right_upper_arm', 'left_forearm', 'right_forearm',
    'left_thigh', 'right_thigh', 'left_shin', 'right_shin',
)  # fmt: skip

# The parts a keypoint lies on. It is visible where one of them is the foremost thing.
_PARTS_OF_KEYPOINT = {
    'nose': ('head',),
    'eye': ('head',),
    'ear': ('head',),
    'shoulder': ('torso', 'upper_arm'),
    'elbow': ('upper_arm', 'forearm'),
    'wrist': ('forearm',),
    'hip': ('torso', 'thigh'),
    'knee': ('thigh', 'shin'),
    'ankle': ('shin',),
}

# Widths and depths from here on are in body heights. Part: from, to, half width at either end, and how far in front of
# its joints it counts: an arm beside the trunk is drawn over it, a thigh under it.
_LIMBS = {
    'upper_arm': ('shoulder', 'elbow', 0.037, 0.031, 0.03),
    'forearm': ('elbow', 'wrist', 0.031, 0.023, 0.035),
    'thigh': ('hip', 'knee', 0.058, 0.044, -0.02),
    'shin': ('knee', 'ankle', 0.043, 0.028, -0.025),
}
_ENDS = {'forearm': ('wrist', 'hand', 0.024, 0.022), 'shin': ('ankle', 'toe', 0.03, 0.026)}

# How far in front of the head's centre a part of it must be not to be hidden by the head itself.
_FACE_LIMITS = {
    'nose': 0.012,
    'left_eye': 0.012,
    'right_eye': 0.012,
    'left_ear': -0.028,
    'right_ear': -0.028,
}

_SKINS = (
    (206, 224, 248), (170, 200, 240), (135, 172, 222), (98, 135, 190), (65, 95, 150), (45, 65, 105),
)  # fmt: skip
_HAIRS = (
    (25, 20, 20), (35, 50, 75), (60, 100, 150), (110, 180, 220), (45, 75, 165), (165, 165, 170),
)  # fmt: skip

_CIRCLE = np.stack([f(np.arange(12) * np.pi / 6) for f in (np.cos, np.sin)], axis=1)


@dataclass(frozen=True)
class Look:
    """What a person looks like.

    Attributes:
        build: width of trunk and limbs relative to a slim body's.
        hair_size: relative to a close cut.
        sleeves: 0 none, 1 to the elbow, 2 to the wrist.
        outline: brightness of an outline relative to its surface.
        fingers: (2, 5, 2) how far every finger of the left and of the right hand is turned to the thumb's side and
            stretched, from -1 to 1.
    """

    skin: Color
    hair: Color
    shirt: Color
    trousers: Color
    shoes: Color
    stripes: Color | None
    build: float
    hair_size: float
    sleeves: int
    shorts: bool
    outline: float
    fingers: np.ndarray


@dataclass(frozen=True)
class Person:
    """A dressed pose.

    Attributes:
        joints: (J, 3) in the order of `poses.JOINTS`: in body heights around the middle of the hips
            as sampled, in the image's pixels once `placed`.
        head: (3, 3) rotation from the head's own frame to the viewer's.
        yaw: radians the body is turned; 0 faces the viewer, pi shows the back.
        scale: pixels a body height.
    """

    joints: np.ndarray
    head: np.ndarray
    yaw: float
    look: Look
    scale: float = 1.0

    def at(self, joint: str) -> np.ndarray:
        """(3,) x, y, z of a joint."""
        return self.joints[JOINTS.index(joint)]

    def placed(self, scale: float, offset: np.ndarray) -> Person:
        """The same person enlarged by ``scale``, then shifted by ``offset`` (x, y)."""
        joints = self.joints * scale + [*offset, 0.0]
        return replace(self, joints=joints, scale=self.scale * scale)

    def box(self) -> np.ndarray:
        """(4,) x0, y0, x1, y1 around the whole body, seen or not."""
        margin = 0.05 * self.scale * self.look.build
        points = self.joints[:, :2]
        return np.concatenate([points.min(axis=0) - margin, points.max(axis=0) + margin])


class Shape(NamedTuple):
    """A filled convex polygon (C, 2) in pixels. Only a solid one is outlined and takes labels."""

    points: np.ndarray
    color: Color
    solid: bool = True


def sample_person(rng: np.random.Generator) -> Person:
    """A person in body heights around the middle of the hips."""
    yaw = sample_yaw(rng)
    joints, head = sample_pose(rng, yaw)
    return Person(joints=joints, head=head, yaw=yaw, look=sample_look(rng))


def sample_look(rng: np.random.Generator) -> Look:
    """Skin and hair of natural colours, clothes of any."""
    return Look(
        skin=_natural(rng, _SKINS),
        hair=_natural(rng, _HAIRS),
        shirt=sample_color(rng),
        trousers=sample_color(rng),
        shoes=sample_color(rng),
        stripes=sample_color(rng) if rng.random() < 0.25 else None,
        build=rng.uniform(0.95, 1.35),
        hair_size=rng.uniform(0.95, 1.15),
        sleeves=int(rng.integers(3)),
        shorts=bool(rng.random() < 0.3),
        outline=rng.uniform(0.25, 0.6),
        # Numbers of their own, so that what else is drawn does not depend on them.
        fingers=rng.spawn(1)[0].uniform(-1, 1, (2, 5, 2)),
    )


def sample_color(rng: np.random.Generator) -> Color:
    """Any BGR colour, dull ones as often as bright ones."""
    rgb = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.05, 0.95), rng.uniform(0.2, 1.0))
    return tuple(int(255 * channel) for channel in reversed(rgb))


def draw_person(image: np.ndarray, labels: np.ndarray, person: Person, first_label: int) -> None:
    """Draw a placed person over what is there.

    Args:
        image: (H, W, 3) uint8.
        labels: (H, W) uint8; the body's pixels become ``first_label`` + the index in `PARTS`.
    """
    thickness = max(1, round(0.007 * person.scale))
    for part, shapes in _body_shapes(person):
        for points, color, solid in shapes:
            points = np.round(points * 16).astype(np.int32)
            cv2.fillConvexPoly(image, points, color, cv2.LINE_AA, shift=4)
            if solid:
                edge = _shade(color, person.look.outline)
                cv2.polylines(image, [points], True, edge, thickness, cv2.LINE_AA, shift=4)
                cv2.fillConvexPoly(labels, points, first_label + PARTS.index(part), shift=4)


def read_keypoints(person: Person, labels: np.ndarray, first_label: int) -> np.ndarray:
    """COCO's keypoints of a person, once the image is finished.

    Parts of the face on the far side of the head are not labelled: COCO's annotators see no place
    to put them.

    Args:
        labels: (H, W) uint8, after everything that may hide the person was drawn.

    Returns:
        (17, 3) float64 x, y, v: v 2 visible, 1 hidden by something in front of it, 0 (then x and y
        too) not labelled or outside the image.
    """
    height, width = labels.shape
    turned_away = _turned_away(person)
    keypoints = np.zeros((len(COCO17.keypoints), 3))
    for index, name in enumerate(COCO17.keypoints):
        x, y = np.round(person.joints[index, :2], 1)
        if name in turned_away or not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            continue
        part = int(labels[round(y), round(x)]) - first_label
        visible = 0 <= part < len(PARTS) and PARTS[part] in _parts_of(name)
        keypoints[index] = x, y, 2 if visible else 1
    return keypoints


def _parts_of(keypoint: str) -> set[str]:
    side, _, kind = keypoint.rpartition('_')
    parts = _PARTS_OF_KEYPOINT[kind]
    return {part if part in PARTS else f'{side}_{part}' for part in parts}


def _turned_away(person: Person) -> set[str]:
    """The parts of the face that the head itself hides."""
    center = person.at('head')[2]
    return {name for name, limit in _FACE_LIMITS.items() if person.at(name)[2] - center < limit * person.scale}


def _body_shapes(person: Person) -> list[tuple[str, list[Shape]]]:
    """Every part with its shapes, the farthest first."""
    trunk = _depth(person, 'left_shoulder', 'right_shoulder', 'left_hip', 'right_hip')
    parts = [
        (trunk, 'torso', _torso_shapes(person)),
        (_depth(person, 'face', 'hair') + 0.02 * person.scale, 'head', _head_shapes(person)),
    ]
    for side in SIDES:
        for limb, (start, end, _, _, lift) in _LIMBS.items():
            depth = _depth(person, f'{side}_{start}', f'{side}_{end}') + lift * person.scale
            parts.append((depth, f'{side}_{limb}', _limb_shapes(person, side, limb)))
    return [(part, shapes) for _, part, shapes in sorted(parts, key=lambda entry: entry[0])]


def _limb_shapes(person: Person, side: str, limb: str) -> list[Shape]:
    """A limb, the light along it, and its hand or foot."""
    look = person.look
    colors = {
        'upper_arm': look.skin if look.sleeves == 0 else look.shirt,
        'forearm': look.shirt if look.sleeves == 2 else look.skin,
        'thigh': look.trousers,
        'shin': look.skin if look.shorts else look.trousers,
    }
    unit = person.scale * look.build
    shapes = []
    if limb in _ENDS:
        start, end, *radii = _ENDS[limb]
        color = look.skin if end == 'hand' else look.shoes
        ends = [person.at(f'{side}_{joint}')[:2] for joint in (start, end)]
        if end == 'hand':
            shapes += [Shape(_hull(finger, [0.007 * unit] * 4), color) for finger in details.fingers(person, side)]
            shapes.append(Shape(_hull(ends, np.multiply(radii, unit)), color))
        else:
            shapes += _foot_shapes(person, side, ends, np.multiply(radii, unit))
    start, end, *radii, _ = _LIMBS[limb]
    ends = np.stack([person.at(f'{side}_{joint}')[:2] for joint in (start, end)])
    radii = np.multiply(radii, unit)
    shapes.append(Shape(_hull(ends, radii), colors[limb]))
    lit = ends - 0.25 * radii[1]
    shapes.append(Shape(_hull(lit, 0.5 * radii), _shade(colors[limb], 1.15, 12), solid=False))
    return shapes


def _foot_shapes(person: Person, side: str, ends: list[np.ndarray], radii: np.ndarray) -> list[Shape]:
    """A shoe with a cap over the toes and a heel."""
    look, unit = person.look, person.scale * person.look.build
    toes = [person.at(f'{side}_{joint}')[:2] for joint in ('big_toe', 'small_toe')]
    heel = person.at(f'{side}_heel')[:2]
    return [
        Shape(_hull([*ends, heel], [*radii, 0.014 * unit]), look.shoes),
        Shape(_hull(toes, (0.012 * unit, 0.007 * unit)), _shade(look.shoes, 0.6, 70), solid=False),
        Shape(_hull([heel], (0.009 * unit,)), _shade(look.shoes, 0.45), solid=False),
    ]


def _torso_shapes(person: Person) -> list[Shape]:
    """Pelvis, neck and shirt; in front the shirt is open at the neck and buttoned."""
    look, unit = person.look, person.scale * person.look.build
    shoulders, waist, hips = (
        np.stack([person.at(f'{side}_{joint}')[:2] for side in SIDES]) for joint in ('shoulder', 'waist', 'hip')
    )
    neck, chin, collar, buckle = (person.at(joint)[:2] for joint in ('neck', 'chin', 'collar', 'buckle'))
    radii = np.multiply((0.04, 0.04, 0.058, 0.058), unit)
    shapes = [
        Shape(_hull([*waist, *hips], radii[[2, 2, 2, 2]]), look.trousers),
        Shape(_hull([neck, chin], (0.03 * unit, 0.028 * unit)), look.skin),
        Shape(_hull([*shoulders, *waist], radii), look.shirt),
    ]
    if look.stripes:
        for share in (0.2, 0.55, 0.9):
            ends = shoulders + share * (waist - shoulders)
            shapes.append(Shape(_hull(ends, radii[:2] * 0.3), look.stripes, solid=False))
    if person.at('collar')[2] > person.at('neck')[2]:
        buttons = _hull([collar, buckle], (0.008 * unit, 0.008 * unit))
        shapes.append(Shape(buttons, _shade(look.shirt, 1.0, 60), solid=False))
        opening = _hull([neck, collar], (0.035 * unit, 0.012 * unit))
        shapes.append(Shape(opening, look.skin, solid=False))
    return shapes


def _head_shapes(person: Person) -> list[Shape]:
    look = person.look
    hidden = _turned_away(person)
    ears, eyes = ([name for name in (f'left_{kind}', f'right_{kind}') if name not in hidden] for kind in ('ear', 'eye'))
    ears = [Shape(_ball(person, ear, 0.014, 0.02), _shade(look.skin, 0.9)) for ear in ears]
    face = Shape(_ball(person, 'face', 0.052, 0.066), look.skin)
    hair = Shape(_ball(person, 'hair', 0.062 * look.hair_size, 0.07 * look.hair_size), look.hair)
    looks_here = person.at('face')[2] > person.at('hair')[2]
    shapes = [*ears, *((hair, face) if looks_here else (face, hair))]
    if len(ears) == 1:
        # In profile the near ear is in the middle of the head.
        shapes += ears
    for eye in eyes:
        shapes.append(Shape(_ball(person, eye, 0.013, 0.011), (250, 250, 250), solid=False))
        shapes.append(Shape(_ball(person, eye, 0.007, 0.009), (30, 20, 20), solid=False))
    if 'nose' not in hidden:
        shapes.append(Shape(_ball(person, 'nose', 0.009, 0.013), _shade(look.skin, 0.7), False))
        lips = cv2.convexHull(details.lips(person).astype(np.float32))[:, 0]
        shapes.append(Shape(lips, (60, 50, 150), solid=False))
    for brow, eye in zip(details.brows(person), ('right_eye', 'left_eye'), strict=True):
        if eye not in hidden:
            shapes.append(Shape(_hull(brow, [0.003 * person.scale] * 5), _shade(look.hair, 0.7), solid=False))
    return shapes


def _hull(centers: Sequence[np.ndarray], radii: Sequence[float]) -> np.ndarray:
    """(C, 2) convex hull of discs."""
    discs = [center + radius * _CIRCLE for center, radius in zip(centers, radii, strict=True)]
    return cv2.convexHull(np.concatenate(discs).astype(np.float32))[:, 0]


def _ball(person: Person, joint: str, width: float, height: float) -> np.ndarray:
    """(12, 2) ellipse with these half axes, upright on the head."""
    down = person.head[:2, 1] / np.linalg.norm(person.head[:2, 1])
    across = np.array([down[1], -down[0]])
    axes = person.scale * np.stack([width * across, height * down])
    return person.at(joint)[:2] + _CIRCLE @ axes


def _depth(person: Person, *joints: str) -> float:
    return float(np.mean([person.at(joint)[2] for joint in joints]))


def _natural(rng: np.random.Generator, colors: Sequence[Color]) -> Color:
    color = colors[rng.integers(len(colors))]
    return tuple(int(np.clip(channel + rng.integers(-15, 16), 0, 255)) for channel in color)


def _shade(color: Color, factor: float, offset: int = 0) -> Color:
    return tuple(min(255, int(factor * channel) + offset) for channel in color)
