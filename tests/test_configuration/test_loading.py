from __future__ import annotations

import sys
from pathlib import Path

import pytest

from classicpose.errors import UserError
from custom_modules.configuration.loading import load_config

BASE = """
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop
from mmpose.codecs import MSRAHeatmap
from mmpose.datasets import LoadImage, GenerateTarget
from mmpose.models import HeatmapHead, PoseDataPreprocessor, ResNet, TopdownPoseEstimator

codec = dict(type=MSRAHeatmap, input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
data_preprocessor = dict(type=PoseDataPreprocessor, mean=[0, 0, 0])
model = dict(
    type=TopdownPoseEstimator,
    data_preprocessor=data_preprocessor,
    backbone=dict(type=ResNet, depth=18),
    head=dict(type=HeatmapHead, in_channels=512, out_channels=17, decoder=codec),
    test_cfg=dict(flip_test=True, scales=[1.0]),
)
pipeline = [dict(type=LoadImage), dict(type=GenerateTarget, encoder=codec)]
train_dataloader = dict(batch_size=2, dataset=dict(type='CocoDataset', data_root='data/', pipeline=pipeline))
max_epochs = 3
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=max_epochs)
default_hooks = dict(checkpoint=dict(type=CheckpointHook))
later = {'train_cfg.max_epochs': 1}
train_stages = [dict(), later]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / 'base.py').write_text(BASE)
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        'from mmengine.config import read_base\nwith read_base():\n    from .base import *\n'
        'train_dataloader.update(num_workers=1)\n'
    )
    return leaf


def test_a_config_imports_what_lies_beside_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'path', [*sys.path])
    (config.parent / 'beside_the_config.py').write_text('class Hook: ...\n')
    config.write_text(f'from beside_the_config import Hook\n{config.read_text()}custom_hooks = [dict(type=Hook)]\n')
    assert load_config(config).custom_hooks[0].type is sys.modules['beside_the_config'].Hook


@pytest.mark.parametrize(
    ('option', 'path', 'value'),
    [
        ('train_dataloader.batch_size=8', 'train_dataloader.batch_size', 8),
        ('train_dataloader.prefetch_factor=2', 'train_dataloader.prefetch_factor', 2),
        ('train_dataloader.dataset.indices=4', 'train_dataloader.dataset.indices', 4),
        (
            'train_dataloader.dataset.pipeline.0.to_float32=True',
            'train_dataloader.dataset.pipeline.0.to_float32',
            True,
        ),
        ('model.backbone.norm_eval=True', 'model.backbone.norm_eval', True),
        ('model.test_cfg.output_maps=True', 'model.test_cfg.output_maps', True),
        ('model.test_cfg.scales=[0.5,1.0]', 'model.test_cfg.scales', [0.5, 1.0]),
        ('train_cfg.val_interval=2', 'train_cfg.val_interval', 2),
        ('env_cfg.dist_cfg.timeout=60', 'env_cfg.dist_cfg.timeout', 60),
        ('randomness.seed=1', 'randomness.seed', 1),
        ('load_from=a.pth', 'load_from', 'a.pth'),
        *(
            (f'train_dataloader.dataset.data_root={text}', 'train_dataloader.dataset.data_root', value)
            for text, value in [
                ('/data/Set 2, new/', '/data/Set 2, new/'), ('2024', '2024'), ("'/a/b'", '/a/b'), ('a=b', 'a=b'),
                ('/old (1/', '/old (1/'), ('True', 'True'), ('None', None), ('[a,b]', ['a', 'b']),
            ]
        ),
    ],
)  # fmt: skip
def test_settings_are_overridden(config: Path, option: str, path: str, value: object):
    found = load_config(config, [option])
    for part in path.split('.'):
        found = found[int(part) if part.isdigit() else part]
    assert found == value


def test_a_stages_settings_are_overridden(config: Path):
    options = ['train_stages.1.train_cfg.max_epochs=5', 'train_stages.1.train_dataloader.batch_size=4']
    first, second = load_config(config, options).train_stages
    assert first == {}
    assert second == {'train_cfg.max_epochs': 5, 'train_dataloader.batch_size': 4}


@pytest.mark.parametrize(
    ('option', 'expected'),
    [
        ('train_dataloader.batchsize=8', 'has no batchsize: did you mean batch_size?'),
        ('model.backbone.dept=8', 'model.backbone (ResNet) has no dept: did you mean depth?'),
        ('model.test_cfg.flip_tset=0', 'model.test_cfg has no flip_tset: did you mean flip_test?'),
        ('modl.backbone.depth=8', 'there is no modl: did you mean model?'),
        ('default_hooks.checkpoint.intervall=8', 'did you mean interval?'),
        ('randomness.sed=1', 'did you mean seed?'),
        ('train_dataloader.dataset.pipeline.9.x=1', 'pipeline is a list with positions 0 to 1'),
        ('model.test_cfg.scales.0=1', 'give the whole list model.test_cfg.scales'),
        ('model.backbone.depth.x=1', 'model.backbone.depth is 18, there are no settings in it'),
        ('model.backbone=ResNet', 'a group of settings: set one of type, depth'),
        ('max_epochs=5', 'nothing reads once the file is loaded: set train_cfg.max_epochs'),
        (
            'codec.sigma=3',
            'set model.head.decoder.sigma and train_dataloader.dataset.pipeline.1.encoder.sigma',
        ),
        ('data_preprocessor.mean=[1,1,1]', 'set model.data_preprocessor.mean'),
        ('pipeline.0.x=3', 'set train_dataloader.dataset.pipeline.0.x'),
        ('train_stages.2.train_cfg.max_epochs=1', 'write train_stages.N.SETTING, N from 0 to 1'),
        ('train_stages.1.train_cfg.max_epoch=1', 'did you mean max_epochs?'),
        ('train_dataloader', 'write KEY=VALUE'),
        ('model.test_cfg.scales=[1,(2]', 'Imbalanced brackets'),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(config: Path, option: str, expected: str):
    with pytest.raises(UserError) as caught:
        load_config(config, [option])
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        ('model = dict(\n', "config.py, line 1: '(' was never closed: model = dict("),
        ('x = 1\ny = 1 / 0\n', 'config.py, line 2: ZeroDivisionError: division by zero'),
        ('import mmpose\nmodel = dict(type=Resnet)\n', "line 2: NameError: name 'Resnet' is not"),
        (
            'from mmpose.models import Restnet\nmodel = dict(type=Restnet)\n',
            'config.py, line 1: mmpose.models has no Restnet: did you mean ResNet',
        ),
        (
            'from mmpose.modls import ResNet\nmodel = dict(type=ResNet)\n',
            "config.py, line 1: cannot import mmpose.modls: No module named 'mmpose.modls'",
        ),
        (
            'import mmpose.models as m\nmodel = dict(type=m.Restnet)\n',
            'config.py: mmpose.models has no Restnet: did you mean ResNet',
        ),
        (
            'from mmengine.config import read_base\nwith read_base():\n    from .none import *\n',
            'none.py does not exist',
        ),
        (
            'from mmengine.config import read_base\nwith read_base():\n    from .broken import *\n',
            'broken.py, line 1: invalid syntax: x = = 1',
        ),
        ("_base_ = 'none.py'\n", "No such file or directory: '"),
        ('\0', 'config.py'),
    ],
)  # fmt: skip
def test_a_broken_config_is_refused(tmp_path: Path, text: str, expected: str):
    (tmp_path / 'broken.py').write_text('x = = 1\n')
    path = tmp_path / 'config.py'
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(path)
    assert expected in str(caught.value)


def test_what_is_no_config_is_refused(config: Path, tmp_path: Path):
    (tmp_path / 'data.json').write_text('{}')
    (tmp_path / 'binary.py').write_bytes(bytes(range(256)))
    for name, expected in [
        ('leav.py', 'leav.py does not exist: did you mean leaf.py?'),
        ('', 'is a folder'),
        ('data.json', 'data.json is not a config file'),
        ('binary.py', 'binary.py is not a text file'),
    ]:
        with pytest.raises(UserError, match=expected):
            load_config(tmp_path / name)


def test_a_bug_in_a_plug_in_keeps_its_traceback(tmp_path: Path, monkeypatch):
    (tmp_path / 'plug_in_with_bug.py').write_text('from math import no_such_function\n')
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / 'config.py'
    path.write_text('from plug_in_with_bug import Net\nmodel = dict(type=Net)\n')
    with pytest.raises(ImportError, match='no_such_function'):
        load_config(path)
