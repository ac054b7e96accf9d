"""The heads that leave out the accuracy have the losses and gradients of MMPose's."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose import models
from mmpose.codecs import MSRAHeatmap, RegressionLabel, SimCCLabel
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

from custom_modules import models as ours
from custom_modules.datasets.batches import TargetBatch

SIMCC = dict(type=SimCCLabel, input_size=(64, 64), sigma=4.0, simcc_split_ratio=2.0)
IN_SIMCC = dict(in_channels=8, out_channels=5, input_size=(64, 64), in_featuremap_size=(8, 8), decoder=SIMCC)
REGRESSION = dict(in_channels=8, num_joints=5, decoder=dict(type=RegressionLabel, input_size=(64, 64)))
MAPS, VECTORS = (3, 8, 8, 8), (3, 8)
HEADS = {
    'HeatmapHead': (
        dict(
            in_channels=8,
            out_channels=5,
            deconv_out_channels=None,
            loss=dict(type=models.KeypointMSELoss, use_target_weight=True),
            decoder=dict(type=MSRAHeatmap, input_size=(64, 64), heatmap_size=(8, 8), sigma=1.0),
        ),
        MAPS,
    ),
    'SimCCHead': (
        dict(IN_SIMCC, deconv_out_channels=None, loss=dict(type=models.KLDiscretLoss, use_target_weight=True)),
        MAPS,
    ),
    'RTMCCHead': (dict(IN_SIMCC, loss=dict(type=models.KLDiscretLoss, use_target_weight=True, beta=10.0)), MAPS),
    'RegressionHead': (dict(REGRESSION, loss=dict(type=models.SmoothL1Loss, use_target_weight=True)), VECTORS),
    'RLEHead': (dict(REGRESSION, loss=dict(type=models.RLELoss, use_target_weight=True)), VECTORS),
}


def samples(codec: dict, count: int) -> list[PoseDataSample]:
    rng, codec = np.random.default_rng(0), KEYPOINT_CODECS.build(codec)
    made = []
    for _ in range(count):
        keypoints = rng.uniform(8, 56, (1, 5, 2)).astype(np.float32)
        encoded = codec.encode(keypoints, (rng.random((1, 5)) < 0.7).astype(np.float32))
        sample = PoseDataSample(gt_instance_labels=InstanceData(), gt_fields=PixelData())
        for name in codec.label_mapping_table:
            sample.gt_instance_labels.set_field(torch.from_numpy(encoded[name]), name)
        for name in codec.field_mapping_table:
            sample.gt_fields.set_field(torch.from_numpy(encoded[name]), name)
        made.append(sample)
    return made


@pytest.mark.parametrize('name', HEADS)
def test_losses_and_gradients_are_mmposes(name: str) -> None:
    settings, shape = HEADS[name]
    torch.manual_seed(0)
    theirs = getattr(models, name)(**copy.deepcopy(settings))
    theirs.init_weights()
    head = getattr(ours, f'Batch{name}')(**copy.deepcopy(settings))
    head.load_state_dict(theirs.state_dict())
    targets = samples(settings['decoder'], len(torch.empty(shape)))
    found = []
    for model, given in ((theirs, targets), (head, targets), (head, TargetBatch.of(targets))):
        torch.manual_seed(1)  # RLE's loss draws
        features = torch.randn(shape, requires_grad=True)
        losses = model.loss((features,), given)
        losses['loss_kpt'].backward()
        found.append((losses['loss_kpt'].detach(), features.grad))
        assert 'acc_pose' in losses if model is theirs else list(losses) == ['loss_kpt']
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])
