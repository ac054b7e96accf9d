"""The installed packages, in another folder: what the wheel holds, and MMPose's own training with our plug-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mmpose
import pytest
from shipped_configs import REPOSITORY

from classicpose.inference.zoo import named_models

# A project of MMPose's kind: types are strings, and what is ours comes by `custom_imports`.
CONFIG = """
default_scope = 'mmpose'
custom_imports = dict(imports=['custom_modules'], allow_failed_imports=False)
codec = dict(type='PartAffinityField', input_size=(64, 64), heatmap_size=(8, 8))
model = dict(
    type='OpenPoseEstimator',
    data_preprocessor=dict(type='PoseDataPreprocessor'),
    backbone=dict(type='MobileNetV2', widen_factor=0.25, out_indices=(2,)),
    head=dict(type='OpenPoseHead', in_channels=8, num_stages=1, decoder=codec),
)
dataset = dict(
    type='BottomUpCocoDataset',
    data_root='DATA/',
    ann_file='annotations/person_keypoints_train2017.json',
    data_prefix=dict(img='train2017/'),
    pipeline=[
        dict(type='LoadImage'),
        dict(type='CropAroundPerson', input_size=(64, 64), heatmap_size=(8, 8)),
        dict(type='GenerateTarget', encoder=codec),
        dict(type='PackPoseInputs'),
    ],
)
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True), dataset=dataset
)
train_cfg = dict(by_epoch=False, max_iters=2)
optim_wrapper = dict(optimizer=dict(type='SGD', lr=1e-4))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
"""
INHERITING = """
from mmengine.config import read_base

with read_base():
    from custom_modules.configs.openpose_lite_coco import *

train_cfg.update(max_iters=1)
"""
TRAIN = """
{first}
{second}
import sys
from mmengine.config import Config
from mmengine.runner import Runner

cfg = Config.fromfile(sys.argv[1])
cfg.work_dir = 'work'
Runner.from_cfg(cfg).train()
import classicpose, custom_modules
print('from', classicpose.__file__, custom_modules.__file__)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with ours installed in it, by pip, of a wheel."""
    source, site = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('site')
    for name in ('classicpose', 'custom_modules', 'configs', 'projects', 'tools'):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'LICENSE', 'README.md'):
        shutil.copy(REPOSITORY / name, source)
    options = ('--quiet', '--no-deps', '--no-index', '--no-build-isolation', '--target', site)
    subprocess.run([sys.executable, '-m', 'pip', 'install', *options, source], check=True, timeout=300)
    return site


def run(site: Path, folder: Path, *command: object) -> str:
    """What a command prints that sees the installed packages before the repository's."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(site), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_the_library_its_models_and_the_plug_ins(site: Path) -> None:
    packages = {path.name for path in site.iterdir() if not path.name.endswith('.dist-info')} - {'bin'}
    assert packages == {'classicpose', 'custom_modules'}
    for model in named_models().values():
        assert not model.onnx or (site / 'classicpose/models' / model.onnx).is_file()
        assert model.config.startswith('projects/') or (site / 'custom_modules' / model.config).is_file()


def test_people_from_another_folder(site: Path, tmp_path: Path) -> None:
    photograph = REPOSITORY / 'docs/samples/baseball_1888.jpg'
    command = (sys.executable, '-m', 'classicpose', 'predict', 'openpose_lite', photograph, '--write_json', 'json')
    run(site, tmp_path, *command)
    assert (tmp_path / 'json/baseball_1888_keypoints.json').is_file()
    assert 'openpose_lite' in run(site, tmp_path, sys.executable, '-m', 'classicpose', 'models')


@pytest.mark.parametrize(
    ('first', 'second', 'form'),
    [
        ('import custom_modules', 'import mmpose.models', 'py'),
        ('import mmpose.models, mmpose.apis', 'import custom_modules', 'yaml'),
        ('', '', 'py'),
    ],
    ids=['ours first', 'ours last', 'by the config alone'],
)
def test_an_mmpose_project_elsewhere_trains_our_codec_and_head(
    first: str, second: str, form: str, site: Path, generated_data: Path, tmp_path: Path
) -> None:
    from mmengine.config import Config

    path = tmp_path / 'config.py'
    path.write_text(CONFIG.replace('DATA', str(generated_data / 'coco')))
    if form == 'yaml':
        Config.fromfile(str(path)).dump(str(tmp_path / 'config.yaml'))
        path = tmp_path / 'config.yaml'
    (tmp_path / 'train.py').write_text(TRAIN.format(first=first, second=second))
    said = run(site, tmp_path, sys.executable, 'train.py', path)
    assert said.splitlines()[-1] == f'from {site}/classicpose/__init__.py {site}/custom_modules/__init__.py'
    assert (tmp_path / 'work/iter_2.pth').is_file()


def test_a_config_elsewhere_inherits_a_shipped_one(site: Path, tmp_path: Path) -> None:
    (tmp_path / 'mine.py').write_text(INHERITING)
    tool = Path(mmpose.__file__).parent / '.mim/tools/analysis_tools/print_config.py'
    assert 'max_iters=1,' in run(site, tmp_path, sys.executable, tool, 'mine.py')
