from __future__ import annotations

import numpy as np
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from people import UPRIGHT
from shipped_configs import REPOSITORY

from custom_modules.codecs import PartAffinityField
from custom_modules.models import MaskedL2Loss, ResidualPartAffinityHead

CODEC = dict(type=PartAffinityField, input_size=(64, 64), heatmap_size=(8, 8))


def head(**settings: object) -> ResidualPartAffinityHead:
    torch.manual_seed(0)
    built = ResidualPartAffinityHead(in_channels=16, decoder=CODEC, **settings)
    built.init_weights()
    return built


def sample() -> PoseDataSample:
    targets = PartAffinityField((64, 64), (8, 8)).encode(UPRIGHT[None] * 64)
    return PoseDataSample(gt_fields=PixelData(**{name: torch.tensor(values) for name, values in targets.items()}))


def test_every_stage_is_supervised_and_maps_start_near_zero() -> None:
    features = torch.randn(2, 16, 8, 8)
    outputs = head(num_stages=3).forward([features])
    assert [tuple(maps.shape) for stage in outputs for maps in stage] == [(2, 38, 8, 8), (2, 19, 8, 8)] * 3
    assert all(maps.abs().mean() < 0.2 for stage in outputs for maps in stage)
    losses = head(num_stages=3).loss([features], [sample()] * 2)
    assert list(losses) == [f'loss_{kind}_{number}' for number in (1, 2, 3) for kind in ('paf', 'heatmap')]


def test_the_heatmaps_may_have_a_loss_of_their_own() -> None:
    features = [torch.randn(2, 16, 8, 8)]
    same = head().loss(features, [sample()] * 2)
    own = head(heatmap_loss=dict(type=MaskedL2Loss, loss_weight=4.0)).loss(features, [sample()] * 2)
    assert same.keys() == own.keys()
    for name, loss in own.items():
        torch.testing.assert_close(loss, same[name] * (4 if 'heatmap' in name else 1))


def test_one_batch_can_be_overfit() -> None:
    """Blocks, outputs and losses belong together: the maps of one sample are learned in a few steps."""
    model, features = head(), [torch.randn(2, 16, 8, 8)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    totals = []
    for _ in range(60):
        total = sum(model.loss(features, [sample()] * 2).values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert np.mean(totals[-3:]) < 0.2 * totals[0]


def test_size_of_the_shipped_network() -> None:
    """Half precision must fit into 8 MB."""
    model = MODELS.build(Config.fromfile(REPOSITORY / 'configs/openpose_lite_coco.py').model)
    assert sum(weight.numel() for weight in model.parameters()) == 3_442_722
    assert 2 * sum(value.numel() for value in model.state_dict().values()) < 8e6
