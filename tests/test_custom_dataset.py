"""docs/custom_dataset.md, followed by somebody with drawn penguins in a folder of their own: its files written, its
commands run to the last line, its claims checked.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmpose.registry import DATASETS, KEYPOINT_CODECS, METRICS
from pages import page_commands, page_files, run_here
from penguins import CATEGORY, HEIGHT, KEYPOINTS, WIDTH, write_penguins
from shipped_configs import REPOSITORY

from custom_modules.configuration.loading import load_config
from custom_modules.datasets.checks.coco import check_coco
from custom_modules.datasets.coco import main_people
from custom_modules.engine.hooks.predictions import measure

PAGE = (REPOSITORY / 'docs/custom_dataset.md').read_text()
FILES, COMMANDS = page_files(PAGE), page_commands(PAGE)
(PROGRAM,) = re.findall(r'```python\n(from classicpose import Predictor.*?)```', PAGE, re.DOTALL)
SIGMAS = (0.04, 0.06, 0.06, 0.06, 0.05, 0.05)
PAF, REGRESSION = 'penguin_paf.py', 'penguin_regression.py'

_IN_PROCESS = [
    f'{split}_dataloader.{setting}'
    for split in ('train', 'val', 'test')
    for setting in ('num_workers=0', 'persistent_workers=False')
]
# Minutes become seconds: fewer and smaller steps, and for the regression a narrower network and smaller crops.
SMALL = {
    PAF: [
        *_IN_PROCESS, 'train_dataloader.batch_size=2', 'val_dataloader.dataset.indices=4',
        'test_dataloader.dataset.indices=4', 'train_cfg.max_iters=24', 'train_cfg.val_interval=24',
        'param_scheduler.total_steps=24', 'default_hooks.logger.interval=4', 'custom_hooks.2.momentum=0.5',
    ],
    REGRESSION: [
        *_IN_PROCESS, 'train_cfg.max_epochs=24', 'train_cfg.val_interval=24', 'param_scheduler.total_steps=24',
        'default_hooks.checkpoint.interval=24', 'model.backbone.init_cfg=None', 'model.backbone.base_channels=16',
        'model.backbone.stem_channels=16', 'model.head.in_channels=128',
        *(
            f'{place}.input_size=(64,64)'
            for place in (
                'model.head.decoder', 'train_dataloader.dataset.pipeline.4',
                'train_dataloader.dataset.pipeline.5.encoder', 'val_dataloader.dataset.pipeline.2',
                'test_dataloader.dataset.pipeline.2',
            )
        ),
    ],
}  # fmt: skip


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder outside the repository with the page's files and 96 + 24 images, and in it."""
    folder = tmp_path_factory.mktemp('penguins')
    for name, text in FILES.items():
        (folder / name).write_text(text)
    write_penguins(folder / 'data/penguins', 'train', 96, seed=0)
    write_penguins(folder / 'data/penguins', 'val', 24, seed=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, 'path', [*sys.path])
        patch.setattr(MMLogger, '_instance_dict', OrderedDict())
        patch.setenv('CLASSICPOSE_DATA', 'nowhere')
        yield folder
        del sys.modules['penguin']


@pytest.fixture(scope='module')
def paf(folder: Path) -> Config:
    return load_config(PAF)


@pytest.fixture(scope='module')
def regression(folder: Path) -> Config:
    return load_config(REGRESSION)


@pytest.fixture(scope='module')
def run(folder: Path) -> Callable[..., str]:
    """Runs the page's command of a tool and a config, in this process, and returns what it printed."""

    def run(tool: str, config: str, *more: str) -> str:
        ((_, program, _, *rest),) = [line for line in COMMANDS if line[1].endswith(f'/{tool}.py') and line[2] == config]
        if rest and rest[0].endswith('.pth'):  # the page's run was a longer one
            rest[0] = str(next(folder.joinpath(rest[0]).parent.glob('best_*.pth')))
        options = [] if '--cfg-options' in rest else ['--cfg-options']
        return run_here(program, config, *rest, *more, *options, *SMALL[config])

    return run


@pytest.fixture(scope='module')
def work_dirs(run: Callable[..., str], folder: Path) -> Path:
    """Both networks trained."""
    for config in (PAF, REGRESSION):
        run('train', config)
    return folder / 'work_dirs'


def losses(work_dir: Path) -> list[float]:
    (log,) = work_dir.glob('*/vis_data/scalars.json')
    return [entry['loss'] for entry in map(json.loads, log.read_text().splitlines()) if 'loss' in entry]


def annotated(folder: Path, split: str) -> list[np.ndarray]:
    """(N, 6, 3) of each image."""
    contents = json.loads((folder / f'data/penguins/annotations/{split}.json').read_text())
    tables = {image['id']: [] for image in contents['images']}
    for annotation in contents['annotations']:
        tables[annotation['image_id']].append(np.reshape(annotation['keypoints'], (6, 3)))
    return [np.array(table) for table in tables.values()]


def test_the_annotations_on_the_page_are_sound() -> None:
    (block,) = re.findall(r'```json\n(.*?)```', PAGE, re.DOTALL)
    contents = json.loads(block)
    assert not list(check_coco(contents, KEYPOINTS, evaluated=True, masked=True))
    assert tuple(contents['categories'][0]['keypoints']) == KEYPOINTS


def test_look(run: Callable[..., str], folder: Path) -> None:
    report = run('inspect_data', PAF)
    assert 'kinds of errors: 0, of warnings: 0' in report
    assert all(f'  {name}' in report for name in KEYPOINTS)
    for config, name in ((PAF, 'paf'), (REGRESSION, 'regression')):
        run('browse_dataset', config, '--count', '3')
        assert cv2.imread(f'images/{name}/sheet.jpg').std() > 10


def test_keypoints_in_another_order_are_an_error(folder: Path) -> None:
    contents = json.loads((folder / 'data/penguins/annotations/val.json').read_text())
    contents['categories'][0]['keypoints'] = list(KEYPOINTS[::-1])
    findings = list(check_coco(contents, KEYPOINTS, evaluated=True, masked=False))
    assert [finding.grade for finding in findings] == ['error']


def test_widths_follow_from_the_skeleton(paf: Config) -> None:
    codec = KEYPOINT_CODECS.build(paf.codec)
    targets = codec.encode(np.zeros((0, 6, 2)))
    assert targets['heatmaps'].shape == (7, 24, 24)
    assert targets['pafs'].shape == (10, 24, 24)
    assert codec.skeleton.flip_indices == [0, 1, 3, 2, 5, 4]


def test_fields_lead_back_to_the_penguins(paf: Config, folder: Path) -> None:
    """All of them, and nobody else, to an eighth of a cell; to a cell where two of a kind are less than three apart."""
    codec = KEYPOINT_CODECS.build(paf.codec)
    scale = min(192 / WIDTH, 192 / HEIGHT)
    for table in annotated(folder, 'val'):
        truth = table[..., :2] * scale
        targets = codec.encode(truth, table[..., 2])
        keypoints, scores, _ = codec.decode((targets['heatmaps'], targets['pafs']))
        assert len(keypoints) == len(table)
        apart = np.linalg.norm(truth - truth[:, None], axis=-1) + 1e3 * np.eye(len(truth))[..., None]
        # A peak in an outermost cell is found on its centre: beyond it there is nothing to interpolate with.
        expected = np.where(truth < 7.5, 3.5, np.where(truth > 183.5, 187.5, truth))
        for penguin, seen, near in zip(expected, table[..., 2] > 0, apart.min(axis=0) < 24, strict=True):
            distances = np.linalg.norm(keypoints - penguin, axis=2)
            found = distances[:, seen].mean(axis=1).argmin()
            assert (distances[found] < np.where(near, 8, 1))[seen].all()
            np.testing.assert_array_equal(scores[found] > 0.05, seen)


@pytest.mark.parametrize(('labelled', 'mains'), [(1, 0), (2, 1), (6, 1)])
def test_two_of_six_keypoints_make_a_sample(labelled: int, mains: int) -> None:
    keypoints = [10, 10, 2] * labelled + [0, 0, 0] * (6 - labelled)
    assert len(main_people([dict(keypoints=keypoints, bbox=[0, 0, 60, 60], area=2000)])) == mains


def test_left_stays_left_in_mirrored_samples(folder: Path) -> None:
    """The left wing lies on the same side of the right one, mirrored or not: a mirrored penguin is a penguin."""
    for name, place, option in ((PAF, 1, 'flip_prob'), (REGRESSION, 2, 'prob')):
        sides = []
        for probability in (0.0, 1.0):
            cfg = load_config(name, [f'train_dataloader.dataset.pipeline.{place}.{option}={probability}'])
            dataset = DATASETS.build(cfg.train_dataloader.dataset)
            sample = dataset.get_data_info(0)
            for step in dataset.pipeline.transforms[: place + 1]:
                sample = step(sample)
            assert sample['flip'] == bool(probability)
            left, right = sample['keypoints'][0, 2:4, 0]
            sides.append(left > right)
        assert sides[0] == sides[1]


def evaluate(cfg: Config, moved: float) -> dict[str, float]:
    """AP where every prediction is the truth moved by so many of its keypoint's own units, sqrt(area) sigma."""
    with contextlib.redirect_stdout(io.StringIO()):
        dataset = DATASETS.build(cfg.val_dataloader.dataset)
        metric = METRICS.build(cfg.val_evaluator)
        metric.dataset_meta = dataset.metainfo
        contents = json.loads(Path(dataset.ann_file).read_text())
        for image in contents['images']:
            own = [a for a in contents['annotations'] if a['image_id'] == image['id']]
            units = np.sqrt([a['area'] for a in own])[:, None] * SIGMAS
            keypoints = np.array([a['keypoints'] for a in own]).reshape(-1, 6, 3)
            keypoints[..., 0] += moved * units
            people = dict(keypoints=keypoints[..., :2], keypoint_scores=np.ones(units.shape))
            sample = dict(id=[a['id'] for a in own], img_id=image['id'], pred_instances=people, gt_instances={})
            if cfg.filename.endswith('regression.py'):
                sample.update(category_id=CATEGORY)  # which that dataset tells
            metric.process([], [sample])
        return metric.evaluate(len(contents['images']))


@pytest.mark.parametrize('name', ['paf', 'regression'])
def test_average_precision_is_that_of_the_penguins_sigmas(name: str, request: pytest.FixtureRequest) -> None:
    cfg = request.getfixturevalue(name)
    assert evaluate(cfg, moved=0.0)['coco/AP'] == pytest.approx(1)
    # exp(-d^2 / 8) = 0.62: right at the thresholds 0.5, 0.55 and 0.6 of ten.
    assert evaluate(cfg, moved=np.sqrt(-8 * np.log(0.62)))['coco/AP'] == pytest.approx(0.3, abs=0.01)


def test_the_loss_falls(work_dirs: Path) -> None:
    for name in ('penguin_paf', 'penguin_regression'):
        values = losses(work_dirs / name)
        assert np.isfinite(values).all()
        assert values[-1] < 0.5 * values[0]


def test_fields_are_tested(run: Callable[..., str], work_dirs: Path) -> None:
    run('test', PAF, '--out', 'paf.json')
    assert 0 <= json.loads(Path('paf.json').read_text())['coco/AP'] <= 1
    assert len(list(Path('found/paf').iterdir())) == 4


def test_the_regression_learns_more_than_the_mean_pose(run: Callable[..., str], work_dirs: Path) -> None:
    run('test', REGRESSION, '--out', 'regression.json', '--dump', 'regression.pkl')
    assert json.loads(Path('regression.json').read_text())['coco/AP .5'] > 0.3
    assert len(list(Path('found/regression').iterdir())) == 24
    predicted, truth = [], []
    for sample in pickle.loads(Path('regression.pkl').read_bytes()):
        gt = sample['gt_instances']
        seen = gt['keypoints_visible'][0][:, None] > 0
        for found, points in ((predicted, sample['pred_instances']['keypoints'][0]), (truth, gt['keypoints'][0])):
            found.append((points - sample['input_center']) / max(sample['input_scale']))
        truth[-1] = np.where(seen, truth[-1], np.nan)
    statistics = measure(np.array(predicted), np.array(truth))
    assert statistics.distance < 0.6 * statistics.mean_pose_distance
    assert not statistics.frozen.any()


def test_an_onnx_file_finds_them_without_the_config(run: Callable[..., str], work_dirs: Path, folder: Path) -> None:
    """To the page's last line, as new processes that see neither the folder's modules nor PyTorch."""
    run('export_onnx', PAF)
    ((_, *arguments),) = [line for line in COMMANDS if line[0] == 'classicpose']
    (folder / 'elsewhere').mkdir()
    for name in ('penguin.onnx', 'data'):
        (folder / 'elsewhere' / name).symlink_to(folder / name)
    for program in (['-m', 'classicpose', *arguments], ['-c', PROGRAM]):
        environment = os.environ | dict(PYTHONPATH=str(REPOSITORY))
        result = subprocess.run(
            [sys.executable, *program], cwd=folder / 'elsewhere', env=environment, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr
    assert result.stdout.startswith(str(KEYPOINTS))
    assert len(list((folder / 'elsewhere/found/onnx').iterdir())) == 24
    assert (folder / 'elsewhere/penguins.csv').read_text().startswith('file,name,')
