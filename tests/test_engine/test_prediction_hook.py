"""The watch over predictions: hand-made cases, the hook on both kinds of samples, one bad and one good training."""

from __future__ import annotations

import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.structures import InstanceData
from mmpose.codecs import MSRAHeatmap
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.structures import PoseDataSample
from shipped_configs import REPOSITORY

from classicpose.skeletons import COCO17
from custom_modules.engine import PredictionCheckHook, launch
from custom_modules.engine.hooks.predictions import distances_between, explain, mean_distance, measure, spread

NAMES = COCO17.keypoints


def people(count: int = 60) -> np.ndarray:
    """(N, 17, 2) upright people seen from the front: one pose, moved, scaled and shaken."""
    rng = np.random.default_rng(0)
    heights = np.array([-0.4, -0.42, -0.42, -0.4, -0.4, -0.25, -0.25, -0.1, -0.1, 0, 0, 0.05, 0.05, 0.2, 0.2, 0.4, 0.4])
    sides = np.array([0, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1])
    pose = np.stack((0.2 * sides, heights), axis=1)
    return (
        pose * rng.uniform(0.8, 1.1, (count, 1, 1))
        + rng.normal(0, 0.04, (count, 1, 2))
        + rng.normal(0, 0.04, (count, 17, 2))
    )


def warning(predicted: np.ndarray, truth: np.ndarray, peaks: np.ndarray | None = None) -> str | None:
    return explain(measure(predicted, truth, peaks), NAMES)


def test_statistics_of_two_people() -> None:
    positions = np.array([[[0, 0], [3, 4]], [[2, 0], [2, 0]]], dtype=float)
    np.testing.assert_allclose(spread(positions), [1, np.hypot(0.5, 2)])
    np.testing.assert_allclose(distances_between(positions), [[0, 2.5], [2.5, 0]])
    assert mean_distance(positions, np.zeros((2, 2, 2))) == (0 + 5 + 2 + 2) / 4
    positions[1, 1] = np.nan
    np.testing.assert_allclose(distances_between(positions), [[0, 5], [5, 0]])
    assert mean_distance(positions, np.zeros((2, 2, 2))) == (0 + 5 + 2) / 3


def test_truth_and_noise_is_no_reason_to_warn() -> None:
    truth = people()
    noise = np.random.default_rng(1).normal(0, 0.04, truth.shape)
    found = measure(truth + noise, truth)
    assert not found.frozen.any()
    assert not found.merged.any()
    assert found.distance == pytest.approx(0.04 * np.sqrt(np.pi / 2), rel=0.1)
    assert found.distance < found.mean_pose_distance
    assert explain(found, NAMES) is None


def test_a_constant_pose() -> None:
    truth = people()
    text = warning(np.broadcast_to(truth.mean(axis=0), truth.shape), truth)
    assert '17 of 17 joints hardly vary between people' in text
    assert 'is no better than that of the mean pose' in text
    assert 'where another joint is' not in text
    assert 'learning rate' in text
    assert text.count('. ') == 0  # one sentence


def test_all_joints_at_one_point() -> None:
    truth = people()
    # Wherever it is: in the corner for everybody, or somewhere else for each.
    for predicted in (np.full_like(truth, -0.5), np.repeat(truth[:, :1], 17, axis=1)):
        assert '17 of 17 joints are predicted where another joint is' in warning(predicted, truth)
    assert '17 of 17 joints hardly vary' in warning(np.full_like(truth, np.nan), truth)


def test_left_and_right_exchanged() -> None:
    truth = people()
    text = warning(truth[:, COCO17.flip_indices], truth)
    assert 'no better than' in text
    assert 'left and right exchanged' in text
    assert 'vary' not in text
    assert 'learning rate' not in text
    upside_down = truth * [1, -1]
    assert 'another frame' in warning(upside_down, truth)


def test_some_joints_only() -> None:
    truth = people()
    predicted = truth.copy()
    predicted[:, 9:11] = truth[:, 9:11].mean(axis=0)
    assert '2 of 17 joints (left_wrist, right_wrist) hardly vary' in warning(predicted, truth)
    predicted = truth.copy()
    predicted[:, 13] = predicted[:, 14]
    assert '2 of 17 joints (left_knee, right_knee) are predicted where another' in warning(predicted, truth)


def test_a_mixture_of_the_truth_and_the_mean_pose_is_better_than_the_mean_pose() -> None:
    truth = people()
    predicted = truth.copy()
    predicted[::2] = truth.mean(axis=0)
    found = measure(predicted, truth)
    assert found.distance == pytest.approx(found.mean_pose_distance / 2, rel=0.1)
    assert explain(found, NAMES) is None


def test_unlabelled_joints_do_not_count() -> None:
    truth = people()
    predicted = truth + 0.01
    truth[::3, 5] = np.nan
    truth[7:, 6] = np.nan  # known of seven people
    predicted[np.isnan(truth)] = 0
    predicted[:, 6] = 0
    found = measure(predicted, truth)
    assert found.distance == pytest.approx(np.hypot(0.01, 0.01))
    assert explain(found, NAMES) is None


def test_heatmaps_without_peaks() -> None:
    truth = people()
    peaks = np.full(truth.shape[:2], 0.6)
    assert warning(truth, truth, peaks) is None
    peaks[:40] = 0.02
    text = warning(truth, truth, peaks)
    assert '67% of the heatmaps have no peak' in text
    assert 'a heatmap loss that the background dominates' in text


def crop(
    predicted: np.ndarray, truth: np.ndarray, visible: np.ndarray, box: np.ndarray, cropped: bool
) -> PoseDataSample:
    """A person in image pixels, as a model that sees a crop, here larger than the box, or a box predicts them."""
    window = dict(input_center=(box[:2] + box[2:]) / 2, input_scale=(box[2:] - box[:2]) * 1.25) if cropped else {}
    sample = PoseDataSample(metainfo=window)
    sample.gt_instances = InstanceData(keypoints=truth[None], keypoints_visible=visible[None], bboxes=box[None])
    sample.pred_instances = InstanceData(keypoints=predicted[None], keypoint_scores=np.full((1, 17), 0.01))
    return sample


def watch(samples: list[PoseDataSample], caplog: pytest.LogCaptureFixture, heatmaps: bool = False) -> list[str]:
    """What the hook logs about a validation of two batches."""
    dataset = SimpleNamespace(metainfo=parse_pose_metainfo(COCO17.metainfo()))
    decoder = MSRAHeatmap(input_size=(64, 64), heatmap_size=(16, 16), sigma=2) if heatmaps else None
    runner = SimpleNamespace(
        iter=7,
        logger=logging.getLogger('watch'),
        val_loop=SimpleNamespace(dataloader=SimpleNamespace(dataset=dataset)),
        model=SimpleNamespace(head=SimpleNamespace(decoder=decoder)),
    )
    hook = PredictionCheckHook()
    caplog.clear()
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0, None, samples[:5])
    hook.after_val_iter(runner, 1, None, samples[5:])
    hook.after_val_epoch(runner)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


@pytest.mark.parametrize('cropped', [False, True])
def test_the_hook_looks_into_the_window_of_each_person(cropped: bool, caplog: pytest.LogCaptureFixture) -> None:
    """What is constant there is constant, wherever people are in their images and however large."""
    truth, visible = people(20), np.ones(17)
    rng = np.random.default_rng(2)
    centers, heights = rng.uniform(200, 400, (20, 1, 2)), rng.uniform(50, 300, (20, 1, 1))
    half = heights / 2 * [[0.6, 1]]
    boxes = np.concatenate((centers - half, centers + half), axis=2)[:, 0]
    in_image = truth * heights + centers
    middle = np.broadcast_to(centers, in_image.shape)

    def seen(predicted: np.ndarray, visible: np.ndarray) -> list[PoseDataSample]:
        everybody = zip(predicted, in_image, boxes, strict=True)
        return [crop(found, true, visible, box, cropped) for found, true, box in everybody]

    good = seen(in_image + 2, visible)
    assert watch(good, caplog) == []
    (text,) = watch(good, caplog, heatmaps=True)
    assert text.startswith('Something is wrong with the predictions: 100% of the heatmaps have no peak')
    (text,) = watch(seen(middle, visible), caplog)
    assert '17 of 17 joints hardly vary between people' in text
    distance = np.linalg.norm(truth, axis=-1).mean() / (1.25 if cropped else 1)
    assert f'the mean distance to the truth, {distance:.3f} of the crop' in text
    assert watch(seen(middle, 0 * visible), caplog) == []
    assert watch(seen(middle, visible)[:7], caplog) == []


def test_the_hook_is_silent_about_images_of_several_people(caplog: pytest.LogCaptureFixture) -> None:
    sample = PoseDataSample(metainfo=dict(input_center=np.zeros(2), input_scale=np.ones(2)))
    sample.gt_instances = InstanceData()
    sample.pred_instances = InstanceData(keypoints=np.zeros((3, 17, 2)), keypoint_scores=np.zeros((3, 17)))
    assert watch([sample] * 20, caplog) == []


CONFIG = """
from mmengine.config import read_base

with read_base():
    from .configs.demo.simplepose_generated import *

codec.update(input_size=(64, 64), heatmap_size=(16, 16), sigma=1.0)
model.head.update(decoder=codec)
affine.update(input_size=codec['input_size'])
targets.update(encoder=codec)
train_dataloader.dataset.update(pipeline=[load, box, affine, targets, pack])
train_dataloader.update(num_workers=0, persistent_workers=False, batch_size=12, dataset=dict(indices=24))
val_dataloader.dataset.update(pipeline=[load, box, affine, pack_test])
val_dataloader.update(num_workers=0, persistent_workers=False, dataset=dict(indices=24))
val_dataloader.dataset.update(
    ann_file=train_dataloader.dataset.ann_file, data_prefix=train_dataloader.dataset.data_prefix
)
val_evaluator.update(ann_file=data_root + train_dataloader.dataset.ann_file)
test_dataloader = val_dataloader
custom_hooks = custom_hooks[-1:]
param_scheduler = None
default_hooks.checkpoint = None
visualizer = None
"""


@pytest.mark.parametrize('broken', [True, False])
def test_a_training(broken: bool, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that cannot learn warns at each validation: targets of a single cell, and a far too small learning rate. The
    same network, trained on the same 24 people as it should be, does not.
    """
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    (tmp_path / 'configs').symlink_to(REPOSITORY / 'configs')
    (tmp_path / 'tiny.py').write_text(CONFIG)
    options = ['train_cfg.max_epochs=100', 'train_cfg.val_interval=100', 'optim_wrapper.optimizer.lr=0.003']
    if broken:
        options = ['train_cfg.max_epochs=2', 'train_cfg.val_interval=1', 'optim_wrapper.optimizer.lr=1e-7']
        options += ['train_dataloader.dataset.pipeline.3.encoder.sigma=0.2']
    launch.train(tmp_path / 'tiny.py', work_dir=tmp_path / 'work', options=options)
    (log,) = (tmp_path / 'work').glob('*/*.log')
    warnings = [line for line in log.read_text().splitlines() if 'Something is wrong with the predictions' in line]
    assert len(warnings) == (2 if broken else 0)
    for line in warnings:
        assert 'WARNING' in line
        assert '100% of the heatmaps have no peak' in line
        assert 'no better than that of the mean pose' in line
        assert 'a heatmap loss that the background dominates, a learning rate that is far too small' in line
