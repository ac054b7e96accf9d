from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import torch
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmpose.registry import DATASETS
from torch.utils.data import DataLoader

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10, observer_centric, seen_from_behind
from custom_modules.datasets import FlicDataset, flic
from custom_modules.datasets.flic import COORDS_COLUMNS, person_box, read_flic, split_rows

FIELDS = ('filepath', 'coords', 'torsobox', 'istrain', 'istest')
EYES = [FLIC10.keypoints.index(f'{side}_eye') for side in ('left', 'right')]

# A person who faces the viewer and whose wrist is outside the image: FLIC10's keypoints, then the nose.
FACING = np.array(
    [[60, 30], [70, 50], [-5, 60], [40, 30], [30, 50], [25, 60], [55, 70], [45, 70], [52, 12], [48, 12], [50, 15]],
    dtype=float,
)


def person(name: str, train: int = 1, test: int = 0, joints: np.ndarray = FACING) -> dict:
    coords = np.full((2, 29), np.nan)
    coords[:, COORDS_COLUMNS] = joints.T
    return dict(
        filepath=name,
        coords=coords,
        torsobox=np.array([[40, 30, 60, 60]], np.float32),
        istrain=np.array([[train]], np.uint8),
        istest=np.array([[test]], np.uint8),
    )


def write(folder: Path, people: list[dict], fields: tuple[str, ...] = FIELDS) -> Path:
    table = np.empty((1, len(people)), dtype=[(field, object) for field in fields])
    for index, entry in enumerate(people):
        table[0, index] = tuple(entry[field] for field in fields)
    scipy.io.savemat(folder / 'examples.mat', {'examples': table})
    return folder


def load(root: Path, split: str = 'trainval', **more: object) -> list[dict]:
    dataset = FlicDataset(data_root=str(root), split=split, **more)
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def mirrored(joints: np.ndarray) -> np.ndarray:
    return joints * [-1, 1] + [100, 0]


# Samples


def test_a_sample_is_a_person(tmp_path: Path) -> None:
    (sample,) = load(write(tmp_path, [person('b.jpg', 0, 1), person('a.jpg')]))
    assert sample['img_path'] == str(tmp_path / 'images/a.jpg')
    assert (sample['id'], sample['img_id']) == (1, 0)
    np.testing.assert_array_equal(sample['keypoints'], FACING[None, :10])
    np.testing.assert_array_equal(sample['keypoints_visible'], np.ones((1, 10)))  # the wrist outside the image too
    np.testing.assert_array_equal(sample['torso_box'], [[40, 30, 60, 60]])
    np.testing.assert_array_equal(sample['bbox'], [[5, 0, 95, 90]])
    assert sample['bbox_score'].shape == (1,)
    assert sample['flip_indices'] == FLIC10.flip_indices
    for key in ('keypoints', 'keypoints_visible', 'bbox', 'bbox_score', 'torso_box'):
        assert sample[key].dtype == np.float32


def test_people_of_an_image_share_its_number_only(tmp_path: Path) -> None:
    samples = load(write(tmp_path, [person(name) for name in ('b.jpg', 'a.jpg', 'b.jpg')]))
    assert [sample['img_id'] for sample in samples] == [1, 0, 1]
    assert [sample['id'] for sample in samples] == [0, 1, 2]


def test_what_is_not_labelled_is_not_visible(tmp_path: Path) -> None:
    joints = FACING.copy()
    joints[2] = np.nan
    (sample,) = load(write(tmp_path, [person('a.jpg', joints=joints)]))
    np.testing.assert_array_equal(np.flatnonzero(sample['keypoints_visible'][0] == 0), [2])
    np.testing.assert_array_equal(sample['keypoints'][0, 2], [0, 0])


def test_sides_are_the_observers_or_the_persons(tmp_path: Path) -> None:
    root = write(tmp_path, [person('a.jpg'), person('b.jpg', joints=mirrored(FACING))])
    facing, turned = (sample['keypoints'][0] for sample in load(root))
    np.testing.assert_array_equal(facing, FACING[:10])
    expected = mirrored(FACING)[[3, 4, 5, 0, 1, 2, 7, 6, 8, 9]]
    np.testing.assert_array_equal(turned, expected)
    for sample, joints in zip(load(root, convention='person'), (FACING, mirrored(FACING)), strict=True):
        np.testing.assert_array_equal(sample['keypoints'][0], joints[:10])


def test_observer_centric_is_done_once() -> None:
    keypoints = np.stack([FACING[:10], mirrored(FACING)[:10]])
    assert seen_from_behind(keypoints, FLIC10).tolist() == [False, True]
    once = observer_centric(keypoints, FLIC10)
    np.testing.assert_array_equal(once, observer_centric(once, FLIC10))
    np.testing.assert_array_equal(once[:, EYES], keypoints[:, EYES])


def test_the_persons_box_is_a_square_around_the_torso() -> None:
    boxes = np.array([[10.0, 20, 30, 50], [0, 0, 2, 3]])
    np.testing.assert_allclose(person_box(boxes), [[-25, -10, 65, 80], [-3.5, -3, 5.5, 6]])
    np.testing.assert_allclose(person_box(boxes[0], 2), [-10, 5, 50, 65])


def test_box_size_is_passed_on(tmp_path: Path) -> None:
    (sample,) = load(write(tmp_path, [person('a.jpg')]), box_size=2.0)
    np.testing.assert_array_equal(sample['bbox'], [[20, 15, 80, 75]])


# Splits


def test_splits_divide_images(generated_flic: Path) -> None:
    splits = {split: load(generated_flic / 'flic', split) for split in ('train', 'val', 'trainval', 'test')}
    ids = {split: [sample['id'] for sample in samples] for split, samples in splits.items()}
    assert sorted(ids['train'] + ids['val']) == ids['trainval'] == list(range(60))
    assert ids['test'] == list(range(60, 84))
    images = {split: {sample['img_path'] for sample in samples} for split, samples in splits.items()}
    assert not images['train'] & images['val']
    films = {Path(path).name.rpartition('-')[0] for path in images['trainval']}
    assert {Path(path).name.rpartition('-')[0] for path in images['val']} == films
    assert len(splits['val']) < 20


def test_validation_does_not_depend_on_the_files_order(tmp_path: Path) -> None:
    """The first tenth of each film, in the order of the frames; a film of one image is for training."""
    names = [f'film-{index:02d}.jpg' for index in range(20)] + ['film-01.jpg']
    names += [f'film-ii-{index:02d}.jpg' for index in range(6)] + ['short-1.jpg']
    people = read_flic(str(write(tmp_path, [person(name) for name in names]) / 'examples.mat'))
    reverse = type(people)(*(field[::-1] for field in people))
    assert split_rows(people, 'val').tolist() == [0, 1, 20, 21]
    assert {reverse.file_names[row] for row in split_rows(reverse, 'val')} == {
        'film-00.jpg',
        'film-01.jpg',
        'film-ii-00.jpg',
    }


def test_images_of_both_splits_stay_and_are_named_once(
    tmp_path: Path, generated_flic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr(flic, 'print_log', lambda message, **_: said.append(message))
    assert FlicDataset(data_root=str(generated_flic / 'flic')).shared_images == ()
    assert not said
    root = write(tmp_path, [person('a.jpg'), person('b.jpg'), person('a.jpg', 0, 1)])
    dataset = FlicDataset(data_root=str(root), split='train', lazy_init=True)
    assert dataset.shared_images == ('a.jpg',)
    assert len(load(root, 'trainval')) == 2
    assert len(load(root, 'test')) == 1
    (warning,) = said
    assert warning.endswith(': a.jpg')


def test_indices_take_the_first_people(generated_flic: Path) -> None:
    assert [sample['id'] for sample in load(generated_flic / 'flic', indices=5)] == [0, 1, 2, 3, 4]


# With MMPose


def pipeline(*more: dict) -> list[dict]:
    return [
        dict(type='mmpose.LoadImage'),
        dict(type='mmpose.GetBBoxCenterScale', padding=1.0),
        *more,
        dict(type='mmpose.TopdownAffine', input_size=(96, 96)),
        dict(type='mmpose.PackPoseInputs', pack_transformed=True),
    ]


@pytest.mark.parametrize('flip', (0.0, 1.0))
def test_mmposes_transforms_take_the_samples(generated_flic: Path, flip: float) -> None:
    config = dict(
        type='mmpose.FlicDataset',
        data_root=str(generated_flic / 'flic'),
        split='test',
        test_mode=True,
        pipeline=pipeline(dict(type='mmpose.RandomFlip', prob=flip)),
    )
    dataset = DATASETS.build(config)
    for index in range(4):
        packed, info = dataset[index], dataset.get_data_info(index)
        assert packed['inputs'].shape == (3, 96, 96)
        sample = packed['data_samples']
        assert sample.id == info['id']
        assert sample.gt_instances.bbox_scores.shape == (1,)
        x0, y0, x1, y1 = info['bbox'][0]
        expected = (info['keypoints'] - [x0, y0]) * 96 / (x1 - x0)
        if flip:
            expected = expected[:, FLIC10.flip_indices] * [-1, 1] + [95, 0]
        # MMPose mirrors pixels, not edges, and scales from a box's centre: one pixel of difference.
        np.testing.assert_allclose(sample.gt_instances.transformed_keypoints, expected, atol=1.5)


def test_workers_load_what_the_main_process_does(generated_flic: Path) -> None:
    dataset = FlicDataset(data_root=str(generated_flic / 'flic'), split='val', pipeline=pipeline())
    assert isinstance(dataset.data_bytes, np.ndarray)  # one array, which forked workers share
    assert not dataset.data_list
    loader = DataLoader(
        dataset, 4, sampler=DefaultSampler(dataset, shuffle=False), num_workers=1, collate_fn=pseudo_collate
    )
    loaded = torch.stack([image for batch in loader for image in batch['inputs']])
    torch.testing.assert_close(loaded, torch.stack([dataset[index]['inputs'] for index in range(len(dataset))]))
    assert len(pickle.dumps(dataset.get_data_info(0))) < 5000


# Mistakes


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (dict(split='validation'), "no split 'validation'; give one of train, val, trainval, test"),
        (dict(convention='viewer'), "no convention 'viewer'; give one of observer, person"),
        (dict(split='test'), "nobody in the split 'test'"),
        (dict(ann_file='none.mat'), 'CLASSICPOSE_DATA .* python tools/generate_data.py data/flic --format flic'),
        (dict(ann_file='text.mat'), 'not a readable MATLAB file'),
        (dict(ann_file='empty.mat'), 'no struct "examples"'),
        (dict(ann_file='matrix.mat'), 'no struct "examples"'),
    ],
)
def test_mistakes_are_explained(tmp_path: Path, arguments: dict, complaint: str) -> None:
    write(tmp_path, [person('a.jpg')])
    (tmp_path / 'text.mat').write_text('x' * 200)
    scipy.io.savemat(tmp_path / 'empty.mat', {'joints': np.zeros(3)})
    scipy.io.savemat(tmp_path / 'matrix.mat', {'examples': np.zeros(3)})
    with pytest.raises(UserError, match=complaint) as error:
        FlicDataset(data_root=str(tmp_path), **arguments)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('field', FIELDS)
def test_fields_that_are_missing_or_odd_are_named(tmp_path: Path, field: str) -> None:
    write(tmp_path, [person('a.jpg')], fields=tuple(name for name in FIELDS if name != field))
    with pytest.raises(UserError, match=f'examples.mat: its examples have no field "{field}"'):
        FlicDataset(data_root=str(tmp_path))
    write(tmp_path, [person('a.jpg'), person('b.jpg') | {field: np.zeros((3, 2))}])
    with pytest.raises(UserError, match="examples.mat: its examples are not as FLIC's"):
        FlicDataset(data_root=str(tmp_path))


# The genuine file


@pytest.fixture(scope='module')
def real_people(real_flic: Path):
    return read_flic(str(real_flic / 'examples.mat'))


@pytest.mark.real_data
def test_genuine_counts(real_people) -> None:
    assert (len(real_people.file_names), real_people.istrain.sum(), real_people.istest.sum()) == (5003, 3987, 1016)
    assert not (real_people.istrain & real_people.istest).any()
    assert len(set(real_people.file_names)) == 4552
    assert np.isfinite(real_people.coords).all()
    assert len(split_rows(real_people, 'train')) + len(split_rows(real_people, 'val')) == 3987
    assert 0.09 < len(split_rows(real_people, 'val')) / 3987 < 0.11
    width, height = (real_people.torso_boxes[:, 2:] - real_people.torso_boxes[:, :2]).T
    np.testing.assert_allclose(height / width, 1.5, atol=1e-4)


@pytest.mark.real_data
def test_genuine_people_who_are_turned_away(real_people) -> None:
    keypoints = observer_centric(real_people.coords[:, :10], FLIC10)
    turned = seen_from_behind(real_people.coords[:, :10], FLIC10)
    assert (turned.sum(), turned[real_people.istest].sum()) == (247, 48)
    assert (keypoints[:, 0, 0] > keypoints[:, 3, 0]).all()
    shoulder, hip = (FLIC10.keypoints.index(name) for name in ('left_shoulder', 'right_hip'))
    diameters = np.linalg.norm(keypoints[:, shoulder] - keypoints[:, hip], axis=1)
    assert np.round([diameters.min(), np.median(diameters), diameters.max()], 1).tolist() == [62.1, 160.9, 362.7]


@pytest.mark.real_data
def test_genuine_joints_outside_the_image_are_labelled(real_people, real_flic: Path) -> None:
    samples = [*load(real_flic, 'trainval', convention='person'), *load(real_flic, 'test', convention='person')]
    keypoints = np.concatenate([sample['keypoints'] for sample in samples])
    assert all(sample['keypoints_visible'].all() for sample in samples)
    outside = ((keypoints < 0) | (keypoints > [719, 479])).any(axis=2).sum(axis=0)
    counted = {name: count for name, count in zip(FLIC10.keypoints, outside.tolist(), strict=True) if count}
    assert counted == dict(
        left_elbow=1, left_wrist=1, right_elbow=2, right_wrist=2, left_hip=4, right_hip=4
    )  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize(('size', 'train', 'test'), [(2.5, 93.7, 93.8), (3.0, 99.3, 99.5), (3.5, 100.0, 100.0)])
def test_genuine_joints_are_in_the_persons_box(real_people, size: float, train: float, test: float) -> None:
    box = person_box(real_people.torso_boxes, size)[:, None]
    keypoints = real_people.coords[:, :10]
    inside = ((keypoints >= box[..., :2]) & (keypoints <= box[..., 2:])).all(axis=(1, 2))
    shares = [100 * inside[chosen].mean() for chosen in (real_people.istrain, real_people.istest)]
    np.testing.assert_allclose(shares, [train, test], atol=0.06)


@pytest.mark.real_data
def test_genuine_shared_images_and_images(real_flic: Path) -> None:
    dataset = FlicDataset(data_root=str(real_flic), split='test', test_mode=True)
    assert dataset.shared_images == ('collateral-disc1-00080111.jpg', 'funny-girl-dvd-video-00184641.jpg')
    assert len(dataset) == 1016
    for index in range(0, 1016, 200):
        assert cv2.imread(dataset.get_data_info(index)['img_path']).shape == (480, 720, 3)


@pytest.mark.real_data
def test_validation_people_are_as_far_from_training_images_as_test_people(real_people) -> None:
    """In frames of the same film: about as few are within ten seconds, 250 frames, of one."""
    films, frames = zip(*(name.removesuffix('.jpg').rsplit('-', 1) for name in real_people.file_names), strict=True)
    films, frames = np.array(films), np.array(frames, dtype=int)
    trained = split_rows(real_people, 'train')

    def distances(split: str) -> np.ndarray:
        nearest = [
            np.abs(frames[trained][films[trained] == films[row]] - frames[row]).min()
            for row in split_rows(real_people, split)
        ]
        return np.array(nearest)

    validation, test = distances('val'), distances('test')
    assert np.median(validation) > 5_000
    assert np.median(test) > 10_000
    np.testing.assert_allclose([(validation <= 250).mean(), (test <= 250).mean()], [0.086, 0.088], atol=0.001)
