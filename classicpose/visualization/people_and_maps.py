"""People, heatmaps and part affinity fields drawn on images.

Images are (H, W, 3) BGR uint8. Points are (x, y) in pixels, integers at pixel centres.

Symbols: P people, K keypoints, L limbs, (w, h) the size of a network's maps in cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from ..skeletons import Skeleton

# Half a limb's width over the size of its person. Its bounds are over the image's diagonal, so
# that people small in the image stay visible and large ones are not hidden by their limbs.
_THICKNESS = 0.017
_THICKNESS_BOUNDS = (0.0025, 0.007)
_SMALLEST_THICKNESS = 1.5  # pixels

# OpenPose's look: crossing limbs, and the image below them, show through.
_LIMB_OPACITY = 0.65

# cv2 takes sub-pixel coordinates as integers with this many fractional bits, ...
_FRACTION_BITS = 6
# ... 32 in all. A keypoint farther than this from the origin, in pixels, counts as missing.
_FARTHEST = 2.0**20

# How bright the image below a map remains, and how much of it the longest vectors hide.
_DIMMED = 0.5
_FIELD_OPACITY = 0.8

_CAPTION_HEIGHT = 24  # pixels

# OpenPose's own, higher than the body's: a maximum is there in every map.
_PART_THRESHOLDS = dict(hand_left=0.2, hand_right=0.2, face=0.4)


def part_threshold(part: str, threshold: float) -> float:
    """From which score on keypoints of a part, one of :data:`~classicpose.people.PARTS` or another, are drawn."""
    return max(threshold, _PART_THRESHOLDS.get(part, 0.0))


def draw_people(
    image: np.ndarray,
    keypoints: np.ndarray,
    scores: np.ndarray,
    skeleton: Skeleton,
    score_threshold: float = 0.05,
) -> np.ndarray:
    """Draw people as coloured sticks, each person over the ones before.

    A keypoint is missing if its score is 0 or at most ``score_threshold``, or if its score or position is not a number.
    A limb is drawn if neither of its keypoints is missing.

    Args:
        image: (H, W, 3).
        keypoints: (P, K, 2) pixels.
        scores: (P, K).

    Returns:
        A new image; with no people an equal one.
    """
    canvas = image.copy()
    # Comparisons with NaN are False.
    present = (scores > max(score_threshold, 0.0)) & (np.abs(keypoints) < _FARTHEST).all(axis=-1)
    for person, there in zip(np.asarray(keypoints, dtype=np.float64), present, strict=True):
        if there.any():
            _draw_person(canvas, person, there, skeleton)
    return canvas


def _draw_person(canvas: np.ndarray, person: np.ndarray, there: np.ndarray, skeleton: Skeleton) -> None:
    thickness = _thickness(person[there], canvas.shape)
    for (start, end), color in zip(skeleton.limbs, skeleton.limb_colors, strict=True):
        if there[start] and there[end]:
            _blend(canvas, _ellipse(person[start], person[end], thickness), color, _LIMB_OPACITY)
    for keypoint in np.flatnonzero(there):
        dot = _ellipse(person[keypoint], person[keypoint], thickness)
        _blend(canvas, dot, skeleton.colors[keypoint], opacity=1.0)


def _thickness(keypoints: np.ndarray, shape: tuple[int, ...]) -> float:
    """Half a limb's width in pixels for a person with the keypoints (M, 2)."""
    lowest, highest = np.hypot(shape[0], shape[1]) * np.array(_THICKNESS_BOUNDS)
    person_size = np.hypot(*np.ptp(keypoints, axis=0))
    return max(float(np.clip(_THICKNESS * person_size, lowest, highest)), _SMALLEST_THICKNESS)


def _ellipse(start: np.ndarray, end: np.ndarray, thickness: float) -> np.ndarray:
    """The outline (M, 2) of the ellipse from one point to another, a disc where they meet."""
    forward = (end - start) / 2
    length = np.hypot(*forward)
    if length < thickness:
        forward, length = np.array([thickness, 0.0]), thickness
    sideward = np.array([-forward[1], forward[0]]) * (thickness / length)
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    return (start + end) / 2 + np.cos(angles) * forward + np.sin(angles) * sideward


def _blend(canvas: np.ndarray, outline: np.ndarray, rgb: tuple[int, int, int], opacity: float) -> None:
    """Fill a convex outline (M, 2) on the canvas, in place and with smooth edges."""
    # Two pixels more than the outline's box, for the smooth edge.
    left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.maximum(np.ceil(outline.max(axis=0)).astype(int) + 3, 0)
    region = canvas[top:bottom, left:right]
    if region.size == 0:
        return
    mask = np.zeros(region.shape[:2], dtype=np.uint8)
    corners = np.round((outline - (left, top)) * 2**_FRACTION_BITS).astype(np.int32)
    cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, _FRACTION_BITS)
    weight = mask[..., None] * (opacity / 255)
    region[:] = np.round(region + weight * (np.array(rgb[::-1]) - region.astype(np.float64)))


def draw_heatmaps(image: np.ndarray, heatmaps: np.ndarray, image_to_map: np.ndarray) -> np.ndarray:
    """Lay the strongest keypoint of each place over the dimmed image, 0 clear and 1 brightest.

    Args:
        image: (H, W, 3).
        heatmaps: (K, h, w), the keypoints' without the background's.
        image_to_map: (2, 3), of :func:`image_to_map_matrix`.
    """
    # Cubic: a peak between cells stays between them.
    heat = _sample(heatmaps.max(axis=0), image_to_map, image.shape, cv2.INTER_CUBIC).clip(0, 1)
    colors = cv2.applyColorMap(np.round(255 * heat).astype(np.uint8), cv2.COLORMAP_INFERNO)
    return _overlay(image, colors, heat)


def draw_pafs(image: np.ndarray, pafs: np.ndarray, image_to_map: np.ndarray) -> np.ndarray:
    """Lay the longest vector of each place over the dimmed image: its direction as hue.

    Args:
        image: (H, W, 3).
        pafs: (2 L, h, w), the x and the y component of a limb in turn.
        image_to_map: (2, 3), of :func:`image_to_map_matrix`.
    """
    fields = pafs.reshape(-1, 2, *pafs.shape[1:])
    longest = np.hypot(fields[:, 0], fields[:, 1]).argmax(axis=0)
    field = np.take_along_axis(fields, longest[None, None], axis=0)[0]
    # Linear: a cubic would ring at the limbs' sharp edges.
    field = _sample(np.moveaxis(field, 0, -1), image_to_map, image.shape, cv2.INTER_LINEAR)
    length, angle = cv2.cartToPolar(field[..., 0], field[..., 1], angleInDegrees=True)
    # cv2 keeps hues in half degrees.
    hue = np.round(angle / 2).astype(np.uint8) % 180
    full = np.full_like(hue, 255)
    colors = cv2.cvtColor(np.dstack([hue, full, full]), cv2.COLOR_HSV2BGR)
    return _overlay(image, colors, _FIELD_OPACITY * length.clip(0, 1))


def _sample(maps: np.ndarray, image_to_map: np.ndarray, shape: tuple[int, ...], interpolation: int) -> np.ndarray:
    """Maps (h, w) or (h, w, 2) at every pixel of an image, (H, W[, 2]) float32, 0 outside."""
    # A diverged network's NaN would spread to its neighbours.
    maps = np.nan_to_num(np.ascontiguousarray(maps, dtype=np.float32), posinf=0, neginf=0)
    # With WARP_INVERSE_MAP the matrix leads from the result's pixels to the source's.
    flags = interpolation | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(maps, image_to_map, (shape[1], shape[0]), flags=flags)


def _overlay(image: np.ndarray, colors: np.ndarray, weight: np.ndarray) -> np.ndarray:
    weight = weight[..., None]
    return np.round(image * (_DIMMED * (1 - weight)) + colors * weight).astype(np.uint8)


def side_by_side(images: Mapping[str, np.ndarray], height: int) -> np.ndarray:
    """Join images, scaled to one height, from left to right, each below its caption."""
    panels = []
    for caption, image in images.items():
        width = max(round(image.shape[1] * height / image.shape[0]), 1)
        scaled = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        strip = np.zeros((_CAPTION_HEIGHT, width, 3), dtype=np.uint8)
        baseline = (6, _CAPTION_HEIGHT - 8)
        cv2.putText(strip, caption, baseline, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255,) * 3, 1, cv2.LINE_AA)
        panels.append(np.vstack([strip, scaled]))
    return np.hstack(panels)
