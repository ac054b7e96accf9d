"""Upright people as arrays, for tests of maps: no image, just joints."""

from __future__ import annotations

import numpy as np

from classicpose.skeletons import OPENPOSE18

# Parts of a person of height 1, (x, y), facing the viewer.
_UPRIGHT = dict(
    nose=(0.50, 0.08), neck=(0.50, 0.20),
    right_shoulder=(0.38, 0.20), right_elbow=(0.32, 0.35), right_wrist=(0.28, 0.50),
    left_shoulder=(0.62, 0.20), left_elbow=(0.68, 0.35), left_wrist=(0.72, 0.50), right_hip=(0.42, 0.50),
    right_knee=(0.40, 0.72), right_ankle=(0.40, 0.95), left_hip=(0.58, 0.50), left_knee=(0.60, 0.72),
    left_ankle=(0.60, 0.95),
    right_eye=(0.46, 0.05), left_eye=(0.54, 0.05), right_ear=(0.41, 0.07), left_ear=(0.59, 0.07),
)  # fmt: skip
UPRIGHT = np.array([_UPRIGHT[name] for name in OPENPOSE18.keypoints])


def people_apart(count: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(count, 18, 2) people who do not overlap, one in each tile of the image, jittered, in input pixels."""
    columns = int(np.ceil(np.sqrt(count * size[0] / size[1])))
    rows = int(np.ceil(count / columns))
    tile = np.array([size[0] / columns, size[1] / rows])
    people = []
    for index in rng.permutation(columns * rows)[:count]:
        height = tile.min() * rng.uniform(0.75, 0.9)
        joints = UPRIGHT * height + rng.normal(0, 0.01 * height, UPRIGHT.shape)
        corner = np.array([index % columns, index // columns]) * tile
        low, high = joints.min(axis=0), joints.max(axis=0)
        people.append(joints - low + corner + rng.uniform(0, 1, 2) * np.maximum(tile - (high - low), 0))
    return np.array(people).clip(0, np.array(size) - 1)
