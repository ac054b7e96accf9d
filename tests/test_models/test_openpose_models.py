"""The networks of OpenPose's models: the sizes of the released ones, and what their stages see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.structures import PoseDataSample
from torch import nn

from classicpose.skeletons import BODY25, FACE70, HAND21, MPI15, OPENPOSE18, Skeleton
from custom_modules.codecs import PartAffinityField, PoseMachineHeatmap
from custom_modules.models import OpenPose2019Head, OpenPoseHead, OpenPoseVGG, PoseMachineHead, PoseMachineVGG


def codec(skeleton: Skeleton, kind: type = PartAffinityField) -> dict:
    return dict(type=kind, input_size=(64, 64), heatmap_size=(8, 8), skeleton=skeleton)


def parameters(*parts: nn.Module) -> int:
    return sum(weight.numel() for part in parts for weight in part.parameters())


def test_parameters_are_the_released_networks() -> None:
    with torch.device('meta'):
        assert parameters(OpenPoseVGG(None, prelu=True), OpenPose2019Head(128, codec(BODY25))) == 26_166_084
        machine = PoseMachineVGG(None)
        assert parameters(machine, PoseMachineHead(128, codec(HAND21, PoseMachineHeatmap))) == 36_832_324
        assert parameters(machine, PoseMachineHead(128, codec(FACE70, PoseMachineHeatmap))) == 38_425_706
        # COCO's network with fewer maps: 10 field and 3 heatmap channels less out of and into every stage.
        less = 13 * 5 * 2 * 49 * 128 + (10 + 3) * (513 + 5 * 129)
        assert parameters(OpenPoseVGG(None), OpenPoseHead(128, codec(MPI15))) == 52_311_446 - less


def test_maps_of_2019_are_paired_from_the_last() -> None:
    head = OpenPose2019Head(16, codec(BODY25), paf_stages=3, heatmap_stages=2, widths=(4, 8), hidden=(6, 10))
    maps = head([torch.randn(2, 16, 8, 8)])
    assert [[None if values is None else values.shape[1] for values in stage] for stage in maps] == [
        [52, None], [52, 26], [52, 26],
    ]  # fmt: skip
    turned = OpenPose2019Head(16, codec(BODY25), paf_stages=1, heatmap_stages=2, widths=(4, 8))
    assert [pafs is None for pafs, _ in turned([torch.randn(2, 16, 8, 8)])] == [True, False]


@pytest.mark.parametrize('skeleton', [OPENPOSE18, MPI15], ids=lambda skeleton: skeleton.name)
def test_2019_takes_any_skeleton(skeleton: Skeleton) -> None:
    head = OpenPose2019Head(16, codec(skeleton), paf_stages=2, heatmap_stages=1, widths=(4, 4), hidden=(8, 8))
    pafs, heatmaps = head([torch.randn(1, 16, 8, 8)])[-1]
    assert pafs.shape[1] == 2 * len(skeleton.limbs)
    assert heatmaps.shape[1] == len(skeleton.keypoints) + 1


def test_fields_do_not_see_heatmaps() -> None:
    """Heatmaps come after all fields: their loss reaches the fields, and the fields' never a heatmap stage."""
    head = OpenPose2019Head(16, codec(BODY25), paf_stages=2, heatmap_stages=2, widths=(4, 4), hidden=(8, 8))
    for pafs, _ in head([torch.randn(1, 16, 8, 8)]):
        pafs.sum().backward(retain_graph=True)
    seen = [any(weight.grad is not None for weight in stage.parameters()) for stage in head.stages]
    assert seen == [True, True, False, False]
    head([torch.randn(1, 16, 8, 8)])[-1][1].sum().backward()
    assert all(weight.grad is not None for stage in head.stages for weight in stage.parameters())


def test_every_stage_has_its_loss() -> None:
    head = OpenPose2019Head(16, codec(BODY25), widths=(4, 4), hidden=(8, 8))
    targets = PartAffinityField((64, 64), (8, 8), skeleton=BODY25).encode(np.random.rand(1, 25, 2) * 64)
    sample = PoseDataSample(gt_fields=PixelData(**{name: torch.tensor(maps) for name, maps in targets.items()}))
    losses = head.loss([torch.randn(1, 16, 8, 8)], [sample])
    assert sorted(losses) == [f'loss_heatmap_{n}' for n in (1, 2)] + [f'loss_paf_{n}' for n in (1, 2, 3, 4)]


def test_imagenet_weights_fit_the_longer_vgg(tmp_path) -> None:
    """Under torchvision's names; of VGG with learnt slopes only the convolutions."""
    for backbone in (PoseMachineVGG(None), OpenPoseVGG(None, prelu=True)):
        state = {
            f'features.{name}': torch.randn_like(value)
            for name, value in backbone.features.state_dict().items()
            if value.ndim == 4 or name.endswith('bias')
        }
        torch.save(state, tmp_path / 'vgg19.pth')
        backbone.weights = str(tmp_path / 'vgg19.pth')
        backbone.init_weights()
        assert all(torch.equal(value, backbone.state_dict()[name]) for name, value in state.items())
    assert PoseMachineVGG(None)(torch.zeros(1, 3, 64, 96))[0].shape == (1, 128, 8, 12)


def test_unlabelled_keypoints_of_a_hand_cost_nothing() -> None:
    """The second hand lacks a fingertip: its map and the background are free there, all maps of the first are not."""
    head = PoseMachineHead(16, codec(HAND21, PoseMachineHeatmap), num_stages=2, width=8)
    samples = []
    for tip in (1, 0):
        visible = np.ones((1, 21))
        visible[0, 8] = tip
        encoded = head.decoder.encode(np.full((1, 21, 2), 30.0), visible)
        labels = InstanceData(keypoint_weights=torch.tensor(encoded['keypoint_weights']))
        fields = PixelData(heatmaps=torch.tensor(encoded['heatmaps']))
        samples.append(PoseDataSample(gt_fields=fields, gt_instance_labels=labels))
    maps = [values.detach().requires_grad_() for values in head.stage_maps([torch.randn(2, 16, 8, 8)])]
    head.stage_maps = lambda feats: maps
    losses = head.loss(None, samples)
    assert list(losses) == ['loss_heatmap_1', 'loss_heatmap_2']
    sum(losses.values()).backward()
    for values in maps:
        reached = values.grad.abs().sum(dim=(2, 3)) > 0
        assert reached[0].all()
        assert torch.nonzero(~reached[1]).flatten().tolist() == [8, 21]
