"""The decoders named after other programs against what these programs find in the same maps.

``originals.json`` holds the keypoints (18 of x, y and height) of the people whom pytorch-openpose (5ee71dc, scale 1)
and lightweight-human-pose-estimation.pytorch (d23c284, as its demo) find in three noisy crowds. With pytorch-openpose
a limb whose end alone is in a person adds nothing, and one between people who cannot be joined replaces a keypoint.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from crowds import STRIDE, Maps, crowd, draw, draw_noisily

from classicpose.paf import DECODERS, decode_people
from classicpose.skeletons import OPENPOSE18

ORIGINALS = json.loads((Path(__file__).parent / 'originals.json').read_text())
# As their code has them: connect56LineVec.m of the CVPR release, its notebook demo.ipynb, OpenPose 1.7 with its flags'
# defaults, and modules/keypoints.py of lightweight-human-pose-estimation.pytorch.
CONSTANTS = {
    'matlab': dict(
        peak_threshold=0.1, smoothing=0, neighbours=4, subpixel='none', peak_distance=6, samples=10, paf_threshold=0.05,
        pass_ratio=0.8, mean_of_passing=True, length_prior=True, short_limb=0, merge=False, min_parts=3, min_score=0.2,
    ),
    'python': dict(
        peak_threshold=0.1, smoothing=3, neighbours=4, subpixel='none', peak_distance=0, samples=10, paf_threshold=0.05,
        pass_ratio=0.8, mean_of_passing=False, length_prior=True, short_limb=0, merge=True, min_parts=4, min_score=0.4,
    ),
    'openpose': dict(
        peak_threshold=0.05, smoothing=0, neighbours=8, subpixel='centroid', peak_distance=0, samples=None,
        paf_threshold=0.05, pass_ratio=0.95, mean_of_passing=False, length_prior=False, short_limb=3, merge=True,
        min_parts=3, min_score=0.4,
    ),
    'lightweight': dict(
        peak_threshold=0.1, smoothing=0, neighbours=4, subpixel='none', peak_distance=12, samples=10,
        paf_threshold=0.05, pass_ratio=0.8, mean_of_passing=True, length_prior=False, short_limb=0, merge=False,
        min_parts=3, min_score=0.2,
    ),
}  # fmt: skip
COUNTS = {'0': 3, '1': 5, '2': 8}


def crowd_maps(seed: str) -> Maps:
    rng = np.random.default_rng(int(seed))
    people, visible = crowd(COUNTS[seed], rng, (90, 300), outside=0.2, missing=0.1, size=(448, 368))
    return draw_noisily(people, visible, rng, (56, 46), noise=(0.02, 0.05))


@pytest.mark.parametrize('decoder', CONSTANTS)
def test_the_constants_of_the_original(decoder: str) -> None:
    settings = dataclasses.asdict(DECODERS[decoder])
    assert {name: settings[name] for name in CONSTANTS[decoder]} == CONSTANTS[decoder]


@pytest.mark.parametrize('decoder', ['python', 'openpose'])
def test_people_fainter_than_in_the_original_are_dropped(decoder: str) -> None:
    """Of ideal maps of one strength a person's score is that strength times all keypoints and limbs."""
    people, visible = crowd(1, np.random.default_rng(3), (300, 300), size=(448, 368))
    heatmaps, pafs = draw(people, visible, (56, 46))
    keypoints, limbs = len(OPENPOSE18.keypoints), len(OPENPOSE18.limbs)
    least = 0.4 * keypoints / (keypoints + limbs)
    found = [
        len(decode_people(strength * heatmaps, strength * pafs, OPENPOSE18, STRIDE, DECODERS[decoder])[0])
        for strength in (0.85 * least, 1.25 * least)
    ]
    assert found == [0, 1]


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
