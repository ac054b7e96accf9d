"""Targets of a batch on a device are those that the loader makes one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from custom_modules.codecs import PartAffinityField
from custom_modules.paf import annotated_channels

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'))]


def people(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints all over and outside the image, limbs of length zero among them."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(-40, 408, (count, 18, 2))
    keypoints[:, 3] = keypoints[:, 2]
    return keypoints.astype(np.float32), rng.integers(0, 3, (count, 18)).astype(np.float32)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('targets', ['paper', 'released'])
def test_equal_to_the_loaders(targets: str, device: str) -> None:
    codec = PartAffinityField(input_size=(368, 368), heatmap_size=(46, 46), targets=targets)
    counts = (0, 1, 7, 12)
    keypoints, visible = torch.zeros(4, 12, 18, 2), torch.zeros(4, 12, 18)
    for index, count in enumerate(counts):
        own = people(count, seed=count)
        keypoints[index, :count], visible[index, :count] = (torch.as_tensor(values) for values in own)
    heatmaps, pafs = codec.encode_batch(keypoints.to(device), visible.to(device))
    assert heatmaps.dtype == pafs.dtype == torch.float32
    for index, count in enumerate(counts):
        expected = codec.encode(*people(count, seed=count))
        np.testing.assert_allclose(heatmaps[index].cpu(), expected['heatmaps'], atol=1e-5)
        np.testing.assert_allclose(pafs[index].cpu(), expected['pafs'], atol=1e-5)
        assert count == 0 or (np.abs(expected['pafs']).max() > 0.5 and expected['heatmaps'][:-1].max() > 0.5)


def test_channels_of_what_is_annotated() -> None:
    annotated = torch.tensor([[True, True, True], [True, False, True]])
    heatmaps, fields = annotated_channels(annotated, ((0, 1), (0, 2)))
    assert heatmaps.tolist() == [[True] * 4, [True, False, True, False]]
    assert fields.tolist() == [[True] * 4, [False, False, True, True]]
