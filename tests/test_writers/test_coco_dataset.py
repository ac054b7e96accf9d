"""Annotations in COCO's format, as pycocotools and the datasets that are trained on read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from classicpose.people import People
from classicpose.skeletons import BODY25, COCO17, COCO23, FLIC10, OPENPOSE18, Skeleton
from classicpose.writers.coco_json import CocoDataset
from custom_modules.datasets import BottomUpCocoDataset

SIZE = (160, 120)


def people(path: Path, skeleton: Skeleton = OPENPOSE18, **settings: object) -> People:
    """Two, the second without its right ankle and with an uncertain nose."""
    rng = np.random.default_rng(0)
    count = len(skeleton.keypoints)
    keypoints = (rng.uniform(0.1, 0.9, (2, count, 2)) * SIZE).astype(np.float32)
    scores = np.full((2, count), 0.5, np.float32)
    if 'nose' in skeleton.keypoints:
        scores[1, skeleton.keypoints.index('nose')] = 0.1
        scores[1, skeleton.keypoints.index('right_ankle')] = 0
    boxes = np.zeros((2, 4), np.float32)
    return People(
        path.stem, SIZE, skeleton, keypoints, scores, np.ones(2, np.float32), boxes, path=str(path), **settings
    )


def image_file(path: Path, **settings: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8)).save(path, **settings)
    return path


def written(path: Path, *images: People, threshold: float = 0.2) -> dict:
    with CocoDataset(path, threshold) as writer:
        for image in images:
            writer.write(image, np.zeros((*image.image_size[::-1], 3), np.uint8))
    return json.loads(path.read_text())


def test_annotations_field_by_field(tmp_path: Path) -> None:
    image = people(image_file(tmp_path / 'a.png'))
    image.keypoints[1, OPENPOSE18.keypoints.index('left_ear')] = 160, 50  # beside the image
    contents = written(tmp_path / 'labels.json', image)
    assert contents['images'] == [dict(id=1, file_name='a.png', width=160, height=120)]
    (category,) = contents['categories']
    assert (category['id'], category['name'], tuple(category['keypoints'])) == (1, 'person', COCO17.keypoints)
    assert {tuple(limb) for limb in category['skeleton']} == {(start + 1, end + 1) for start, end in COCO17.limbs}
    first, second = contents['annotations']
    assert (first['id'], second['id'], second['image_id'], second['category_id']) == (1, 2, 1, 1)
    assert (first['num_keypoints'], second['num_keypoints']) == (17, 14)
    assert (second['iscrowd'], second['segmentation']) == (0, [])
    table = np.reshape(second['keypoints'], (17, 3))
    uncertain = [COCO17.keypoints.index(name) for name in ('nose', 'right_ankle', 'left_ear')]
    assert not table[uncertain].any()
    own = [OPENPOSE18.keypoints.index(name) for name in COCO17.keypoints]
    there = np.delete(np.arange(17), uncertain)
    np.testing.assert_allclose(table[there, :2], image.keypoints[1, own][there], rtol=1e-5)
    assert set(table[there, 2]) == {2}
    low, high = table[there, :2].min(axis=0), table[there, :2].max(axis=0)
    np.testing.assert_allclose(second['bbox'], [*low, *(high - low)], atol=1e-3)
    assert second['area'] == pytest.approx(0.53 * second['bbox'][2] * second['bbox'][3], rel=1e-4)


def test_images_without_people_are_there_and_people_without_keypoints_are_not(tmp_path: Path) -> None:
    someone, nobody = (people(image_file(tmp_path / f'{name}.png')) for name in 'ab')
    nobody = replace(nobody, keypoint_scores=np.full_like(nobody.keypoint_scores, 0.1))
    contents = written(tmp_path / 'labels.json', nobody, someone)
    assert [image['file_name'] for image in contents['images']] == ['b.png', 'a.png']
    assert [annotation['image_id'] for annotation in contents['annotations']] == [2, 2]
    assert [annotation['id'] for annotation in contents['annotations']] == [1, 2]


@pytest.mark.parametrize(
    ('found', 'annotated'),
    [(OPENPOSE18, COCO17), (COCO17, COCO17), (BODY25, COCO23), (FLIC10, FLIC10)],
    ids=lambda skeleton: skeleton.name,
)
def test_a_training_reads_it(tmp_path: Path, found: Skeleton, annotated: Skeleton) -> None:
    image = people(image_file(tmp_path / 'coco/images/train/a.png'), found)
    written(tmp_path / 'coco/annotations/person_keypoints_train.json', image)
    files = dict(ann_file='annotations/person_keypoints_train.json', data_prefix=dict(img='images/train/'))
    dataset = BottomUpCocoDataset(found, annotated, data_root=str(tmp_path / 'coco'), **files)
    sample = dataset[0]
    assert Path(sample['img_path']).samefile(tmp_path / 'coco/images/train/a.png')
    seen = sample['keypoints_visible'][0] > 0
    # The neck and the middle of the hips are made anew, and a left shoulder is not where the random one was.
    own = np.isin(found.keypoints, annotated.keypoints)
    np.testing.assert_allclose(sample['keypoints'][0][own], image.keypoints[0][own], atol=1e-3)
    assert seen.all()
    assert COCO(str(tmp_path / 'coco' / files['ann_file'])).getAnnIds() == [1, 2]


class TestFileNames:
    """They lead to the image as it was seen."""

    def test_from_the_file_s_folder_or_the_root(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        inside, outside = image_file(tmp_path / 'photos/new/a.png'), image_file(tmp_path / 'b.png')
        (tmp_path / 'photos/link.png').symlink_to(outside)
        monkeypatch.chdir(tmp_path)
        images = [people(Path('photos/new/a.png')), people(outside), people(tmp_path / 'photos/link.png')]
        contents = written(tmp_path / 'photos/labels.json', *images)
        assert [image['file_name'] for image in contents['images']] == ['new/a.png', str(outside), 'link.png']
        assert inside.exists()

    @pytest.mark.parametrize('labels', ['labels.json', 'coco/annotations/person_keypoints_val.json'])
    def test_frames_of_a_video_are_written(self, tmp_path: Path, labels: str) -> None:
        frame = replace(people(tmp_path / 'walk.mp4', frame_number=7), name='walk_000000000007')
        contents = written(tmp_path / labels, frame)
        start = tmp_path / ('coco/images/val' if 'coco' in labels else '')
        (image,) = contents['images']
        assert Path(image['file_name']).name == 'walk_000000000007.jpg'
        assert cv2.imread(str(start / image['file_name'])).shape == (*SIZE[::-1], 3)

    @pytest.mark.parametrize('labels', ['labels.json', 'annotations/person_keypoints_val.json'])
    def test_a_photograph_that_its_exif_data_turn_is_written_upright(self, tmp_path: Path, labels: str) -> None:
        """Training ignores them, prediction does not. The original stays."""
        exif = Image.Exif()
        exif[0x0112] = 6
        start = tmp_path / ('images/val' if 'val' in labels else '')
        path = image_file(start / 'phone.jpg', exif=exif)
        before = path.read_bytes()
        turned = replace(people(path), image_size=SIZE[::-1])
        (image,) = written(tmp_path / labels, turned)['images']
        assert image['file_name'] == f'{Path(labels).stem}_images/phone.jpg'
        assert path.read_bytes() == before
        stored = cv2.imread(str(start / image['file_name']), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert stored.shape[1::-1] == (image['width'], image['height']) == SIZE[::-1]


class TestInterruption:
    def test_ctrl_c_leaves_what_was_predicted(self, tmp_path: Path) -> None:
        image = people(image_file(tmp_path / 'a.png'))
        with pytest.raises(KeyboardInterrupt), CocoDataset(tmp_path / 'labels.json') as writer:
            writer.write(image, None)
            raise KeyboardInterrupt
        contents = json.loads((tmp_path / 'labels.json').read_text())
        assert (len(contents['images']), len(contents['annotations'])) == (1, 2)
        assert sorted(path.name for path in tmp_path.iterdir()) == ['a.png', 'labels.json']

    def test_an_error_before_the_first_image_leaves_an_older_file(self, tmp_path: Path) -> None:
        (tmp_path / 'labels.json').write_text('of an earlier run')
        with pytest.raises(RuntimeError), CocoDataset(tmp_path / 'labels.json'):
            raise RuntimeError
        assert (tmp_path / 'labels.json').read_text() == 'of an earlier run'

    def test_no_image_at_all_is_an_empty_dataset(self, tmp_path: Path) -> None:
        contents = written(tmp_path / 'labels.json')
        assert contents['images'] == contents['annotations'] == []
        assert len(contents['categories']) == 1
