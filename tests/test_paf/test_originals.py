"""The decoders named after other programs against what these programs find in the same maps.

``originals.json`` holds the keypoints (18 of x, y and height) of the people whom pytorch-openpose (5ee71dc, scale 1)
and lightweight-human-pose-estimation.pytorch (d23c284, as its demo) find in three noisy crowds. With pytorch-openpose
a limb whose end alone is in a person adds nothing, and one between people who cannot be joined replaces a keypoint.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from crowds import STRIDE, Maps, crowd, draw_noisily

from classicpose.paf import DECODERS, decode_people
from classicpose.skeletons import OPENPOSE18

ORIGINALS = json.loads((Path(__file__).parent / 'originals.json').read_text())
COUNTS = {'0': 3, '1': 5, '2': 8}


def crowd_maps(seed: str) -> Maps:
    rng = np.random.default_rng(int(seed))
    people, visible = crowd(COUNTS[seed], rng, (90, 300), outside=0.2, missing=0.1, size=(448, 368))
    return draw_noisily(people, visible, rng, (56, 46), noise=(0.02, 0.05))


@pytest.mark.parametrize(('decoder', 'least'), [('python', 172 / 180), ('lightweight', 1)])
def test_the_same_people_as_the_original(decoder: str, least: float) -> None:
    """The share of keypoints alike, positions to a cell of the enlarged map, heights to a thousandth."""
    same = total = 0
    for seed, originals in ORIGINALS.items():
        expected = np.array(originals[decoder])
        keypoints, scores, _ = decode_people(*crowd_maps(seed), OPENPOSE18, STRIDE, DECODERS[decoder])
        assert len(keypoints) == len(expected)
        places, heights = expected[..., :2], expected[..., 2]
        near = np.abs(keypoints[:, None] - places).max(axis=-1) <= STRIDE / DECODERS[decoder].upsample
        equal = np.where(heights > 0, near & (np.abs(scores[:, None] - heights) < 1e-3), scores[:, None] == 0)
        same += equal.sum(axis=2).max(axis=0).sum()
        total += heights.size
    assert same >= least * total
