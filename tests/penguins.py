"""Drawn penguins in COCO's format: somebody's own keypoints."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 200, 160
CATEGORY = 7  # not 1, COCO's person
KEYPOINTS = ('head', 'chest', 'left_wing', 'right_wing', 'left_foot', 'right_foot')


def write_penguins(root: Path, split: str, count: int, seed: int) -> None:
    """``root/<split>/*.jpg``, two or three penguins each, and ``root/annotations/<split>.json``."""
    rng = np.random.default_rng(seed)
    (root / split).mkdir(parents=True)
    (root / 'annotations').mkdir(exist_ok=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        colors = rng.integers(90, 200, (5, 6, 3), dtype=np.uint8)
        image = cv2.resize(colors, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        name = f'{split}_{number:03d}.jpg'
        penguins = rng.integers(2, 4)
        for place in range(penguins):
            center = np.array([WIDTH * (place + rng.uniform(0.4, 0.6)) / penguins, rng.uniform(45, 110)])
            annotation = _draw_penguin(image, center, rng.uniform(50, 75), rng)
            annotations.append(annotation | dict(id=len(annotations) + 1, image_id=number))
        images.append(dict(id=number, file_name=name, width=WIDTH, height=HEIGHT))
        cv2.imwrite(str(root / split / name), image)
    category = dict(id=CATEGORY, name='penguin', keypoints=KEYPOINTS)
    contents = dict(images=images, annotations=annotations, categories=[category])
    (root / f'annotations/{split}.json').write_text(json.dumps(contents))


def _draw_penguin(image: np.ndarray, center: np.ndarray, height: float, rng: np.random.Generator) -> dict:
    """Draw one, its chest at ``center``, and annotate it; seen from behind it is a mirror image."""
    behind = rng.random() < 0.3
    outward = np.array([-1, 1]) if behind else np.array([1, -1])  # of its left and its right, in the image
    angle = rng.uniform(-20, 20)
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    lift = np.deg2rad(rng.uniform(-30, 70, 2))
    shoulders = np.column_stack([0.14 * outward, np.full(2, -0.15)])
    wings = shoulders + 0.3 * np.column_stack([outward * np.cos(lift), np.sin(lift)])
    feet = np.column_stack([outward * rng.uniform(0.08, 0.2, 2), np.full(2, 0.46)])
    body = np.vstack([(rng.uniform(-0.06, 0.06), -0.4), (0, -0.05), wings, feet, shoulders, (0, 0.03)])
    points = body @ np.array([[cosine, sine], [-sine, cosine]]) * height + center

    mask = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    for canvas in (image, mask):
        _paint(canvas, points, height, angle, behind)
    keypoints = np.round(points[:6], 1)
    inside = ((keypoints > 0) & (keypoints < (WIDTH - 1, HEIGHT - 1))).all(axis=1)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return dict(
        category_id=CATEGORY,
        iscrowd=0,
        keypoints=(np.column_stack([keypoints, np.full(6, 2)]) * inside[:, None]).ravel().tolist(),
        num_keypoints=int(inside.sum()),
        bbox=list(cv2.boundingRect(mask)),
        area=int(np.count_nonzero(mask)),
        segmentation=[outline.ravel().tolist() for outline in outlines if len(outline) > 2],
    )


def _paint(canvas: np.ndarray, points: np.ndarray, height: float, angle: float, behind: bool) -> None:
    """The wings, feet, body and head; all white on a mask of one channel."""
    fraction = dict(lineType=cv2.LINE_AA, shift=4)  # coordinates in sixteenths of a pixel

    def color(*bgr: int) -> tuple[int, ...]:
        return bgr if canvas.shape[2] == 3 else (255,)

    def sixteenths(length: object) -> list[int]:
        return np.round(np.multiply(length, 16)).astype(int).tolist()

    for wing, shoulder in zip(points[2:4], points[6:8], strict=True):
        width = round(0.09 * height)
        cv2.line(canvas, sixteenths(shoulder), sixteenths(wing), color(160, 60, 20), width, **fraction)
    for foot in points[4:6]:
        cv2.circle(canvas, sixteenths(foot), sixteenths(0.07 * height), color(0, 120, 255), -1, **fraction)
    back, belly, beak = color(40, 30, 30), color(240, 240, 240), color(0, 220, 255)
    shapes = [((0.2, 0.4), back)] if behind else [((0.2, 0.4), back), ((0.12, 0.3), belly)]
    for axes, paint in shapes:
        size = sixteenths(np.multiply(axes, height))
        cv2.ellipse(canvas, sixteenths(points[8]), size, angle, 0, 360, paint, -1, **fraction)
    for radius, paint in ((0.13, back),) if behind else ((0.13, back), (0.05, beak)):
        cv2.circle(canvas, sixteenths(points[0]), sixteenths(radius * height), paint, -1, **fraction)
