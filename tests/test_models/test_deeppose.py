"""The cascade: invariants with stages that know the answer, and the networks it is made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.codecs import RegressionLabel, SimCCLabel
from mmpose.models import GlobalAveragePooling, KLDiscretLoss, RegressionHead, ResNet, SimCCHead, SmoothL1Loss
from mmpose.structures import PoseDataSample
from torch import nn
from torch.nn import functional as F

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10
from custom_modules.codecs import DeepPoseLabel
from custom_modules.models import DeepPoseAlexNet, DeepPoseCascade

FLIP = list(FLIC10.flip_indices)


def stage(size: int = 32, **settings: object) -> dict:
    return dict(
        input_size=size,
        # Eight channels: with fewer, oneDNN corrupts memory in channels-last convolutions on CPUs without AVX-512.
        backbone=dict(type=ResNet, depth=18, base_channels=8, stem_channels=8),
        neck=dict(type=GlobalAveragePooling),
        head=dict(
            type=RegressionHead,
            in_channels=64,
            num_joints=10,
            loss=dict(type=SmoothL1Loss, use_target_weight=True),
            decoder=dict(type=DeepPoseLabel, input_size=(size, size)),
        ),
        **settings,
    )


def cascade(*stages: dict, **settings: object) -> DeepPoseCascade:
    torch.manual_seed(0)
    return DeepPoseCascade(stages or [stage(), stage(24, side=1.0), stage(24, side=0.8)], **settings)


def people(count: int = 3, seed: int = 0) -> tuple[torch.Tensor, list[PoseDataSample]]:
    """Images of noise, and upper bodies about 60 pixels high in them."""
    rng = np.random.default_rng(seed)
    samples = []
    for _ in range(count):
        keypoints = rng.uniform(20, 80, (1, 10, 2))
        left, right = (FLIC10.keypoints.index(name) for name in ('left_shoulder', 'right_hip'))
        keypoints[0, right] = keypoints[0, left] + [-20, 30]
        sample = PoseDataSample()
        sample.gt_instances = InstanceData(
            bboxes=np.array([[0, 0, 100, 100]], dtype=np.float32),
            keypoints=keypoints.astype(np.float32),
            keypoints_visible=np.ones((1, 10), dtype=np.float32),
        )
        samples.append(sample)
    return torch.rand(count, 3, 100, 100) * 255, samples


def answer(model: DeepPoseCascade, number: int, locate) -> None:
    """Let a stage answer ``locate(crops)`` instead of what its network says."""
    model.stages[number].locate = locate


def test_weights_from_a_file_reach_the_networks_inside(tmp_path: Path) -> None:
    """The stages are keypoint of MMEngine's initialisation: a backbone's ``init_cfg`` is obeyed."""
    source = stage()['backbone']
    donor = ResNet(depth=18, base_channels=8, stem_channels=8)
    torch.save(donor.state_dict(), tmp_path / 'donor.pth')
    source['init_cfg'] = dict(type='Pretrained', checkpoint=str(tmp_path / 'donor.pth'))
    model = cascade({**stage(), 'backbone': source})
    assert not torch.equal(model.stages[0].backbone.conv1.weight, donor.conv1.weight)
    model.init_weights()
    for name, value in donor.state_dict().items():
        torch.testing.assert_close(model.stages[0].backbone.state_dict()[name], value)
    assert model.stages[0].head.fc.bias.eq(0).all()


def test_predicting_no_displacement_changes_nothing() -> None:
    model = cascade().eval()
    nn.init.zeros_(model.stages[1].head.fc.weight)
    nn.init.zeros_(model.stages[1].head.fc.bias)
    first, second, third = model.locate(*inputs_and_boxes())
    torch.testing.assert_close(second, first, atol=1e-3, rtol=0)
    assert (third - second).abs().max() > 1e-2


def test_the_true_displacement_recovers_the_truth() -> None:
    """A stage that sees where its crop is, by an image whose colours are its coordinates."""
    model = cascade(stage(), stage(32, side=3.0), mean=(0, 0, 0), std=(1, 1, 1)).eval()
    _, samples = people(2)
    truth = torch.tensor(np.concatenate([sample.gt_instances.keypoints for sample in samples]))
    y, x = torch.meshgrid(torch.arange(100.0), torch.arange(100.0), indexing='ij')
    images = torch.stack([torch.full_like(x, 1.0), y, x]).expand(2, 3, 100, 100)  # BGR: x is red

    def locate(crops: torch.Tensor) -> torch.Tensor:
        crops = crops.unflatten(0, (2, 10))
        seen = crops[:, :, 2] > 0.999
        found = []
        for person in range(2):
            for joint in range(10):
                red, green = crops[person, joint, :2, 12:20, 12:20]
                step = (red[0, 1] - red[0, 0], green[1, 0] - green[0, 0])
                first = torch.stack([red[0, 0], green[0, 0]])
                assert seen[person, joint, 12:20, 12:20].all()
                found.append((truth[person] - first) / torch.stack(step) + 12)
        return torch.stack(found)

    answer(model, 0, lambda crops: torch.full((2, 10, 2), 15.5) + torch.rand(2, 10, 2))
    answer(model, 1, locate)
    first, second = model.locate(images, torch.tensor([[0.0, 0, 100, 100]] * 2))
    assert (first - truth).norm(dim=-1).mean() > 10
    torch.testing.assert_close(second, truth, atol=0.05, rtol=0)


def inputs_and_boxes(count: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    return people(count)[0], torch.tensor([[0.0, 0.0, 100.0, 100.0]]).repeat(count, 1)


def test_batched_equals_single() -> None:
    model = cascade(test_cfg=dict(flip_test=True)).eval()
    inputs, boxes = inputs_and_boxes()
    batched = model.locate(inputs, boxes)
    for index in range(3):
        single = model.locate(inputs[index : index + 1], boxes[index : index + 1])
        torch.testing.assert_close(batched[:, index : index + 1], single, atol=1e-2, rtol=0)


def test_a_mirrored_image_gives_mirrored_people_with_flip_test() -> None:
    model = cascade(test_cfg=dict(flip_test=True, scales=(0.8, 1.0, 1.2))).eval()
    inputs, boxes = inputs_and_boxes()
    boxes = boxes - 0.5  # a box whose mirror image is itself
    located, mirrored = model.locate(inputs, boxes), model.locate(inputs.flip(-1), boxes)
    expected = located[:, :, FLIP] * torch.tensor([-1.0, 1.0]) + torch.tensor([99.0, 0.0])
    torch.testing.assert_close(mirrored, expected, atol=1e-2, rtol=0)


def test_of_several_scales_the_median_counts() -> None:
    """One scale in three leads astray; the others agree, and their order does not matter."""

    def located(scales: tuple[float, ...]) -> torch.Tensor:
        model = cascade(test_cfg=dict(scales=scales)).eval()
        look = model._look

        def led_astray(stage: object, inputs: torch.Tensor, center: torch.Tensor, side: torch.Tensor, mirrored: bool):
            found = look(stage, inputs, center, side, mirrored)
            return found + 1000.0 * (side.flatten()[0] > 115)

        model._look = led_astray
        return model.locate(inputs, boxes, stages=1)[0]

    inputs, boxes = inputs_and_boxes()
    alone = [located((scale,)) for scale in (0.9, 1.1, 1.2)]
    expected = torch.maximum(*alone[:2])  # the third is beyond both
    assert (alone[2] - expected).min() > 900
    torch.testing.assert_close(located((0.9, 1.1, 1.2)), expected)
    torch.testing.assert_close(located((1.2, 0.9, 1.1)), expected)
    torch.testing.assert_close(located((0.9, 1.1)), (alone[0] + alone[1]) / 2)


def test_only_the_first_stage_looks_at_several_scales() -> None:
    model = cascade(test_cfg=dict(scales=(0.9, 1.0, 1.1))).eval()
    sides = {0: [], 1: [], 2: []}
    look = model._look

    def note(stage: object, inputs: torch.Tensor, center: torch.Tensor, side: torch.Tensor, mirrored: bool):
        number = next(index for index, own in enumerate(model.stages) if own is stage)
        sides[number].append(float(side.flatten()[0]))
        return look(stage, inputs, center, side, mirrored)

    model._look = note
    first, second, _ = model.locate(*inputs_and_boxes())
    assert sides[0] == pytest.approx([90, 100, 110])
    for number, before in ((1, first), (2, second)):
        left, right = model.torso
        torso = float((before[0, left] - before[0, right]).norm())
        assert sides[number] == pytest.approx([model.stages[number].side * max(torso, 10.0)])


def test_scores_tell_how_well_the_looks_agree() -> None:
    """A score of a half is a mean distance of 0.062 torsos, over the looks of a stage, then over the stages."""
    model = cascade(test_cfg=dict(flip_test=True, scales=(0.9, 1.0, 1.1))).eval()
    agreed, by_mirror, by_scale, by_stage = (
        FLIC10.keypoints.index(f'left_{name}') for name in ('hip', 'elbow', 'wrist', 'eye')
    )
    place = torch.full((3, 10, 2), 50.0)
    place[:, model.torso[1], 1] += 100  # pixels

    def look(stage: object, inputs: torch.Tensor, center: torch.Tensor, side: torch.Tensor, mirrored: bool):
        found, is_first = place.clone(), stage is model.stages[0]
        found[:, by_mirror, 0] += -6.2 if mirrored else 6.2
        found[:, by_scale, 1] += 3 * 1.5 * 6.2 * is_first * (side[0, 0].round() - 100) / 10
        found[:, by_stage, 1] += 3 * 6.2 * is_first
        return found

    model._look = look
    positions, scores = model.locate_and_score(*inputs_and_boxes())
    torch.testing.assert_close(positions[-1], place)
    torch.testing.assert_close(scores[:, [by_mirror, by_scale, by_stage]], torch.full((3, 3), 0.5))
    assert (scores[:, agreed] == 1).all()


@pytest.mark.parametrize('scales', [(), (0.0,), (1.0, -1.0), ('a',), 'a', None, 0.0, (float('nan'),)])
def test_scales_that_are_none(scales: object) -> None:
    with pytest.raises(UserError, match='scales must be one or more positive numbers'):
        cascade(test_cfg=dict(scales=scales))


def test_a_single_scale_needs_no_brackets() -> None:
    model = cascade(test_cfg=dict(scales=0.9)).eval()
    bracketed = cascade(test_cfg=dict(scales=(0.9,))).eval()
    seen = inputs_and_boxes()
    torch.testing.assert_close(model.locate(*seen), bracketed.locate(*seen))


def test_a_torso_of_no_length_leaves_a_crop() -> None:
    model = cascade(stage(), stage(24, side=1.0)).eval()
    answer(model, 0, lambda crops: torch.full((len(crops), 10, 2), 16.0))
    first, second = model.locate(*inputs_and_boxes())
    assert torch.isfinite(second).all()
    assert (second - first).abs().max() <= 10  # of the floor, a tenth of the box, displacements stay near


def test_each_joint_has_its_own_crop_and_output() -> None:
    """Of a later stage only output k of crop k counts, mirrored ones included."""
    model = cascade(stage(), stage(24, side=1.0, copies=2, mirror_prob=0.5))
    model.error_covariance += 1e-8 * torch.eye(2)
    seen = {}
    model.stages[1].loss = lambda crops, keypoints, visible: seen.update(
        crops=crops, keypoints=keypoints, visible=visible
    )
    inputs, samples = people()
    model.loss(inputs, samples)
    assert seen['crops'].shape == (60, 3, 24, 24)
    assert (seen['visible'].sum(dim=1) == 1).all()
    counted = seen['visible'].argmax(dim=1).view(3, 2, 10)
    own = torch.arange(10).expand(3, 2, 10)
    assert ((counted == own) | (counted == torch.tensor(FLIP).expand(3, 2, 10))).all()
    assert len({*counted.flatten().tolist()}) == 10
    # Hardly an error: every joint is in the middle of its crop, whichever way it is turned.
    middle = seen['keypoints'][torch.arange(60), seen['visible'].argmax(dim=1)]
    torch.testing.assert_close(middle, torch.full((60, 2), 11.5), atol=0.05, rtol=0)


def test_errors_are_measured_and_drawn_again() -> None:
    model = cascade(stage(), stage(24, side=1.0))
    rng = np.random.default_rng(0)
    truth = torch.tensor(rng.uniform(0, 100, (4000, 10, 2)), dtype=torch.float32)
    left, right = model.torso
    truth[:, right] = truth[:, left] + torch.tensor([-30.0, 40.0])
    errors = torch.tensor(rng.multivariate_normal([5, -10], [[25, 20], [20, 100]], (4000, 10)), dtype=torch.float32)
    visible = torch.ones(4000, 10)
    visible[::2, 3] = 0
    model.measure_errors(torch.where(visible[..., None] > 0, truth + errors, 1e6), truth, visible)
    torch.testing.assert_close(model.error_mean, torch.tensor([0.1, -0.2]).expand(10, 2), atol=0.02, rtol=0)
    drawn = model._simulated_errors(20000)
    torch.testing.assert_close(drawn.mean(dim=0), model.error_mean, atol=0.01, rtol=0)
    covariance = torch.stack([drawn[:, joint].T.cov() for joint in range(10)])
    torch.testing.assert_close(covariance, model.error_covariance, atol=2e-3, rtol=0)
    torch.testing.assert_close(covariance[0], torch.tensor([[0.01, 0.008], [0.008, 0.04]]), atol=3e-3, rtol=0)


def test_a_stage_is_trusted_where_it_is_right() -> None:
    """It finds wrists exactly, and knows nothing of hips, half of whose way is noise."""
    model = cascade(stage(), stage(24, side=1.0))
    generator = torch.Generator().manual_seed(0)
    truth = 100 * torch.rand(500, 10, 2, generator=generator)
    left, right = model.torso
    truth[:, right] = truth[:, left] + torch.tensor([-30.0, 40.0])
    previous = truth + 5 * torch.randn(truth.shape, generator=generator)
    found = truth + 5 * torch.randn(truth.shape, generator=generator)
    names = model.skeleton.keypoints
    wrists, hips = ([names.index(f'{side}_{joint}') for side in ('left', 'right')] for joint in ('wrist', 'hip'))
    found[:, wrists] = truth[:, wrists]
    found[:, hips] += 100 * torch.randn(500, 2, 2, generator=generator)
    model.fit_trust(previous, found, truth, torch.ones(500, 10))
    trust = model.trust[-1]
    assert trust[wrists].eq(1).all()
    assert trust[hips].le(0.05).all()
    others = [index for index in range(10) if index not in wrists + hips]
    assert (trust[others] - 0.5).abs().max() <= 0.1  # two independent guesses: the mean of both is best
    torch.testing.assert_close(trust, trust[FLIP])
    assert model.trust[0].eq(1).all()


def test_a_stage_goes_as_far_as_it_is_trusted() -> None:
    model = cascade().eval()
    inputs, boxes = inputs_and_boxes()
    first, whole, _ = model.locate(inputs, boxes)
    model.trust[1] = 0.25
    torch.testing.assert_close(model.locate(inputs, boxes)[1], first + 0.25 * (whole - first), atol=1e-3, rtol=0)


def test_checkpoints_from_before_trust_load() -> None:
    model = cascade()
    state = {name: value for name, value in model.state_dict().items() if name != 'trust'}
    other = cascade()
    other.trust[:] = 0.5
    other.load_state_dict(state)
    assert other.trust.eq(1).all()
    shorter = cascade(stage(), stage(24, side=1.0))
    shorter.trust[1] = 0.5
    assert other.load_state_dict(shorter.state_dict(), strict=False).unexpected_keys == []
    assert other.trust[:, 0].tolist() == [1, 0.5, 1]


def test_a_stage_begins_as_the_one_before() -> None:
    model = cascade(stage(), stage(24, side=1.0))
    inputs = torch.randn(2, 3, 32, 32)
    model.eval()
    first, second = (model.stages[index].head(model.stages[index].features(inputs)) for index in (0, 1))
    assert not torch.allclose(first, second)
    model.copy_previous_stage()
    torch.testing.assert_close(model.stages[1].head(model.stages[1].features(inputs)), first)


def test_only_the_last_stage_learns() -> None:
    model = cascade(stage(), stage(24, side=1.0)).train()
    with pytest.raises(UserError, match='add a NextStageHook'):
        model.loss(*people())
    model.error_covariance += 0.01 * torch.eye(2)
    assert not any(module.training for module in model.stages[0].modules())
    inputs, samples = people()
    loss = model.loss(inputs, samples)['loss_kpt']
    loss.backward()
    assert all(parameter.grad is None for parameter in model.stages[0].parameters())
    assert model.stages[1].head.fc.weight.grad.abs().sum() > 0


def test_unlabelled_joints_do_not_count() -> None:
    model = cascade(stage())
    inputs, samples = people()
    for sample in samples:
        sample.gt_instances.keypoints_visible[:] = 0
    model.loss(inputs, samples)['loss_kpt'].backward()
    assert model.stages[0].head.fc.weight.grad.abs().sum() == 0


def test_people_without_a_torso_do_not_count_in_later_stages() -> None:
    model = cascade(stage(), stage(24, side=1.0))
    model.error_covariance += 0.01 * torch.eye(2)
    inputs, samples = people()
    for sample in samples:
        sample.gt_instances.keypoints_visible[:, model.torso[0]] = 0
    model.loss(inputs, samples)['loss_kpt'].backward()
    assert model.stages[1].head.fc.weight.grad.abs().sum() == 0
    keypoints, visible = torch.rand(50, 10, 2), torch.ones(50, 10)
    visible[:, model.torso[0]] = 0
    before = model.error_covariance.clone()
    model.measure_errors(keypoints + 1, keypoints, visible)
    torch.testing.assert_close(model.error_covariance, before)


def test_an_auxiliary_head_teaches_the_convolutions_and_is_not_asked() -> None:
    alexnet = stage(64)
    alexnet.pop('neck')
    alexnet.update(backbone=dict(type=DeepPoseAlexNet, batch_norm=True, width=64))
    alexnet['auxiliary_head'] = dict(
        type=SimCCHead,
        in_channels=256,
        out_channels=10,
        input_size=(64, 64),
        in_featuremap_size=(3, 3),
        deconv_out_channels=None,
        loss=dict(type=KLDiscretLoss, use_target_weight=True),
        decoder=dict(type=SimCCLabel, input_size=(64, 64), sigma=2.0),
    )
    model = cascade(alexnet)
    inputs, samples = people()
    losses = model.loss(inputs, samples)
    assert set(losses) == {'loss_kpt', 'auxiliary_loss_kpt'}
    losses['auxiliary_loss_kpt'].backward()
    network = model.stages[0].backbone
    assert network.features[0].weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.fully_connected.parameters())

    boxes = torch.tensor([[0.0, 0, 100, 100]]).expand(len(inputs), 4)
    located = model.eval().locate(inputs, boxes)
    for parameter in model.stages[0].auxiliary_head.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(model.locate(inputs, boxes), located)


def test_predictions_of_every_stage() -> None:
    model = cascade().eval()
    inputs, samples = people()
    for sample in model.predict(inputs, samples):
        assert sample.pred_instances.keypoints.shape == (1, 10, 2)
        assert sample.pred_instances.keypoint_scores.shape == (1, 10)
        assert sample.pred_instances.stage_keypoints.shape == (1, 3, 10, 2)
        np.testing.assert_array_equal(sample.pred_instances.stage_keypoints[:, -1], sample.pred_instances.keypoints)


@pytest.mark.parametrize('settings', [{}, dict(batch_norm=True), dict(response_norm=True)])
def test_alexnet_has_the_papers_maps(settings: dict) -> None:
    """55 x 55, 27 x 27 and 13 x 13 at 220 pixels, and 58,281,344 weights before the regression layer."""
    network = DeepPoseAlexNet(**settings).eval()
    sizes, inputs = [], torch.zeros(1, 3, 220, 220)
    for layer in network.features:
        inputs = layer(inputs)
        if isinstance(layer, nn.Conv2d):
            sizes.append((inputs.shape[1], inputs.shape[2]))
    assert sizes == [(96, 55), (256, 27), (384, 13), (384, 13), (256, 13)]
    maps = torch.randn(1, 256, 13, 13)
    torch.testing.assert_close(network.fully_connected[:2](maps), F.max_pool2d(maps, 3, 2).flatten(1))
    assert network(torch.zeros(2, 3, 220, 220))[-1].shape == (2, 4096)
    if not settings:
        assert sum(parameter.numel() for parameter in network.parameters()) == 58_281_344


def test_joints_count_up_to_the_edges_of_the_crops_pixels() -> None:
    """Centres of pixels are whole numbers, so the outermost pixels end half a pixel beyond them."""
    inside = [(-0.4, 5), (219.4, 5), (5, -0.4), (5, 219.4), (218.6, 218.6)]
    outside = [(-0.6, 5), (219.6, 5), (5, -0.6), (5, 219.6), (300, 300)]
    weights = DeepPoseLabel((220, 220)).encode(np.array([inside + outside]))['keypoint_weights']
    assert weights.tolist() == [[1] * 5 + [0] * 5]


def test_labels_have_their_origin_in_the_middle() -> None:
    codec = DeepPoseLabel((20, 20))
    keypoints = np.array([[[9.5, 9.5], [-0.5, 19.5], [30.0, 5.0]]])
    encoded = codec.encode(keypoints, np.ones((1, 3)))
    np.testing.assert_allclose(encoded['keypoint_labels'][0, :2], [[0, 0], [-0.5, 0.5]])
    assert encoded['keypoint_weights'][0, 2] == 0
    np.testing.assert_allclose(codec.decode(encoded['keypoint_labels'])[0], keypoints, atol=1e-5)
    shifted = RegressionLabel((20, 20)).encode(keypoints + 0.5)['keypoint_labels'] - 0.5
    np.testing.assert_allclose(encoded['keypoint_labels'], shifted, atol=1e-6)
