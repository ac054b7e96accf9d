"""Data for all tests: drawn people, made once a run, and the genuine data sets where they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from custom_modules.datasets.generated import generate_coco

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def generated_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with ``generated``, 24 training and 8 validation pictures, also under the name ``coco``."""
    folder = tmp_path_factory.mktemp('data')
    generate_coco(folder / 'generated', num_train=24, num_val=8, size=(192, 192), seed=1)
    (folder / 'coco').symlink_to(folder / 'generated')
    return folder


@pytest.fixture(scope='session')
def real_coco() -> Path:
    """The genuine COCO files; the test is skipped where they are missing."""
    for folder in (os.environ.get('CLASSICPOSE_DATA', 'data'), '../shared/data'):
        coco = REPOSITORY / folder / 'coco'
        if (coco / 'annotations' / 'person_keypoints_val2017.json').is_file():
            return coco
    pytest.skip('needs the COCO files in data/coco')
