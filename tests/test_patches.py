"""MMPose imports by itself beside the stand-ins, and loads checkpoints without running their code."""

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

from custom_modules import patches


def run_python(program: str, folder: Path) -> subprocess.CompletedProcess:
    """Run a program in a fresh interpreter, in an empty folder."""
    return subprocess.run([sys.executable, '-c', program], cwd=folder, capture_output=True, text=True, timeout=300)


# --- importing MMPose ------------------------------------------------------------------------


def test_mmpose_imports_silently_without_us(tmp_path):
    result = run_python(
        'import sys\n'
        'import mmpose.apis, mmpose.models, mmpose.datasets, mmpose.evaluation, mmpose.visualization\n'
        "assert 'custom_modules' not in sys.modules\n",
        tmp_path,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == ''
    # Other libraries may report on stderr, matplotlib its font cache for one; none may warn.
    assert 'Warning' not in result.stderr


def test_a_missing_operator_says_how_to_get_it_only_when_called():
    from mmcv import _ext, ops

    if not _ext.__file__.endswith('.py'):
        pytest.skip("mmcv's compiled operators are installed")
    with pytest.raises(RuntimeError, match="mmcv's compiled operator 'nms' is not installed.*--no-binary onedl-mmcv"):
        ops.nms(torch.rand(2, 4), torch.rand(2), 0.5)


def test_compiled_operators_come_before_the_stand_in(tmp_path):
    """Where both lie in one folder, as after building mmcv, Python takes the extension."""
    from importlib.machinery import EXTENSION_SUFFIXES, PathFinder

    (tmp_path / '_ext.py').touch()
    (tmp_path / f'_ext{EXTENSION_SUFFIXES[0]}').touch()
    assert PathFinder.find_spec('_ext', [str(tmp_path)]).origin.endswith(EXTENSION_SUFFIXES[0])


def test_rtmos_mean_over_processes_is_the_tensor_where_there_is_one():
    from mmpose.models.heads.hybrid_heads.rtmo_head import reduce_mean

    tensor = torch.tensor([1.0, 3.0])
    assert torch.equal(reduce_mean(tensor), tensor)


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
    ('first', 'second'),
    [('json', 'mmengine'), ('mmpose.models', 'mmpose.apis'), ('mmengine', 'mmpose'), ('classicpose', 'mmengine')],
)
def test_plug_ins_are_found_by_name_whatever_was_imported_first(first: str, second: str, tmp_path):
    result = run_python(REGISTERED.format(first=first, second=second), tmp_path)
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
    with pytest.raises(patches.UnsafeCheckpointError, match=patches.TRUST_VARIABLE) as refusal:
        load_checkpoint(Line(), str(path))
    assert str(path) in str(refusal.value)
    assert not folder.exists()


def test_a_download_that_would_run_code_is_refused(hostile, tmp_path):
    path, folder = hostile
    with pytest.raises(patches.UnsafeCheckpointError):
        load_from_http(path.as_uri(), model_dir=str(tmp_path / 'downloads'), progress=False)
    assert not folder.exists()


def test_a_trusted_checkpoint_is_unpickled(hostile, monkeypatch):
    path, folder = hostile
    monkeypatch.setenv(patches.TRUST_VARIABLE, '1')
    load_checkpoint(Line(), str(path), strict=True)
    assert folder.is_dir()


class Attribute:
    """Unpickles as an attribute of a type, the first step of climbing to a dangerous function."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_a_checkpoint_cannot_look_up_attributes(tmp_path):
    path = tmp_path / 'attribute.pth'
    torch.save({'state_dict': {}, 'meta': Attribute()}, path)
    with pytest.raises(patches.UnsafeCheckpointError) as refusal:
        CheckpointLoader.load_checkpoint(str(path))
    assert "attribute '__init__'" in str(refusal.value.__cause__)
