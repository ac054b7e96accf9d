"""The compat layer in fresh interpreters, and the checkpoints it loads and refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.optim import ReduceOnPlateauLR
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader, load_from_http
from shipped_configs import REPOSITORY

from custom_modules import compat

compat.install()


# mmcv.ops asks the extension for every operator by name, as the real one would answer.
FAKE_EXTENSION = """
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *args, **kwargs: "result of " + name
"""

LOAD_COMPAT_ALONE = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("compat", {str(compat.__file__)!r})
compat = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compat)
"""


def run_python(program: str) -> subprocess.CompletedProcess:
    """Run a program in a fresh interpreter that has loaded compat and nothing else of ours."""
    return subprocess.run(
        [sys.executable, '-c', LOAD_COMPAT_ALONE + program],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
    )


# --- importing MMPose ------------------------------------------------------------------------


def test_mmpose_imports_silently_after_two_installs():
    result = run_python(
        'compat.install(); compat.install()\n'
        'import mmpose.models, mmpose.datasets, mmpose.evaluation, mmpose.visualization\n'
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ''
    # Other libraries may report on stderr, matplotlib its font cache for one; none may warn.
    assert 'Warning' not in result.stderr


def test_a_missing_operator_says_how_to_get_it_only_when_called():
    result = run_python(
        'import importlib.util\n'
        'import mmcv\n'
        "assert importlib.util.find_spec('mmcv._ext') is None, 'SKIP'\n"
        'compat.install()\n'
        'import mmcv.ops, torch\n'
        'mmcv.ops.nms(torch.rand(2, 4), torch.rand(2), 0.5)\n'
    )
    if 'SKIP' in result.stderr:
        pytest.skip("mmcv's compiled operators are installed")
    assert result.returncode == 1
    assert "RuntimeError: mmcv's compiled operator 'nms' is not installed" in result.stderr
    assert '--no-binary onedl-mmcv' in result.stderr


def test_real_operators_are_left_alone(tmp_path):
    (tmp_path / '_ext.py').write_text(FAKE_EXTENSION)
    result = run_python(
        'import mmcv\n'
        f'mmcv.__path__.insert(0, {str(tmp_path)!r})\n'
        'compat.install()\n'
        'import mmpose.models\n'
        'from mmcv import _ext\n'
        'print(_ext.__file__, _ext.nms())\n'
    )
    assert result.stdout == f'{tmp_path / "_ext.py"} result of nms\n', result.stderr


def test_the_import_leaves_the_real_mmdet_to_who_wants_it():
    result = run_python(
        'compat.install()\n'
        'import sys\n'
        "assert not any(name.startswith('mmdet') for name in sys.modules)\n"
        'import mmpose.models.heads.hybrid_heads.rtmo_head as rtmo\n'
        'print(rtmo.reduce_mean(3))\n'
        'import mmdet.utils\n'
        'print(mmdet.__version__, mmdet.utils.reduce_mean(4))\n'
    )
    assert result.stdout == '3\n3.5.1 4\n', result.stderr


def test_the_import_leaves_to_their_users_what_it_seldom_uses():
    result = run_python(
        'compat.install()\n'
        'import sys\n'
        "for name in ('matplotlib', 'mmdet', 'scipy.stats', 'sympy', 'torch.distributed.fsdp', 'torchvision'):\n"
        '    assert name not in sys.modules, name\n'
        'from mmpose.datasets.transforms.common_transforms import truncnorm\n'
        'from mmpose.evaluation.metrics.coco_metric import COCO\n'
        'class Indexed(COCO):\n'
        '    pass\n'
        'assert len(truncnorm.rvs(-1, 1, size=3)) == 3\n'
        'assert isinstance(COCO(), COCO) and isinstance(Indexed(), COCO) and not isinstance(3, COCO)\n'
        'import xtcocotools.coco, scipy.stats\n'
        'assert isinstance(COCO(), xtcocotools.coco.COCO)\n'
    )
    assert result.returncode == 0, result.stderr


def test_sharded_training_is_found_by_name():
    result = run_python(
        'compat.install()\n'
        'import sys\n'
        "assert 'torch.distributed.fsdp' not in sys.modules\n"
        'import mmengine.registry as engine, mmpose.registry as pose\n'
        "for registry, name in ((engine.OPTIMIZERS, 'ZeroRedundancyOptimizer'), (engine.STRATEGIES, 'FSDPStrategy'),\n"
        "                       (engine.MODEL_WRAPPERS, 'MMFullyShardedDataParallel'),\n"
        "                       (pose.MODEL_WRAPPERS, 'MMFullyShardedDataParallel')):\n"
        '    assert registry.get(name).__module__.startswith("mmengine."), name\n'
        'from mmengine.model import MMFullyShardedDataParallel\n'
        'assert not isinstance(3, MMFullyShardedDataParallel)\n'
    )
    assert result.returncode == 0, result.stderr


def test_only_the_notice_is_dropped_from_what_is_printed(capsys):
    notice = 'Skipping what nobody asked for.'
    with pytest.raises(KeyError), compat._stdout_without(notice):
        print('before')
        print(notice)
        print(f'{notice} But why?')
        raise KeyError
    assert capsys.readouterr().out == f'before\n{notice} But why?\n'


REGISTERED = """
import {first}
import custom_modules
import {second}
from mmengine.registry import FUNCTIONS
from mmpose.registry import DATASETS, HOOKS, KEYPOINT_CODECS, METRICS, MODELS, TRANSFORMS
for registry, name in [
    (MODELS, 'OpenPoseVGG'), (DATASETS, 'FlicDataset'), (TRANSFORMS, 'ResizeToHeight'), (METRICS, 'PDJ'),
    (KEYPOINT_CODECS, 'PartAffinityField'), (HOOKS, 'PredictionImageHook'), (FUNCTIONS, 'target_batch_collate'),
]:
    assert registry.get(name) is not None, name
"""


@pytest.mark.parametrize(
    ('first', 'second'), [('json', 'mmengine'), ('json', 'mmpose'), ('mmengine', 'mmpose'), ('mmpose', 'mmengine')]
)
def test_plug_ins_are_found_by_name_whatever_was_imported_first(first: str, second: str):
    program = REGISTERED.format(first=first, second=second)
    result = subprocess.run([sys.executable, '-c', program], cwd=REPOSITORY, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


# --- numpy's one-element arrays --------------------------------------------------------------


def test_mmpose_draws_keypoints_whatever_the_numpy():
    from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

    visualizer = OpencvBackendVisualizer(backend='opencv')
    visualizer.set_image(np.zeros((20, 20, 3), np.uint8))
    visualizer.draw_circles(np.array([10.0, 10.0]), np.array([3]), face_colors=(255, 255, 255), alpha=1.0)
    assert visualizer.get_image()[10, 10].tolist() == [255, 255, 255]


# --- checkpoints -----------------------------------------------------------------------------


class Numbers(torch.utils.data.Dataset):
    """Eight numbers, with a metainfo of the types that pose datasets have."""

    metainfo = {
        'name': 'numbers',
        'sigmas': np.ones(3, np.float32),
        'colors': np.zeros((3, 3), np.uint8),
        'flip_indices': [0, 2, 1],
        'upper_body': (0, 1),
        'visible': np.array([True, False]),
        'links': np.arange(4).reshape(2, 2),
    }

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return {'inputs': torch.tensor([float(index)])}


class Line(BaseModel):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(1, 1)

    def forward(self, inputs, mode='tensor'):
        outputs = self.linear(inputs)
        return {'loss': (outputs**2).mean()} if mode == 'loss' else list(outputs)


class MeanOutput(BaseMetric):
    default_prefix = 'output'

    def process(self, data_batch, data_samples):
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results):
        return {'loss': np.mean(results)}


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder in which MMEngine has trained one epoch, with everything that adds state."""
    work_dir = tmp_path_factory.mktemp('trained')
    loader = {
        'batch_size': 4,
        'num_workers': 0,
        'dataset': Numbers(),
        'sampler': {'type': DefaultSampler, 'shuffle': False},
        'collate_fn': {'type': 'default_collate'},
    }
    runner = Runner(
        model=Line(),
        work_dir=str(work_dir),
        train_dataloader=loader,
        val_dataloader=loader,
        train_cfg={'by_epoch': True, 'max_epochs': 1},
        val_cfg={},
        val_evaluator={'type': MeanOutput},
        optim_wrapper={'optimizer': {'type': 'Adam', 'lr': 0.01}},
        param_scheduler=[
            {'type': 'LinearLR', 'start_factor': 0.1, 'end': 2, 'by_epoch': False},
            {'type': ReduceOnPlateauLR, 'monitor': 'output/loss', 'by_epoch': True},
        ],
        default_hooks={'checkpoint': {'type': 'CheckpointHook', 'save_best': 'output/loss'}},
        custom_hooks=[{'type': 'EMAHook'}, {'type': 'EarlyStoppingHook', 'monitor': 'output/loss'}],
        default_scope='mmengine',
        log_level='WARNING',
    )
    runner.train()
    return work_dir


@pytest.mark.parametrize('name', ['epoch_1.pth', 'best_output_loss_epoch_1.pth'])
def test_what_mmengine_saves_loads_without_unpickling(trained, name):
    checkpoint = CheckpointLoader.load_checkpoint(str(trained / name))
    metainfo = checkpoint['meta']['dataset_meta']
    assert metainfo.keys() == Numbers.metainfo.keys()
    np.testing.assert_array_equal(metainfo['visible'], Numbers.metainfo['visible'])
    assert metainfo['colors'].dtype == np.uint8
    loss = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(loss, HistoryBuffer)
    assert loss.statistics('mean', window_size=2) > 0


@pytest.mark.parametrize('package', ['numpy.core', 'numpy._core'])
def test_numpy_data_loads_under_both_names_of_numpy_core(tmp_path, package):
    """A checkpoint moves between Python 3.11 with numpy 1 and Python 3.12 with numpy 2."""
    path = tmp_path / 'array.pth'
    torch.save({'state_dict': {}, 'array': np.arange(3.0), 'scalar': np.float32(2)}, path)
    own_package = np.zeros(0).__reduce__()[0].__module__.removesuffix('.multiarray')
    rewrite_pickle(path, own_package.encode(), package.encode())

    checkpoint = CheckpointLoader.load_checkpoint(str(path))

    np.testing.assert_array_equal(checkpoint['array'], [0, 1, 2])
    assert checkpoint['scalar'] == 2


def rewrite_pickle(path: Path, old: bytes, new: bytes) -> None:
    """Replace a name in the pickle inside a torch archive."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            pickled = name.endswith('data.pkl')
            archive.writestr(name, content.replace(old, new) if pickled else content)


class MakesFolder:
    """Creates a folder when it is unpickled, as a hostile checkpoint could do worse."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def hostile(tmp_path):
    """A checkpoint with working weights, and the folder that unpickling it would create."""
    folder = tmp_path / 'created_by_the_checkpoint'
    path = tmp_path / 'hostile.pth'
    torch.save({'state_dict': Line().state_dict(), 'meta': MakesFolder(folder)}, path)
    return path, folder


def test_a_checkpoint_that_would_run_code_is_refused(hostile):
    path, folder = hostile
    with pytest.raises(compat.UnsafeCheckpointError, match=compat.TRUST_VARIABLE) as refusal:
        load_checkpoint(Line(), str(path))
    assert str(path) in str(refusal.value)
    assert not folder.exists()


def test_a_download_that_would_run_code_is_refused(hostile, tmp_path):
    path, folder = hostile
    with pytest.raises(compat.UnsafeCheckpointError):
        load_from_http(path.as_uri(), model_dir=str(tmp_path / 'downloads'), progress=False)
    assert not folder.exists()


def test_a_trusted_checkpoint_is_unpickled(hostile, monkeypatch):
    path, folder = hostile
    monkeypatch.setenv(compat.TRUST_VARIABLE, '1')
    load_checkpoint(Line(), str(path), strict=True)
    assert folder.is_dir()


class Attribute:
    """Unpickles as an attribute of a type, the first step of climbing to a dangerous function."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_a_checkpoint_cannot_look_up_attributes(tmp_path):
    path = tmp_path / 'attribute.pth'
    torch.save({'state_dict': {}, 'meta': Attribute()}, path)
    with pytest.raises(compat.UnsafeCheckpointError) as refusal:
        CheckpointLoader.load_checkpoint(str(path))
    assert "attribute '__init__'" in str(refusal.value.__cause__)
