"""Cartoon people: draw them, read off which keypoints can be seen.

Convention: pixel coordinates are (x, y) with integers at pixel centres; z has the same unit and
grows towards the viewer. Colours are BGR.

Symbols: H, W the image's height and width, J joints, C corners of a convex polygon.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from classicpose.skeletons import COCO17

from . import details
from .person import Color, Person
from .poses import SIDES

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

_CIRCLE = np.stack([f(np.arange(12) * np.pi / 6) for f in (np.cos, np.sin)], axis=1)


class Shape(NamedTuple):
    """A filled convex polygon (C, 2) in pixels. Only a solid one is outlined and takes labels."""

    points: np.ndarray
    color: Color
    solid: bool = True


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


def _shade(color: Color, factor: float, offset: int = 0) -> Color:
    return tuple(min(255, int(factor * channel) + offset) for channel in color)
