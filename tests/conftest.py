"""Data for all tests: synthetic people, made once a run, and the genuine datasets where they are."""

from __future__ import annotations

import gc
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import torch
from mmengine.logging import MMLogger
from people import UPRIGHT
from shipped_configs import REPOSITORY

from classicpose.skeletons import LSP14, OPENPOSE18
from custom_modules.datasets.synthetic.coco import generate_coco
from custom_modules.datasets.synthetic.flic import generate_flic

REAL_DATA = REPOSITORY / os.environ.get('CLASSICPOSE_DATA', 'data')

if 'PYTEST_XDIST_WORKER' in os.environ:
    # Threads of several processes wait for each other; the tools that tests run obey the variable.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Command lines first: theirs are the longest files, and a long one at the end would keep one process waiting."""
    items.sort(key=lambda item: item.path.parent.name != 'test_tools')
    # MMEngine's datasets collect garbage when they are made: a quarter of a second for all that has been imported.
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def own_data() -> Iterator[None]:
    """Only tests that ask for genuine data see it: a tool that a test runs looks into the test's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('CLASSICPOSE_DATA', raising=False)
        yield


@pytest.fixture(autouse=True)
def number_of_threads() -> Iterator[None]:
    """No test leaves more of PyTorch's threads than there were: two of them take turns where something runs beside."""
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


@pytest.fixture(autouse=True)
def own_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers of runs in this process write to the error stream of the test that made them, which is closed later."""
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())


@pytest.fixture(scope='session')
def generated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with ``generated``, 24 training and 8 validation images, also under the name ``coco``, ``flic``,
    ``lspet`` and ``photographs``, the training images.
    """
    folder = tmp_path_factory.mktemp('data')
    generate_coco(folder / 'generated', num_train=24, num_val=8, size=(192, 192), seed=1)
    (folder / 'coco').symlink_to(folder / 'generated')
    generate_flic(folder / 'flic', num_train=10, num_test=2, size=(180, 120), seed=1)
    _generate_lspet(folder / 'lspet', people=30)
    (folder / 'photographs').mkdir()
    (folder / 'photographs/images').symlink_to(folder / 'coco/train2017')
    (folder / 'photographs/person_keypoints.json').symlink_to(
        folder / 'coco/annotations/person_keypoints_train2017.json'
    )
    return folder


def _generate_lspet(folder: Path, people: int) -> None:
    """LSP Extended in small: grey images of 100x120 with one upright person each, whose wrists are not labelled."""
    (folder / 'images').mkdir(parents=True)
    joints = np.zeros((14, 3, people))
    for index, name in enumerate(LSP14.keypoints):
        if name in OPENPOSE18.keypoints and not name.endswith('wrist'):
            joints[index, :2] = (UPRIGHT[OPENPOSE18.keypoints.index(name)] * 100)[:, None]
            joints[index, 2] = 1
    scipy.io.savemat(folder / 'joints.mat', {'joints': joints})
    for number in range(1, people + 1):
        cv2.imwrite(str(folder / f'images/im{number:05d}.jpg'), np.full((120, 100, 3), 128, np.uint8))


@pytest.fixture(scope='session')
def generated_flic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with ``flic``, 60 training and 24 test people in images of 180x120."""
    folder = tmp_path_factory.mktemp('data')
    generate_flic(folder / 'flic', num_train=60, num_test=24, size=(180, 120), seed=1)
    return folder


@pytest.fixture(scope='session')
def real_coco() -> Path:
    """The genuine COCO files; the test is skipped where they are missing."""
    return _real_data('coco', 'annotations/person_keypoints_val2017.json')


@pytest.fixture(scope='session')
def real_flic() -> Path:
    """The genuine FLIC files; the test is skipped where they are missing."""
    return _real_data('flic', 'images/12-oclock-high-special-edition-00006361.jpg')


@pytest.fixture(scope='session')
def real_flic_predictions() -> Path:
    """FLIC's genuine annotations and published predictions; the test is skipped where they are missing."""
    return _real_data('flic', 'examples.mat', 'cpm_predictions_test.mat')


@pytest.fixture(scope='session')
def real_lspet() -> Path:
    """The genuine files of LSP Extended; the test is skipped where they are missing."""
    return _real_data('lspet', 'joints.mat')


@pytest.fixture(scope='session')
def real_prototxt() -> Path:
    """The folder of OpenPose's genuine network descriptions; the test is skipped where they are missing."""
    return _real_data('openpose_prototxt', 'pose/body_25/pose_deploy.prototxt', 'hand/pose_deploy.prototxt')


def _real_data(name: str, *files: str) -> Path:
    root = REAL_DATA / name
    if not all((root / file).is_file() for file in files):
        pytest.skip(f'needs the genuine {", ".join(files)} in data/{name}')
    return root
