"""Compose images of synthetic people: background, people, things in front of them, light and noise.

Convention: pixel coordinates are (x, y) with integers at pixel centres; sizes are (width, height).

Symbols: H, W the image's height and width.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from classicpose.skeletons import COCO17

from .people import PARTS, draw_person
from .person import Person, sample_color, sample_person

# Of the images.
EMPTY_SHARE = 0.03
CROWD_SHARE = 0.05
# Of the people.
OCCLUDED_SHARE = 0.25
CROPPED_SHARE = 0.15
CLOSE_UP_SHARE = 0.08

# For 1, 2, 3, 4 people: how often, and their largest height relative to the image's.
_COUNT_SHARES = (0.5, 0.32, 0.13, 0.05)
_LARGEST = (0.95, 0.8, 0.68, 0.6)


@dataclass(frozen=True)
class SyntheticImage:
    """A finished image and what is where in it.

    Attributes:
        image: (H, W, 3) uint8 BGR.
        labels: (H, W) uint8, 0 for no one; ``people[i]`` has the labels from ``first_label(i)``,
            and a crowd those that would be the next person's.
        people: the farthest first.
    """

    image: np.ndarray
    labels: np.ndarray
    people: list[Person]
    has_crowd: bool

    def mask(self, index: int) -> np.ndarray:
        """(H, W) bool: what is seen of person ``index``."""
        first = first_label(index)
        return (self.labels >= first) & (self.labels < first + len(PARTS))


def first_label(index: int) -> int:
    """Where the labels of an image's person ``index`` begin."""
    return 1 + index * len(PARTS)


def compose_image(rng: np.random.Generator, size: tuple[int, int]) -> SyntheticImage:
    """Draw an image with nobody, one to four people, perhaps a crowd behind them."""
    image = draw_background(rng, size)
    labels = np.zeros(image.shape[:2], np.uint8)
    people: list[Person] = []
    has_crowd = False
    if rng.random() >= EMPTY_SHARE:
        people = place_people(rng, 1 + int(rng.choice(4, p=_COUNT_SHARES)), size)
        has_crowd = bool(rng.random() < CROWD_SHARE)
    if has_crowd:
        for person in place_crowd(rng, size):
            draw_person(image, labels, person, first_label(len(people)))
    for index, person in enumerate(people):
        draw_person(image, labels, person, first_label(index))
        if rng.random() < OCCLUDED_SHARE:
            draw_occluder(rng, image, labels, person)
    return SyntheticImage(photograph(rng, image), labels, people, has_crowd)


def draw_background(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8: gradients, often with a horizon, stains of several sizes, things, lines."""
    width, height = size
    image = _stretched(_random_colors(rng), size)
    if rng.random() < 0.5:
        horizon = int(height * rng.uniform(0.3, 0.8))
        image[horizon:] = _stretched(_random_colors(rng), (width, height - horizon))
    for cells in (4, 12, 40):
        strength = rng.uniform(0, 45)
        image += _stretched(rng.uniform(-strength, strength, (cells, cells)), size)[..., None]
    image = np.clip(image, 0, 255).astype(np.uint8)
    for _ in range(rng.integers(9)):
        _draw_clutter(rng, image)
    return image


def place_people(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[Person]:
    """Up to ``count`` (1 to 4) people, farthest first; one who would hide too much is left out."""
    people: list[Person] = []
    for _ in range(count):
        for _attempt in range(8):
            relative = rng.uniform(0.4, _LARGEST[count - 1])
            if count < 3 and rng.random() < CLOSE_UP_SHARE:
                relative = rng.uniform(1.1, 1.6)
            person = place_person(rng, sample_person(rng), relative * min(size), size)
            if all(_shared(person.box(), other.box()) < 0.3 for other in people):
                people.append(person)
                break
    return sorted(people, key=lambda person: person.scale)


def place_person(rng: np.random.Generator, person: Person, scale: float, size: tuple[int, int]) -> Person:
    """A sampled person at ``scale`` pixels a body height, in the image or cut by its border."""
    x0, y0, x1, y1 = person.placed(scale, np.zeros(2)).box()
    extent, image = np.array([x1 - x0, y1 - y0]), np.array(size)
    if rng.random() < CROPPED_SHARE:
        corner = rng.uniform(0, 1, 2) * image - extent / 2
    else:
        corner = rng.uniform(0, 1, 2) * (image - extent)
    if extent[1] > image[1]:
        # A close-up shows the head and loses the legs.
        corner[1] = rng.uniform(0, 0.15) * image[1]
    return person.placed(scale, corner - [x0, y0])


def place_crowd(rng: np.random.Generator, size: tuple[int, int]) -> list[Person]:
    """Four to eight small people shoulder to shoulder, the farthest first."""
    scale = min(size) * rng.uniform(0.14, 0.24)
    corner = rng.uniform((0.1, 0.2), (0.6, 0.8)) * size
    count = int(rng.integers(4, 9))
    offsets = corner + scale * np.stack(
        [
            0.32 * (np.arange(count) + rng.uniform(-0.2, 0.2, count)),
            rng.uniform(-0.15, 0.15, count),
        ],
        axis=1,
    )
    offsets = offsets[np.argsort(offsets[:, 1])]
    return [sample_person(rng).placed(scale, offset) for offset in offsets]


def draw_occluder(rng: np.random.Generator, image: np.ndarray, labels: np.ndarray, person: Person) -> None:
    """Hide some of a person, and of everyone behind, under a box or an ellipse."""
    joint = person.joints[rng.integers(len(COCO17.keypoints)), :2]
    center = joint + rng.normal(0, 0.06, 2) * person.scale
    half = rng.uniform(0.05, 0.14, 2) * min(person.scale, max(labels.shape))
    points, color = _box_or_ellipse(rng, center, half), sample_color(rng)
    edge = tuple(channel // 2 for channel in color)
    cv2.fillConvexPoly(image, points, color, cv2.LINE_AA, shift=4)
    cv2.polylines(image, [points], True, edge, 1, cv2.LINE_AA, shift=4)
    cv2.fillConvexPoly(labels, points, 0, shift=4)


def photograph(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: the drawing under uneven light, sometimes blurred, with a sensor's noise."""
    height, width = image.shape[:2]
    light = _stretched(rng.uniform(0.75, 1.15, (3, 3)), (width, height))[..., None]
    if rng.random() < 0.25:
        image = cv2.GaussianBlur(image, (3, 3), rng.uniform(0.4, 0.9))
    strength = int(rng.integers(2, 14))
    noise = rng.integers(0, 2 * strength + 1, image.shape, dtype=np.uint8).astype(np.float32)
    return np.clip(image * light + (noise - strength), 0, 255).astype(np.uint8)


def _draw_clutter(rng: np.random.Generator, image: np.ndarray) -> None:
    """A thing or a line anywhere. Some lines are as thick as limbs: not every bar is a limb."""
    size = np.array(image.shape[1::-1])
    half = rng.uniform(0.02, 0.22, 2) * min(size)
    start, end = rng.uniform(0, 1, (2, 2)) * size
    color = sample_color(rng)
    if rng.random() < 0.5:
        points = _box_or_ellipse(rng, start, half)
        cv2.fillConvexPoly(image, points, color, cv2.LINE_AA, shift=4)
    else:
        thickness = int(rng.choice((1, max(2, int(half.min())))))
        start, end = (tuple(int(value) for value in point) for point in (start, end))
        cv2.line(image, start, end, color, thickness, cv2.LINE_AA)


def _box_or_ellipse(rng: np.random.Generator, center: np.ndarray, half: np.ndarray) -> np.ndarray:
    """(C, 1, 2) int32 corners of either, turned at random, in sixteenths of a pixel."""
    corners = int(rng.choice((4, 24)))
    angles = (np.arange(corners) + 0.5) * 2 * np.pi / corners
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * half
    turn = rng.uniform(0, np.pi)
    points = points @ [[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]] + center
    return np.round(points * 16).astype(np.int32)[:, None]


def _shared(a: np.ndarray, b: np.ndarray) -> float:
    """What two boxes (4,) have in common, relative to the smaller one."""
    common = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    return common / min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod())


def _random_colors(rng: np.random.Generator) -> np.ndarray:
    """(2, 2, 3): one colour a corner."""
    return np.array([[sample_color(rng) for _ in range(2)] for _ in range(2)])


def _stretched(grid: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A coarse grid (rows, columns, ...) as a smooth float32 image (H, W, ...)."""
    return cv2.resize(grid.astype(np.float32), size, interpolation=cv2.INTER_CUBIC)
