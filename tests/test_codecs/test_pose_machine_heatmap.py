from __future__ import annotations

import numpy as np

from classicpose.skeletons import HAND21
from custom_modules.codecs import PoseMachineHeatmap

CODEC = dict(input_size=(368, 368), heatmap_size=(46, 46), skeleton=HAND21)


def test_what_is_encoded_is_decoded() -> None:
    """Whole pixels of the input are found again to half a pixel, wherever they lie between the cells' centres."""
    codec = PoseMachineHeatmap(**CODEC)
    keypoints = np.random.default_rng(0).integers(16, 352, (1, 21, 2)).astype(np.float32)
    encoded = codec.encode(keypoints, np.ones((1, 21)))
    assert encoded['heatmaps'].shape == (22, 46, 46)
    found, scores = codec.decode(encoded['heatmaps'])
    assert found.shape == (1, 21, 2)
    assert np.abs(found - keypoints).max() <= 1
    assert np.abs(found - keypoints).mean() < 0.5
    assert (scores > 0.8).all()


def test_the_background_is_where_nothing_else_is() -> None:
    maps = PoseMachineHeatmap(**CODEC).encode(np.full((1, 21, 2), 100.0), np.ones((1, 21)))['heatmaps']
    np.testing.assert_allclose(maps[-1], 1 - maps[:-1].max(axis=0), atol=1e-6)


def test_unlabelled_and_outside_weigh_nothing() -> None:
    keypoints, visible = np.full((1, 21, 2), 100.0), np.ones((1, 21))
    visible[0, 3] = 0
    keypoints[0, 4] = (368, 10)
    encoded = PoseMachineHeatmap(**CODEC).encode(keypoints, visible)
    assert np.flatnonzero(encoded['keypoint_weights'][0] == 0).tolist() == [3, 4]
    assert (encoded['heatmaps'][[3, 4]] == 0).all()


def test_what_no_map_shows_has_no_score() -> None:
    assert (PoseMachineHeatmap(**CODEC).decode(np.full((22, 46, 46), -0.1, np.float32))[1] == 0).all()
