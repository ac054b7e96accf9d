"""Every config on a GPU: losses and predictions are the CPU's, and a training step does not wait for the GPU."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmpose.registry import DATASETS, MODELS
from shipped_configs import CONFIGS, REPOSITORY
from torch import nn

from custom_modules.datasets import target_batch_collate
from custom_modules.engine.cuda_graphs import record_for_training
from custom_modules.engine.mixed_precision import set_precision
from custom_modules.engine.scalars import LazyMessageHub
from custom_modules.models import DeepPoseAlexNet, DeepPoseCascade

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
# Networks of others' weights are those of the configs they are named after.
PATHS = [path for path in CONFIGS if 'released' not in path.stem]


@pytest.fixture(params=PATHS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def config(
    request: pytest.FixtureRequest, generated_data: Path, generated_flic: Path, monkeypatch: pytest.MonkeyPatch
) -> Config:
    """The config, on synthetic people and from random weights."""
    cascade, lspet = 'deeppose' in request.param.name, 'lspet' in request.param.name
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_flic if cascade and not lspet else generated_data))
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    config = Config.fromfile(request.param)
    for loader in (config.train_dataloader, config.val_dataloader):
        loader.dataset.pop('indices', None)
    backbone = config.model.backbone
    backbone.pop('init_cfg', None)
    if 'weights' in backbone:
        backbone.weights = None
    for stage in config.model.stages if cascade else ():
        stage.copies = 1
        if backbone.type is DeepPoseAlexNet:
            backbone.width = stage.head.in_channels = 64
    return config


@pytest.fixture
def model(config: Config) -> nn.Module:
    """On the CPU, without dropout."""
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    if isinstance(model, DeepPoseCascade):
        model.error_covariance += 0.01 * torch.eye(2)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def test_losses_and_predictions_are_the_cpus(config: Config, model: nn.Module) -> None:
    training, testing = (DATASETS.build(loader.dataset) for loader in (config.train_dataloader, config.val_dataloader))
    batch = pseudo_collate([training[index] for index in range(2)])
    probe = pseudo_collate([testing[0]])
    on_gpu = copy.deepcopy(model).to(DEVICE)
    # Crops of a cascade are drawn at random, on the device.
    losses = [_losses(each, batch) for each in (model, on_gpu)] if not isinstance(model, DeepPoseCascade) else []
    for name in losses[0] if losses else ():
        torch.testing.assert_close(losses[1][name], losses[0][name], rtol=1e-3, atol=1e-6, msg=name)
    people = [_people(each, probe) for each in (model, on_gpu)]
    assert people[0].shape == people[1].shape
    np.testing.assert_allclose(people[1], people[0], atol=0.05)


def test_a_step_in_mixed_precision_waits_for_nothing(config: Config, model: nn.Module) -> None:
    model = model.to(DEVICE)
    dataset = DATASETS.build(config.train_dataloader.dataset)
    set_precision(config, amp=True)
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    wrapper.message_hub = LazyMessageHub('a step that waits for nothing')
    samples = [dataset[index % len(dataset)] for index in range(4)]
    if isinstance(model, DeepPoseCascade):
        batches = [pseudo_collate(samples) for _ in range(3)]
    else:
        batches = [_pinned(target_batch_collate(samples)) for _ in range(3)]
    model.train()
    for number, batch in enumerate(batches):
        # The first steps allocate and choose kernels; a cascade cuts its crops by the samples' own boxes.
        strict = number == 2 and DEVICE == 'cuda' and not isinstance(model, DeepPoseCascade)
        if strict:
            torch.cuda.set_sync_debug_mode('error')
        try:
            model.train_step(batch, wrapper)
        finally:
            if strict:
                torch.cuda.set_sync_debug_mode('default')
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize('amp', [False, True])
def test_a_recorded_network_learns_the_same(generated_data: Path, monkeypatch: pytest.MonkeyPatch, amp: bool) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    monkeypatch.setattr(torch.backends.cudnn, 'deterministic', True)
    config = Config.fromfile(REPOSITORY / 'configs/openpose_lite_coco.py')
    config.model.backbone.weights = None
    set_precision(config, amp=amp)
    torch.manual_seed(0)
    np.random.seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    dataset = DATASETS.build(config.train_dataloader.dataset)
    batches = [_pinned(target_batch_collate([dataset[index] for index in range(first, first + 2)])) for first in (0, 2)]
    histories = []
    for recorded in (False, True):
        network = copy.deepcopy(model).to(DEVICE).train()
        if recorded:
            record_for_training(network)
            # Recording runs the network, which moves the statistics of its batch norms; they do not count in training.
        wrapper = build_optim_wrapper(network, config.optim_wrapper)
        wrapper.message_hub = LazyMessageHub(f'recorded {recorded} {amp}')
        losses = [network.train_step(batches[step % 2], wrapper)['loss'].item() for step in range(6)]
        histories.append(losses)
        assert losses[-1] < losses[0]
    np.testing.assert_allclose(histories[1], histories[0], rtol=0.02 if amp else 1e-3)


def _pinned(batch: dict) -> dict:
    return {name: value.pin_memory() if DEVICE == 'cuda' else value for name, value in batch.items()}


def _losses(model: nn.Module, batch: dict) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    data = model.data_preprocessor(copy.deepcopy(batch), training=True)
    losses = model.train()(**data, mode='loss')
    return {name: value.detach().cpu() for name, value in losses.items() if 'loss' in name}


@torch.no_grad()
def _people(model: nn.Module, batch: dict) -> np.ndarray:
    (result,) = model.eval()(**model.data_preprocessor(copy.deepcopy(batch), training=False), mode='predict')
    return np.asarray(result.pred_instances.keypoints)
