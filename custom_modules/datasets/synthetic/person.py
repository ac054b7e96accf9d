"""Cartoon people: a dressed pose, and how it is drawn at random.

Convention: z has the unit of x and y and grows towards the viewer. Colours are BGR.

Symbols: J joints.
"""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .poses import JOINTS, sample_pose, sample_yaw

Color = tuple[int, int, int]

_SKINS = (
    (206, 224, 248), (170, 200, 240), (135, 172, 222), (98, 135, 190), (65, 95, 150), (45, 65, 105),
)  # fmt: skip
_HAIRS = (
    (25, 20, 20), (35, 50, 75), (60, 100, 150), (110, 180, 220), (45, 75, 165), (165, 165, 170),
)  # fmt: skip


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


def _natural(rng: np.random.Generator, colors: Sequence[Color]) -> Color:
    color = colors[rng.integers(len(colors))]
    return tuple(int(np.clip(channel + rng.integers(-15, 16), 0, 255)) for channel in color)
