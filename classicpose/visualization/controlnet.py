"""The picture of skeletons on black that ControlNet's networks for poses were trained on.

Its sizes are in pixels whatever the picture's size, and positions are cut to whole pixels, as in the original.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..skeletons import HAND21, OPENPOSE18
from ..skeletons.skeleton import color_circle

# Without those from the ears to the shoulders. A limb has the colour of its place in this order.
_LIMBS = OPENPOSE18.limbs[:17]
_LIMB_BRIGHTNESS = 0.6
_HALF_WIDTH = 4  # of a limb, and the radius of a dot
_HAND_WIDTH = 2
_FACE_RADIUS = 3
_BLUE, _WHITE = (255, 0, 0), (255, 255, 255)


def draw_controlnet(size: tuple[int, int], people: list[dict]) -> np.ndarray:
    """Draw people as ControlNet's own programs do.

    Args:
        size: (w, h).
        people: as :func:`~classicpose.writers.controlnet.controlnet_people` makes them.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    for person in people:
        _draw_body(canvas, _keypoints(person['pose_keypoints_2d']))
        for side in ('left', 'right'):
            _draw_hand(canvas, _inside(_keypoints(person[f'hand_{side}_keypoints_2d'])))
        for point in _inside(_keypoints(person['face_keypoints_2d'])).values():
            _draw_dot(canvas, point, _FACE_RADIUS, _WHITE)
    return canvas


def _keypoints(numbers: list[float] | None) -> dict[int, tuple[float, float]]:
    """x and y by the place of each keypoint that is there."""
    table = np.reshape(numbers or [], (-1, 3))
    return {place: (x, y) for place, (x, y, score) in enumerate(table.tolist()) if score}


def _draw_body(canvas: np.ndarray, points: dict[int, tuple[float, float]]) -> None:
    for (start, end), color in zip(_LIMBS, OPENPOSE18.colors, strict=False):
        if start in points and end in points:
            (x1, y1), (x2, y2) = points[start], points[end]
            middle = int((x1 + x2) / 2), int((y1 + y2) / 2)
            half_length = int(math.hypot(x1 - x2, y1 - y2) / 2)
            angle = int(math.degrees(math.atan2(y1 - y2, x1 - x2)))
            outline = cv2.ellipse2Poly(middle, (half_length, _HALF_WIDTH), angle, 0, 360, 1)
            cv2.fillConvexPoly(canvas, outline, [int(_LIMB_BRIGHTNESS * channel) for channel in color[::-1]])
    for place, point in points.items():
        _draw_dot(canvas, point, _HALF_WIDTH, OPENPOSE18.colors[place][::-1])


def _inside(points: dict[int, tuple[float, float]]) -> dict[int, tuple[float, float]]:
    """Without those on the picture's first row or column, or before: of hands and faces they are left out."""
    return {place: point for place, point in points.items() if min(point) >= 1}


def _draw_hand(canvas: np.ndarray, points: dict[int, tuple[float, float]]) -> None:
    pixels = {place: (int(x), int(y)) for place, (x, y) in points.items()}
    for (start, end), color in zip(HAND21.limbs, color_circle(len(HAND21.limbs)), strict=True):
        if start in pixels and end in pixels:
            cv2.line(canvas, pixels[start], pixels[end], color[::-1], _HAND_WIDTH)
    for point in points.values():
        _draw_dot(canvas, point, _HALF_WIDTH, _BLUE)


def _draw_dot(canvas: np.ndarray, point: tuple[float, float], radius: int, color: tuple[int, int, int]) -> None:
    cv2.circle(canvas, (int(point[0]), int(point[1])), radius, color, thickness=-1)
