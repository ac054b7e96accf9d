from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from classicpose.errors import UserError
from custom_modules.engine import outputs
from custom_modules.engine.hooks.images import PredictionImageHook
from custom_modules.engine.mixed_precision import BFloat16OptimWrapper, set_precision
from custom_modules.engine.resuming import keep_a_complete_checkpoint


def optim_config(**settings) -> Config:
    return Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1), **settings)))


def pretend_gpu(monkeypatch: pytest.MonkeyPatch, major: int) -> None:
    """What CUDA tells of a GPU: a T4 or V100 has the capability 7.x, and makes bfloat16 tensors, which it emulates."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    monkeypatch.setattr(torch.cuda, 'get_device_properties', lambda _: SimpleNamespace(major=major))
    monkeypatch.setattr(torch.cuda, '_check_bf16_tensor_supported', lambda _: True)


@pytest.mark.parametrize('has_gpu', [False, True])
@pytest.mark.parametrize(
    ('given', 'amp', 'mixed'),
    [
        ({}, False, False),
        ({}, True, True),
        (dict(type='OptimWrapper'), True, True),
        (dict(type=OptimWrapper, accumulative_counts=2), True, True),
        (dict(type=AmpOptimWrapper, loss_scale=512.0), False, True),
    ],
)
@pytest.mark.parametrize('has_bfloat16', [False, True])
def test_mixed_precision_suits_the_device(given, amp, mixed, has_gpu, has_bfloat16, monkeypatch):
    pretend_gpu(monkeypatch, major=8 if has_bfloat16 else 7)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: has_gpu)
    cfg = optim_config(**given)
    set_precision(cfg, amp)
    wrapper = cfg.optim_wrapper
    if not mixed:
        assert 'type' not in wrapper
    elif has_gpu and (not has_bfloat16 or given.get('type') is AmpOptimWrapper):
        assert wrapper.type == 'AmpOptimWrapper'
        assert wrapper.loss_scale == given.get('loss_scale', 'dynamic')
    else:
        assert wrapper.type == 'BFloat16OptimWrapper'
        assert 'loss_scale' not in wrapper
    assert wrapper.get('accumulative_counts') == given.get('accumulative_counts')


def test_a_gpu_without_bfloat16_says_so(monkeypatch):
    pretend_gpu(monkeypatch, major=7)
    with pytest.raises(UserError, match='this GPU has no bfloat16'):
        set_precision(optim_config(type=AmpOptimWrapper, dtype='bfloat16'), amp=False)


def test_amp_refuses_other_wrappers():
    with pytest.raises(UserError, match='optim_wrapper.type is ApexOptimWrapper: leave out --amp'):
        set_precision(optim_config(type='ApexOptimWrapper'), amp=True)


@pytest.mark.skipif(torch.cuda.is_available(), reason='its model is on the CPU')
def test_bfloat16_trains():
    model = nn.Linear(4, 1)
    before = model.weight.detach().clone()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        output = model(torch.ones(2, 4))
    wrapper.update_params(output.float().square().sum())
    assert output.dtype is torch.bfloat16
    assert model.weight.dtype is torch.float32
    assert not torch.equal(model.weight, before)


def test_one_kept_checkpoint_becomes_two():
    cfg = Config(dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', max_keep_ckpts=1))))
    keep_a_complete_checkpoint(cfg)
    assert cfg.default_hooks.checkpoint.max_keep_ckpts == 2


@pytest.mark.parametrize(
    'listed', [[], [dict(type=PredictionImageHook, interval=7)], [dict(type='PredictionImageHook')]]
)
def test_images_use_the_hook_of_the_config(listed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hooks = [*listed, dict(type='EMAHook')]
    cfg = Config(dict(model=dict(test_cfg=dict(flip_test=True)), custom_hooks=hooks))
    outputs.add_images(cfg, 'images', maps=True)
    (hook,) = [hook for hook in cfg.custom_hooks if hook.type in (PredictionImageHook, 'PredictionImageHook')]
    assert len(cfg.custom_hooks) == 2
    assert hook.out_dir == str(tmp_path / 'images')
    assert hook.draw_maps is True
    assert hook.get('interval') == (listed[0].get('interval') if listed else None)
    assert cfg.model.test_cfg == dict(flip_test=True, output_maps=True, output_heatmaps=True)


@pytest.mark.parametrize('given', [dict(type='A'), [dict(type='A'), dict(type='B')]])
def test_dump_joins_the_metrics_of_the_config(given, tmp_path):
    cfg = Config(dict(test_evaluator=given))
    outputs.add_dump(cfg, tmp_path / 'new' / 'all.pkl')
    kept = given if isinstance(given, list) else [given]
    assert cfg.test_evaluator[:-1] == kept
    assert cfg.test_evaluator[-1]['out_file_path'] == str(tmp_path / 'new' / 'all.pkl')
    assert (tmp_path / 'new').is_dir()


def test_metrics_are_valid_json(tmp_path):
    metrics = {'AP': np.float32(0.5), 'AR': float('nan'), 'curve': torch.tensor([0.25, 1.0])}
    outputs.write_metrics(metrics, tmp_path / 'metrics.json')
    written = json.loads((tmp_path / 'metrics.json').read_text())
    assert written == {'AP': 0.5, 'AR': None, 'curve': [0.25, 1.0]}
    assert len(list(tmp_path.iterdir())) == 1
