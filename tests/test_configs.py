"""Every config trains and predicts through its own pipelines, on synthetic people, its network narrower and shorter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmpose.registry import DATASETS, METRICS, MODELS
from shipped_configs import CONFIGS, REPOSITORY
from small_networks import shrink

from custom_modules.configuration.loading import override
from custom_modules.engine import NextStageHook
from custom_modules.models import DeepPoseAlexNet

CASCADES = [path for path in CONFIGS if 'deeppose' in path.name]
TOP_DOWN = [path for path in CONFIGS if path.name.startswith(('simplepose', 'resnet18', 'lite0'))]
HANDS_AND_FACES = [path for path in CONFIGS if path.name.startswith(('openpose_hand', 'openpose_face'))]
BOTTOM_UP = [path for path in CONFIGS if path not in CASCADES + TOP_DOWN + HANDS_AND_FACES]
# The networks of 2017 and 2019 once; these are the same but for their input and the order of their channels.
SAME = ('openpose_coco_released', 'openpose2019_coco', 'openpose_body25_released', 'openpose_mpi_released',
        'openpose_mpi_faster_released', 'openpose_lite_gpu')  # fmt: skip


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


@pytest.fixture(
    params=[pytest.param(path, marks=pytest.mark.slow) if path.stem in SAME else path for path in BOTTOM_UP],
    ids=name_of,
)
def config(request: pytest.FixtureRequest, generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """The config, on synthetic people instead of a dataset, from random weights."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    config = Config.fromfile(request.param)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.pop('indices', None)
    if 'weights' in config.model.backbone:
        config.model.backbone.weights = None
    config.model.backbone.pop('init_cfg', None)
    shrink(config.model.backbone, config.model.head)
    return config


def test_bottom_up(config: Config) -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)

    # Two samples whose masks hide something, through the config's own pipeline.
    dataset = DATASETS.build(config.train_dataloader.dataset)
    samples = (dataset[index] for index in range(len(dataset)))
    masked = [sample for sample in samples if sample['data_samples'].gt_fields.heatmap_mask.min() == 0][:2]
    assert len(masked) == 2
    batch = model.data_preprocessor(pseudo_collate(masked), training=True)
    losses = model(**batch, mode='loss')
    assert all(loss.isfinite() for loss in losses.values())

    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    optimizer.update_params(sum(losses.values()))
    changed = sum(not torch.equal(a, b) for a, b in zip(before, trained, strict=True))
    assert changed > 0.9 * len(before)
    assert_mask_reaches_the_loss(model, batch)

    testing = DATASETS.build(config.val_dataloader.dataset)
    batch = model.data_preprocessor(pseudo_collate([testing[0]]), training=False)
    model.eval()
    with torch.no_grad():
        (result,) = model(**batch, mode='predict')
    people = result.pred_instances
    assert people.keypoints.shape[1:] == (len(model.head.skeleton.keypoints), 2)
    assert len(people.keypoints) == len(people.keypoint_scores) == len(people.bbox_scores)
    evaluators = config.val_evaluator if isinstance(config.val_evaluator, list) else [config.val_evaluator]
    for settings in evaluators:
        metric = METRICS.build(settings)
        metric.dataset_meta = testing.metainfo
        metric.process({}, [result.to_dict()])
        assert metric.evaluate(1)[f'{metric.prefix}/AP'] < 0.5  # the weights are random
        metric.process({}, [dict(result.to_dict(), pred_instances=annotated_people(testing.get_data_info(0)))])
        assert metric.evaluate(1)[f'{metric.prefix}/AP'] == pytest.approx(1)


@pytest.mark.parametrize(
    'path',
    [pytest.param(path, marks=pytest.mark.slow) if 'released' in path.stem else path for path in HANDS_AND_FACES],
    ids=name_of,
)
def test_hands_and_faces(path: Path, generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stage learns; a network that answers with its targets finds all keypoints, left hands' too."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    config = Config.fromfile(path)
    config.model.backbone.weights = None
    shrink(config.model.backbone, config.model.head)
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([dataset[index] for index in range(2)]), training=True)
    losses = model.train()(**data, mode='loss')
    assert list(losses) == ['loss_heatmap_1', 'loss_heatmap_2']
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    optimizer.update_params(sum(losses.values()))
    changed = sum(not torch.equal(a, b) for a, b in zip(before, trained, strict=True))
    assert changed > 0.9 * len(before)

    testing = config.val_dataloader.dataset
    testing.pipeline.insert(-1, config.train_dataloader.dataset.pipeline[-2])
    testing = DATASETS.build(testing)
    data = model.data_preprocessor(pseudo_collate([testing[index] for index in range(len(testing))]), training=False)
    if testing.part == 'hand':
        assert {testing.get_data_info(index)['mirrored'] for index in range(len(testing))} == {False, True}
    model.extract_feat = lambda inputs: None
    model.head.forward = lambda feats: torch.stack([sample.gt_fields.heatmaps for sample in data['data_samples']])
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = testing.metainfo
    results = model.eval()(**data, mode='predict')
    metric.process({}, [result.to_dict() for result in results])
    assert metric.evaluate(len(results))['PCK'] == 1
    for sample in results:
        errors = np.abs(sample.pred_instances.keypoints - sample.gt_instances.keypoints)
        assert errors.max() < 0.01 * sample.input_scale.max()


@pytest.mark.parametrize('path', CASCADES, ids=name_of)
def test_cascade(path: Path, generated_flic: Path, generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last stage learns and all predict; every stage's own config is one that trains."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data if 'lspet' in path.name else generated_flic))
    config = Config.fromfile(path)
    assert len(config.train_stages) == len(config.model.stages) == 3
    for settings in config.train_stages:
        override(config, [f'{key}={value}' for key, value in settings.items()])
    for stage in config.model.stages:  # at full size AlexNet would take minutes
        stage.copies = 1
        if config.model.backbone.type is DeepPoseAlexNet:
            config.model.backbone.width = stage.head.in_channels = 64
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    assert NextStageHook in [hook['type'] for hook in config.custom_hooks]
    model.error_covariance += 0.01 * torch.eye(2)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), training=True)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(2):  # residual branches begin at zero, and let nothing through in the first step
        losses = model.train()(**data, mode='loss')
        assert all(loss.isfinite() for loss in losses.values())
        optimizer.update_params(sum(losses.values()))
    changed = [not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert sum(changed) > 0.9 * sum(parameter.requires_grad for parameter in model.parameters())
    assert not any(
        was for was, parameter in zip(changed, model.parameters(), strict=True) if not parameter.requires_grad
    )

    testing = DATASETS.build(config.test_dataloader.dataset)
    data = model.data_preprocessor(pseudo_collate([testing[0], testing[1]]), training=False)
    results = model.eval()(**data, mode='predict')
    metrics = [METRICS.build(settings) for settings in config.test_evaluator]

    def values() -> list[float]:
        found = []
        for metric in metrics:
            metric.dataset_meta = testing.metainfo
            metric.process({}, [result.to_dict() for result in results])
            found += metric.evaluate(2).values()
        return found

    assert min(values()) >= 0
    assert np.mean(values()) < 0.9  # the weights are random
    for result in results:
        truth = np.asarray(result.gt_instances.keypoints)
        result.pred_instances.keypoints = truth
        result.pred_instances.stage_keypoints = np.repeat(truth[:, None], 3, axis=1)
    assert set(values()) == {1}


@pytest.mark.parametrize('path', TOP_DOWN, ids=name_of)
def test_top_down(path: Path, generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It learns, an unlabelled joint costs nothing, and a network that answers with its targets finds everybody."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    config = Config.fromfile(path)
    for loader in (config.train_dataloader, config.val_dataloader):
        for some in ('indices', 'only_images'):
            loader.dataset.pop(some, None)
    config.val_evaluator.pop('only_images', None)
    config.model.backbone.pop('init_cfg', None)
    config.model.test_cfg.flip_test = False
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batch = model.data_preprocessor(pseudo_collate([dataset[index] for index in range(4)]), training=True)
    outputs = []
    forward = model.head.forward

    def watched(feats: tuple) -> torch.Tensor | tuple[torch.Tensor, ...]:
        output = forward(feats)
        outputs.append(output if isinstance(output, tuple) else (output,))
        for values in outputs[-1]:
            values.retain_grad()
        return output

    model.head.forward = watched
    network = [parameter for name, parameter in model.named_parameters() if 'loss_module' not in name]
    before = [parameter.detach().clone() for parameter in network]
    for _ in range(2):  # a residual branch that begins as zero learns at the second step
        optimizer.update_params(model.train()(**batch, mode='loss')['loss_kpt'])
    changed = sum(not torch.equal(a, b) for a, b in zip(before, network, strict=True))
    assert changed > 0.9 * sum(parameter.requires_grad for parameter in network)
    weights = torch.cat([sample.gt_instance_labels.keypoint_weights for sample in batch['data_samples']])
    assert 0 < weights.sum() < weights.numel()
    for values in outputs[0]:
        assert ((values.grad.flatten(2).abs().sum(dim=-1) > 0) == (weights > 0)).all()

    # Targets that the training pipeline makes, of people as the test pipeline crops them.
    testing = config.val_dataloader.dataset
    testing.pipeline.insert(-1, config.train_dataloader.dataset.pipeline[-2])
    testing = DATASETS.build(testing)
    data = model.data_preprocessor(pseudo_collate([testing[index] for index in range(len(testing))]), training=False)
    model.head.forward = lambda feats: ideal_outputs(data['data_samples'], outputs[0][0].shape)
    metric = METRICS.build(config.val_evaluator)
    metric.dataset_meta = testing.metainfo
    results = model.eval()(**data, mode='predict')
    for sample in results:
        labelled = sample.gt_instance_labels.keypoint_weights[0].numpy() > 0
        errors = sample.pred_instances.keypoints - sample.gt_instances.keypoints
        assert np.abs(errors[:, labelled]).max(initial=0) < 0.01 * sample.input_scale.max()
        metric.process({}, [sample.to_dict()])
    assert metric.evaluate(len(results))['coco/AP .5'] > 0.5


def ideal_outputs(samples: list, shape: torch.Size) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """What a head with outputs of such a shape should answer."""
    if len(shape) == 4:
        return torch.stack([sample.gt_fields.heatmaps for sample in samples])
    labels = [sample.gt_instance_labels for sample in samples]
    if 'keypoint_x_labels' in labels[0]:  # SimCC
        return tuple(torch.cat([label[f'keypoint_{axis}_labels'] for label in labels]) for axis in 'xy')
    labels = torch.cat([label.keypoint_labels for label in labels])
    return torch.nn.functional.pad(labels, (0, shape[-1] - 2))


def annotated_people(info: dict) -> dict:
    """The people of an image as a network would find them that errs nowhere."""
    return dict(
        keypoints=info['keypoints'],
        keypoint_scores=info['keypoints_visible'],
        bbox_scores=np.ones(len(info['keypoints'])),
    )


def assert_mask_reaches_the_loss(model: torch.nn.Module, batch: dict) -> None:
    """The gradient of the outputs is exactly zero where the pipeline's mask is, in every stage, and not elsewhere."""
    outputs = []
    forward = model.head.forward

    def watched(feats: tuple) -> list:
        for stage in forward(feats):
            outputs.append(tuple(maps if maps is None else maps.detach().requires_grad_() for maps in stage))
        return outputs

    model.head.forward = watched
    sum(model(**batch, mode='loss').values()).backward()
    del model.head.forward
    mask = torch.cat([sample.gt_fields.heatmap_mask for sample in batch['data_samples']])
    for maps in (maps for stage in outputs for maps in stage if maps is not None):
        gradient = maps.grad.abs().sum(dim=1)
        assert (gradient[mask == 0] == 0).all()
        assert (gradient[mask == 1] > 0).all()
