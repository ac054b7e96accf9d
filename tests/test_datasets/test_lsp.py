from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io

from classicpose.errors import UserError
from classicpose.skeletons import LSP14
from custom_modules.datasets import LspDataset
from custom_modules.datasets.lsp import read_lsp


def people(count: int) -> np.ndarray:
    """(N, 14, 3): person i has joint j at (i + j, 2 j), and every third joint's third number is 1."""
    table = np.zeros((count, 14, 3))
    table[..., 0] = np.arange(count)[:, None] + np.arange(14)
    table[..., 1] = 2 * np.arange(14)
    table[:, ::3, 2] = 1
    return table


@pytest.fixture(scope='module')
def lsp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """LSP's 2000 people, with the images of three of them."""
    root = tmp_path_factory.mktemp('lsp')
    scipy.io.savemat(root / 'joints.mat', {'joints': people(2000).transpose(2, 1, 0)})
    (root / 'images').mkdir()
    for number in (1, 1001, 2000):
        cv2.imwrite(str(root / f'images/im{number:04d}.jpg'), np.zeros((90, 120, 3), np.uint8))
    return root


@pytest.fixture(scope='module')
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('lspet')
    scipy.io.savemat(root / 'joints.mat', {'joints': people(12).transpose(1, 2, 0)})
    (root / 'images').mkdir()
    cv2.imwrite(str(root / 'images/im00012.jpg'), np.zeros((70, 60, 3), np.uint8))
    return root


def test_lsp_has_both_splits(lsp: Path) -> None:
    train, test = (LspDataset(data_root=str(lsp), split=split) for split in ('trainval', 'test'))
    assert (len(train), len(test)) == (1000, 1000)
    shares = [LspDataset(data_root=str(lsp), split=split) for split in ('train', 'val')]
    assert [len(share) for share in shares] == [900, 100]
    assert Path(train.get_data_info(0)['img_path']).name == 'im0001.jpg'
    first, last = test.get_data_info(0), test.get_data_info(999)
    assert Path(first['img_path']).name == 'im1001.jpg'
    assert Path(last['img_path']).name == 'im2000.jpg'
    assert (first['id'], first['img_id'], last['id']) == (1000, 1000, 1999)


def test_a_sample_of_lsp_has_all_joints_and_the_whole_image(lsp: Path) -> None:
    sample = LspDataset(data_root=str(lsp)).get_data_info(0)
    np.testing.assert_array_equal(sample['keypoints'], people(1)[..., :2])
    np.testing.assert_array_equal(sample['keypoints_visible'], np.ones((1, 14)))  # hidden ones are placed too
    np.testing.assert_array_equal(sample['bbox'], [[0, 0, 120, 90]])
    assert sample['flip_indices'] == LSP14.flip_indices
    for key in ('keypoints', 'keypoints_visible', 'bbox', 'bbox_score'):
        assert sample[key].dtype == np.float32


def test_the_extension_is_for_training_and_says_what_is_labelled(extension: Path) -> None:
    dataset = LspDataset(data_root=str(extension))
    assert len(dataset) == 12
    sample = dataset.get_data_info(11)
    assert Path(sample['img_path']).name == 'im00012.jpg'
    np.testing.assert_array_equal(sample['bbox'], [[0, 0, 60, 70]])
    labelled = np.arange(14) % 3 == 0
    np.testing.assert_array_equal(sample['keypoints_visible'][0], labelled)
    np.testing.assert_array_equal(sample['keypoints'][0, labelled], people(12)[11, labelled, :2])
    assert not sample['keypoints'][0, ~labelled].any()


def test_validation_people_are_blocks_of_the_training_people(extension: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('custom_modules.datasets.lsp._VALIDATION_BLOCK', 2)
    monkeypatch.setattr('custom_modules.datasets.lsp._VALIDATION_EVERY', 3)
    ids = {
        split: [sample['id'] for sample in LspDataset(data_root=str(extension), split=split).load_data_list()]
        for split in ('train', 'val', 'trainval')
    }
    assert ids == dict(train=[2, 3, 4, 5, 8, 9, 10, 11], val=[0, 1, 6, 7], trainval=list(range(12)))


def test_mmposes_transforms_take_the_samples(lsp: Path) -> None:
    pipeline = [
        dict(type='mmpose.LoadImage'),
        dict(type='mmpose.GetBBoxCenterScale', padding=1.0),
        dict(type='mmpose.TopdownAffine', input_size=(60, 60)),
        dict(type='mmpose.PackPoseInputs', pack_transformed=True),
    ]
    dataset = LspDataset(data_root=str(lsp), pipeline=pipeline, indices=1)
    packed = dataset[0]
    assert packed['inputs'].shape == (3, 60, 60)
    assert packed['data_samples'].gt_instances.transformed_keypoints.shape == (1, 14, 2)


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (dict(split='valid'), "no split 'valid'; give one of train, val, trainval, test"),
        (dict(split='test'), "nobody in the split 'test'"),
        (dict(ann_file='none.mat'), 'CLASSICPOSE_DATA'),
        (dict(ann_file='text.mat'), 'not a readable MATLAB file'),
        (dict(ann_file='empty.mat'), 'no matrix "joints"'),
        (dict(ann_file='shape.mat'), r'shape \(14, 2, 5\)'),
    ],
)
def test_mistakes_are_explained(extension: Path, arguments: dict, complaint: str) -> None:
    (extension / 'text.mat').write_text('x' * 200)
    scipy.io.savemat(extension / 'empty.mat', {'examples': np.zeros(3)})
    scipy.io.savemat(extension / 'shape.mat', {'joints': np.zeros((14, 2, 5))})
    with pytest.raises(UserError, match=complaint) as error:
        LspDataset(data_root=str(extension), **arguments)
    assert len(str(error.value).splitlines()) == 1


def test_an_image_that_is_missing_is_named(extension: Path) -> None:
    with pytest.raises(UserError, match='im00001.jpg'):
        LspDataset(data_root=str(extension)).get_data_info(0)


@pytest.mark.real_data
def test_genuine_extension(real_lspet: Path) -> None:
    dataset = LspDataset(data_root=str(real_lspet))
    assert len(dataset) == len(read_lsp(str(real_lspet / 'joints.mat')).keypoints) >= 500
    outside = 0
    for index in range(500):
        sample = dataset.get_data_info(index)
        labelled = sample['keypoints_visible'][0] > 0
        keypoints, size = sample['keypoints'][0, labelled], sample['bbox'][0, 2:]
        outside += ((keypoints < 0) | (keypoints >= size)).any(axis=1).sum()
    assert outside == 1  # were the flag an occlusion flag, most of the others would be


@pytest.mark.real_data
def test_places_of_unlabelled_joints_mean_nothing(real_lspet: Path) -> None:
    joints = scipy.io.loadmat(real_lspet / 'joints.mat')['joints'].transpose(2, 0, 1)
    for person in joints:
        places = person[person[:, 2] == 0, :2]
        assert len(np.unique(places, axis=0)) <= 1
