"""Images of a cascade's predictions, from a file as tools/test.py --dump writes it."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.skeletons import LSP14
from custom_modules.visualization.cascades import (
    draw_best_to_worst,
    draw_movements,
    exchanged_sides,
    gather,
    pdj_by_score,
    plot_curves,
    read_predictions,
)


@pytest.fixture
def samples(tmp_path: Path) -> list[dict]:
    """Five people whose last stage is off by 0, 10, ... pixels; the first person has no label of the last joint."""
    rng = np.random.default_rng(0)
    cv2.imwrite(str(tmp_path / 'grey.png'), np.full((200, 300, 3), 90, np.uint8))
    people = []
    for number in range(5):
        truth = rng.uniform(40, 150, (1, 10, 2))
        visible = np.ones((1, 10))
        visible[0, 9] = number > 0
        last = truth + [10 * number, 0]
        people.append(
            dict(
                img_path=str(tmp_path / 'grey.png'),
                pred_instances=dict(keypoints=last, stage_keypoints=np.stack([truth + 30, last], axis=1)),
                gt_instances=dict(keypoints=truth, keypoints_visible=visible),
            )
        )
    return people


def test_stages_and_truth(samples: list[dict]) -> None:
    stages, truth = gather(samples)
    assert stages.shape == (2, 5, 10, 2)
    assert np.isnan(truth[0, 9]).all() and np.isfinite(truth[1:]).all()
    errors = np.linalg.norm(stages[1] - truth, axis=-1)
    np.testing.assert_allclose(np.nanmean(errors, axis=1), [0, 10, 20, 30, 40], atol=1e-9)


def test_sheets_show_everybody(samples: list[dict], tmp_path: Path) -> None:
    sheet = draw_best_to_worst(samples, count=5)
    assert sheet.dtype == np.uint8
    # Four in a row, so two rows; colours are drawn on grey images.
    assert sheet.shape[0] > 2 * 240
    assert (np.ptp(sheet, axis=-1) > 50).any()
    assert draw_movements(samples, count=5).shape[0] > 2 * 240
    plot_curves(samples, tmp_path / 'pdj.png')
    assert cv2.imread(str(tmp_path / 'pdj.png')).std() > 10


def test_the_people_who_moved_most_come_first(samples: list[dict], monkeypatch: pytest.MonkeyPatch) -> None:
    captions = []
    monkeypatch.setattr(
        'custom_modules.visualization.cascades.side_by_side',
        lambda images, height: captions.extend(images) or np.zeros((10, 10, 3), np.uint8),
    )
    draw_movements(samples)
    moved = [float(caption.split()[1]) for caption in captions]
    assert len(moved) == 5
    assert moved == sorted(moved, reverse=True)


def test_the_joints_with_the_higher_scores_are_counted_by_themselves(samples: list[dict]) -> None:
    """The torso is 100 pixels; the people off by 0 and 10 of them score more than those off by 30 and 40."""
    del samples[2]
    for number, sample in enumerate(samples):
        truth, people = sample['gt_instances']['keypoints'], sample['pred_instances']
        truth[0, 7] = truth[0, 0] + (0, 100)
        offset = people['stage_keypoints'][:, 1] - people['stage_keypoints'][:, 0] + 30
        people['stage_keypoints'][:, 1] = truth + offset
        people['keypoint_scores'] = np.full((1, 10), 0.9 - 0.2 * number)
    table = pdj_by_score(samples)
    assert table.keys() == {'shoulder', 'elbow', 'wrist', 'hip', 'eye', 'all'}
    np.testing.assert_array_equal(table['wrist'], [[1, 1], [0, 0]])
    # Of the 39 labelled joints one of a poor person is among the better half.
    np.testing.assert_allclose(table['all'], [[19 / 20, 19 / 20], [0, 0]])


def test_labels_with_exchanged_sides_are_noticed(samples: list[dict]) -> None:
    """A prediction at the labels, one with sides exchanged, one far from both."""
    flipped = list(LSP14.flip_indices)
    standing = np.column_stack([np.where(np.arange(14) < np.array(flipped), 60.0, 140.0), np.linspace(150, 20, 14)])
    for sample, last in zip(samples, (standing, standing[flipped], standing + 300, standing + 5), strict=False):
        sample['gt_instances'] = dict(keypoints=standing[None], keypoints_visible=np.ones((1, 14)))
        sample['pred_instances']['stage_keypoints'] = np.stack([last, last])[None]
    assert exchanged_sides(samples[:4]).tolist() == [False, True, False, False]
    # LSP's people are drawn as such.
    assert (np.ptp(draw_best_to_worst(samples[:4]), axis=-1) > 50).any()


def test_other_skeletons_are_refused(samples: list[dict]) -> None:
    samples[0]['gt_instances'] = dict(keypoints=np.zeros((1, 17, 2)), keypoints_visible=np.ones((1, 17)))
    with pytest.raises(UserError, match='predictions of 17 keypoints'):
        draw_best_to_worst(samples[:1])


@pytest.mark.parametrize(
    ('contents', 'message'),
    [
        (None, 'cannot be read'),
        (b'nothing', 'not a file of predictions'),
        (pickle.dumps([dict(pred_instances=dict(keypoints=1))]), 'no predictions of a cascade'),
        (pickle.dumps([]), 'no predictions of a cascade'),
    ],
)
def test_files_that_hold_something_else(contents: bytes | None, message: str, tmp_path: Path) -> None:
    if contents is not None:
        (tmp_path / 'file.pkl').write_bytes(contents)
    with pytest.raises(UserError, match=message):
        read_predictions(tmp_path / 'file.pkl')
