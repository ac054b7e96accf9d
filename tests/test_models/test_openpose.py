from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.structures import PixelData
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from people import UPRIGHT
from torch import nn

from classicpose.errors import UserError
from classicpose.paf import flip_maps
from classicpose.skeletons import OPENPOSE18
from custom_modules.codecs import PartAffinityField
from custom_modules.engine import OpenPoseOptimWrapperConstructor
from custom_modules.models import MaskedL2Loss, OpenPoseEstimator, OpenPoseHead, OpenPoseVGG

CODEC = dict(type=PartAffinityField, input_size=(64, 64), heatmap_size=(8, 8))


class TargetMaps(nn.Module):
    """A backbone and a head in one that 'predicts' the targets of people it is told, at any scale of the image."""

    skeleton = OPENPOSE18

    def __init__(self, persons: np.ndarray, width: int) -> None:
        super().__init__()
        self.persons, self.width, self.decoder = persons, width, PartAffinityField((64, 64), (8, 8))

    def forward(self, inputs: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        height, width = inputs.shape[-2:]
        scale = width / self.width
        codec = PartAffinityField((width, height), (width // 8, height // 8), sigma=7 * scale, limb_width=8 * scale)
        people = (self.persons + 0.5) * scale - 0.5
        if inputs[0, 0, 0, 0] < inputs[0, 0, 0, -1]:  # the image is a ramp that falls to the right: it was mirrored
            people = (people * [-1, 1] + [width - 1, 0])[:, OPENPOSE18.flip_indices]
        maps = codec.encode(people)
        return [(torch.tensor(maps['pafs'])[None], torch.tensor(maps['heatmaps'])[None])]


def tiny_model(num_stages: int = 2, **test_cfg: object) -> OpenPoseEstimator:
    model = MODELS.build(
        dict(
            type=OpenPoseEstimator,
            backbone=dict(type=OpenPoseVGG, weights=None),
            head=dict(type=OpenPoseHead, in_channels=128, num_stages=num_stages, decoder=CODEC),
            test_cfg=test_cfg,
        )
    )
    model.init_weights()
    return model


def sample(mask: np.ndarray | None = None, size: int = 64) -> PoseDataSample:
    targets = PartAffinityField((size, size), (size // 8, size // 8)).encode(UPRIGHT[None] * size)
    fields = {name: torch.tensor(values) for name, values in targets.items()}
    if mask is not None:
        fields['heatmap_mask'] = torch.tensor(mask, dtype=torch.float32)[None]
    result = PoseDataSample(gt_fields=PixelData(**fields))
    result.set_metainfo(
        dict(input_size=(size, size), input_scale=np.array([size, size]), input_center=np.array([size, size]) / 2)
    )
    return result


def test_six_stages_have_the_papers_parameters() -> None:
    keypoints = OpenPoseVGG(weights=None), OpenPoseHead(128, CODEC)
    assert sum(weight.numel() for keypoint in keypoints for weight in keypoint.parameters()) == 52_311_446


def test_shapes_of_all_stages() -> None:
    features = OpenPoseVGG(weights=None)(torch.zeros(1, 3, 368, 368))
    assert features[-1].shape == (1, 128, 46, 46)
    outputs = OpenPoseHead(128, CODEC, num_stages=3)(features)
    assert [tuple(maps.shape) for stage in outputs for maps in stage] == [(1, 38, 46, 46), (1, 19, 46, 46)] * 3


def test_loss_by_hand() -> None:
    """Two images with errors 1 and 2 on eight numbers, the second under a mask of 1/2: (8 + 8 * 4 / 2) / 4."""
    output = torch.stack([torch.ones(2, 2, 2), torch.full((2, 2, 2), 2.0)])
    mask = torch.stack([torch.ones(1, 2, 2), torch.full((1, 2, 2), 0.5)])
    assert MaskedL2Loss()(output, torch.zeros_like(output), mask).item() == (8 + 16) / 4
    assert MaskedL2Loss(loss_weight=2)(output, torch.zeros_like(output)).item() == 2 * (8 + 32) / 4


def test_loss_is_caffes_euclidean_loss() -> None:
    output, target = torch.randn(2, 3, 19, 46, 46, dtype=torch.float64)
    expected = sum(((output - target).numpy().astype(np.float64) ** 2).ravel()) / (2 * 3)
    np.testing.assert_allclose(MaskedL2Loss()(output, target).item(), expected, rtol=1e-5)


def test_head_reports_every_stage() -> None:
    losses = tiny_model(3)(torch.zeros(1, 3, 64, 64), [sample()], mode='loss')
    assert list(losses) == [f'loss_{kind}_{stage}' for stage in (1, 2, 3) for kind in ('paf', 'heatmap')]


def test_a_stride_that_is_not_the_codecs() -> None:
    head = OpenPoseHead(128, CODEC, num_stages=1)
    with pytest.raises(UserError, match='the stride 32 .maps of 2x2 cells.*codec 8 .targets of 8x8'):
        head.loss([torch.zeros(1, 128, 2, 2)], [sample()])


def test_no_gradient_under_the_mask() -> None:
    mask = np.ones((8, 8), dtype=np.float32)
    mask[2:5, 3:7] = 0
    head = OpenPoseHead(128, CODEC, num_stages=2)
    head.init_weights()
    outputs = [tuple(maps.detach().requires_grad_() for maps in stage) for stage in head([torch.randn(1, 128, 8, 8)])]
    head.forward = lambda feats: outputs
    sum(head.loss(None, [sample(mask)]).values()).backward()
    known = torch.tensor(mask)
    for maps in (maps for stage in outputs for maps in stage):
        assert (maps.grad[..., known == 0] == 0).all()
        assert (maps.grad[..., known == 1] != 0).float().mean() > 0.9


def test_no_gradient_in_channels_that_the_data_set_does_not_annotate() -> None:
    """An image without wrists: their heatmaps, the background and the forearms cost nothing; the other image's do."""
    wrists = [OPENPOSE18.keypoints.index(f'{side}_wrist') for side in ('left', 'right')]
    known = np.ones(18, bool)
    known[wrists] = False
    mask = np.ones((8, 8), dtype=np.float32)
    mask[:2] = 0
    samples = [sample(mask), sample(mask)]
    samples[0].set_metainfo(dict(annotated_keypoints=known))
    samples[1].set_metainfo(dict(annotated_keypoints=np.ones(18, bool)))
    head = OpenPoseHead(128, CODEC, num_stages=1)
    (maps,) = [tuple(maps.detach().requires_grad_() for maps in stage) for stage in head([torch.randn(2, 128, 8, 8)])]
    head.forward = lambda feats: [maps]
    sum(head.loss(None, samples).values()).backward()
    pafs, heatmaps = (values.grad.abs().sum(dim=(2, 3)) > 0 for values in maps)
    assert heatmaps[0].tolist() == [*known.tolist(), False]
    forearms = [OPENPOSE18.limbs.index(limb) for limb in ((3, 4), (6, 7))]
    assert pafs[0].tolist() == [limb not in forearms for limb in range(19) for _ in 'xy']
    assert heatmaps[1].all()
    assert pafs[1].all()
    assert (maps[0].grad[:, :, :2] == 0).all()


def test_optimizer_groups_are_the_released_solvers() -> None:
    model = tiny_model(3)
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=4e-5, momentum=0.9, weight_decay=5e-4),
            constructor=OpenPoseOptimWrapperConstructor,
            paramwise_cfg=dict(later_stages_lr_mult=4, bias_lr_mult=2, bias_decay_mult=0),
        ),
    )
    setting = {id(p): (group['lr'], group['weight_decay']) for group in wrapper.param_groups for p in group['params']}
    for name, parameter in model.named_parameters():
        factor = (4 if '.stages.1.' in name or '.stages.2.' in name else 1) * (2 if name.endswith('bias') else 1)
        expected = 4e-5 * factor, 0 if name.endswith('bias') else 5e-4
        np.testing.assert_allclose(setting[id(parameter)], expected)


def test_one_step_lowers_the_loss_of_every_stage() -> None:
    """The learning rate and the loss's reduction fit each other: a few steps of the released solver already help."""
    torch.manual_seed(0)
    model, samples, inputs = tiny_model(2), [sample()], torch.randn(1, 3, 64, 64)
    optimizer = torch.optim.SGD(model.parameters(), lr=4e-5, momentum=0.9)
    history = []
    for _ in range(8):
        losses = model(inputs, samples, mode='loss')
        history.append({name: loss.item() for name, loss in losses.items()})
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    for name, first in history[0].items():
        assert history[-1][name] < first * (0.98 if 'heatmap' in name else 1)


def test_half_precision_gives_finite_float32_losses() -> None:
    model = tiny_model(2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model(torch.randn(1, 3, 64, 64), [sample()], mode='loss')
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()


@pytest.mark.parametrize(
    'test_cfg', [{}, dict(flip_test=True), dict(scales=(1.0, 1.5)), dict(flip_test=True, scales=(0.75, 1.0))], ids=str
)
def test_averaged_maps_stay_where_they_belong(test_cfg: dict) -> None:
    """A network that is always right is right at every scale and in the mirror: averaging must not move anybody."""
    size, people = (320, 256), UPRIGHT[None] * 180 + [90, 30]
    model = tiny_model(**test_cfg)
    model.head = TargetMaps(people, size[0])
    model.backbone = nn.Identity()
    ramp = torch.linspace(1, 0, size[0]).expand(1, 3, size[1], size[0])
    heatmaps, pafs = model.predict_maps(ramp)
    found, scores, _ = model.head.decoder.decode((heatmaps[0].numpy(), pafs[0].numpy()))
    assert found.shape == (1, 18, 2)
    assert (scores > 0.5).all()
    assert np.linalg.norm(found - people, axis=-1).mean() < 0.5


@pytest.mark.parametrize('scales', [(), (1.0, -1.0), (0.9, 'x'), 'big', 0])
def test_scales_that_are_none(scales: object) -> None:
    with pytest.raises(UserError, match='scales must be one or more positive numbers'):
        tiny_model(scales=scales)


def test_a_mirrored_image_gives_mirrored_maps_under_flip_test() -> None:
    torch.manual_seed(0)
    model = tiny_model(flip_test=True).eval()
    nn.init.normal_(model.head.stages[-1].paf[-1].weight)
    inputs = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        heatmaps, pafs = model.predict_maps(inputs)
        mirrored = model.predict_maps(inputs.flip(-1))
    for one, other in zip(flip_maps(heatmaps, pafs, OPENPOSE18), mirrored, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)


def test_batched_equals_single() -> None:
    torch.manual_seed(0)
    model = tiny_model().eval()
    nn.init.normal_(model.head.stages[-1].paf[-1].weight)
    inputs = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        batched = model.predict_maps(inputs)
        single = [torch.cat(maps) for maps in zip(*(model.predict_maps(one[None]) for one in inputs), strict=True)]
    for one, other in zip(batched, single, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_people_come_back_to_the_images_own_pixels() -> None:
    """Input pixels were the image's times two, moved by (10, 20); a missing keypoint stays at (0, 0), a guess not."""
    person = UPRIGHT * 200 + [30, 20]
    model = tiny_model(output_maps=True)
    model.head, model.backbone = TargetMaps(person[None], 256), nn.Identity()

    def people_some_of_whom_is_not_found(*maps: object) -> list:
        (people,) = OpenPoseHead.people(model.head, *maps)
        people.keypoints[0, 4], people.keypoint_scores[0, [4, 7]] = 0, 0
        return [people]

    model.head.people = people_some_of_whom_is_not_found
    data = PoseDataSample()
    scale = np.array([128.0, 128.0])
    data.set_metainfo(dict(input_size=(256, 256), input_scale=scale, input_center=scale / 2 - [5, 10]))
    with torch.no_grad():
        (result,) = model.predict(torch.linspace(1, 0, 256).expand(1, 3, 256, 256), [data])
    expected = person / 2 - [5, 10]
    expected[4] = 0
    np.testing.assert_allclose(result.pred_instances.keypoints[0], expected, atol=0.3)
    assert result.pred_fields.heatmaps.shape == (18, 32, 32)
    assert result.pred_fields.background.shape == (1, 32, 32)
    assert result.pred_fields.pafs.shape == (38, 32, 32)


def test_imagenet_weights_from_a_file(tmp_path) -> None:
    """torchvision's names are the file's; what has no counterpart there keeps its own start."""
    source = OpenPoseVGG(weights=None)
    state = {f'features.{name}': torch.randn_like(value) for name, value in source.features.state_dict().items()}
    torch.save(state | {'classifier.0.weight': torch.zeros(1)}, tmp_path / 'vgg19.pth')
    backbone = OpenPoseVGG(weights=str(tmp_path / 'vgg19.pth'))
    backbone.init_weights()
    assert all(torch.equal(value, backbone.state_dict()[name]) for name, value in state.items())


def test_weights_that_cannot_be_had_name_the_way_out(tmp_path, monkeypatch) -> None:
    (tmp_path / 'broken.pth').write_bytes(b'nothing')
    torch.save(dict(other=torch.zeros(1)), tmp_path / 'other.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr('torch.hub.download_url_to_file', _no_network)
    for weights in ('imagenet', tmp_path / 'missing.pth', tmp_path / 'broken.pth', tmp_path / 'other.pth'):
        with pytest.raises(UserError, match='weights=None'):
            OpenPoseVGG(weights=str(weights)).init_weights()


def _no_network(*args: object, **kwargs: object) -> None:
    raise OSError('no network')


def test_copies_keep_the_layout() -> None:
    model = copy.deepcopy(tiny_model(1))
    assert model.backbone.features[0].weight.is_contiguous(memory_format=torch.channels_last)
