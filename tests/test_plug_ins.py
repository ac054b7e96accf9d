"""docs/plug_ins.md, followed in a folder of one's own: its files written, its commands run to the last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pages import page_commands, page_files, run_here
from shipped_configs import REPOSITORY

PAGE = (REPOSITORY / 'docs/plug_ins.md').read_text()
SMALL = [
    f'{split}_dataloader.{setting}'
    for split in ('train', 'val', 'test')
    for setting in ('num_workers=0', 'persistent_workers=False', 'batch_size=2')
] + ['train_cfg.max_iters=2', 'train_cfg.val_interval=2', 'param_scheduler.total_steps=2']


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp('plugins')
    for name, text in page_files(PAGE).items():
        (folder / name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, 'path', [*sys.path, str(folder)])
        yield folder


def test_the_page(folder: Path) -> None:
    for program, *arguments in page_commands(PAGE):
        arguments = [word.replace('1500', '2') for word in arguments]
        if 'generate_data' in arguments[0]:
            run_here(*arguments, '--train', 8, '--val', 4)
        elif program == 'python':
            run_here(*arguments, '--cfg-options', *SMALL)
        else:
            environment = os.environ | dict(PYTHONPATH=str(REPOSITORY))
            subprocess.run([sys.executable, '-m', 'classicpose', *arguments], check=True, env=environment)
    assert len(list(Path('found').iterdir())) == len(list(Path('json').iterdir())) == 4
    (log,) = Path('work_dirs/parts_generated').glob('*/vis_data/scalars.json')
    validation = json.loads(log.read_text().splitlines()[-1])
    assert {'coco/AP', 'found/share'} <= validation.keys()


def test_the_metric_of_the_page(folder: Path) -> None:
    from parts import FoundKeypoints

    truth = dict(keypoints=np.array([[[10, 10], [50, 50], [0, 0]]]), keypoints_visible=np.array([[1, 1, 0]]))
    people = dict(keypoints=np.array([[[16, 18], [50, 62], [0, 0]]]), keypoint_scores=np.ones((1, 3)))
    nobody = dict(keypoints=np.zeros((0, 3, 2)), keypoint_scores=np.zeros((0, 3)))
    metric = FoundKeypoints(pixels=10)
    metric.process([], [dict(gt_instances=truth, pred_instances=found) for found in (people, nobody)])
    assert metric.evaluate(2) == {'found/share': 0.25}
