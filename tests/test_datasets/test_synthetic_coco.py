"""The built-in data: what COCO readers rely on, and what makes left and right learnable."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from generate_data_tool import generate_data
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO

from classicpose.errors import UserError
from classicpose.skeletons import COCO17
from custom_modules.datasets.synthetic.coco import (
    UNANNOTATED_SHARE,
    draw_image,
    generate_coco,
    mask_to_polygons,
    mask_to_rle,
)
from custom_modules.datasets.synthetic.images import CROWD_SHARE, EMPTY_SHARE, draw_occluder, place_people
from custom_modules.datasets.synthetic.people import PARTS, draw_person, read_keypoints
from custom_modules.datasets.synthetic.person import Person, sample_look, sample_person
from custom_modules.datasets.synthetic.poses import JOINTS, sample_pose

SIZE = (144, 112)
NOSE, LEFT_EYE, RIGHT_EYE = (COCO17.keypoints.index(n) for n in ('nose', 'left_eye', 'right_eye'))
LEFT_SHOULDER, RIGHT_SHOULDER = (COCO17.keypoints.index(n) for n in ('left_shoulder', 'right_shoulder'))


@pytest.fixture(scope='module')
def data_root(tmp_path_factory) -> Path:
    """150 training and 10 validation images, drawn by two processes."""
    root = tmp_path_factory.mktemp('drawn')
    generate_coco(root, 150, 10, size=SIZE, seed=3, workers=2)
    return root


@pytest.fixture(scope='module')
def coco(data_root) -> COCO:
    return COCO(str(data_root / 'annotations/person_keypoints_train2017.json'))


@pytest.fixture(scope='module')
def many_images() -> list[list[dict]]:
    """The annotations of 500 images."""
    return [draw_image(np.random.default_rng((7, i)), (96, 96))[1] for i in range(500)]


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob('*') if p.is_file()}


def posed(yaw: float, seed: int = 0) -> Person:
    rng = np.random.default_rng(seed)
    joints, head = sample_pose(rng, yaw)
    return Person(joints=joints, head=head, yaw=yaw, look=sample_look(rng))


def drawn_keypoints(person: Person, side: int = 200) -> np.ndarray:
    """(17, 3) of a sampled person drawn alone, 120 pixels tall, amid a square image."""
    person = person.placed(120, np.full(2, side / 2))
    image, labels = np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)
    draw_person(image, labels, person, 1)
    return read_keypoints(person, labels, 1)


# What is written


def test_the_same_seed_writes_the_same_bytes_with_any_number_of_workers(data_root, tmp_path):
    generate_coco(tmp_path, 150, 10, size=SIZE, seed=3, workers=1)
    assert contents(tmp_path) == contents(data_root)


def test_images_do_not_depend_on_how_many_there_are(data_root, tmp_path):
    generate_coco(tmp_path, 2, 1, size=SIZE, seed=3)
    images = {path: data for path, data in contents(tmp_path).items() if path.endswith('.jpg')}
    assert len(images) == 3
    assert images.items() <= contents(data_root).items()


def test_no_two_images_are_alike_and_another_seed_draws_others(data_root, tmp_path):
    generate_coco(tmp_path, 5, 5, size=SIZE, seed=4)
    images = [data for root in (data_root, tmp_path) for path, data in contents(root).items() if path.endswith('.jpg')]
    assert len(images) == len(set(images)) == 170


def test_images_and_their_entries_agree(data_root):
    ids = []
    for split, count in (('train', 150), ('val', 10)):
        coco = COCO(str(data_root / f'annotations/person_keypoints_{split}2017.json'))
        assert len(coco.imgs) == count
        ids += coco.imgs
        for entry in coco.imgs.values():
            image = cv2.imread(str(data_root / f'{split}2017' / entry['file_name']))
            assert entry['file_name'] == f'{entry["id"]:012d}.jpg'
            assert image.shape == (entry['height'], entry['width'], 3) == (SIZE[1], SIZE[0], 3)
    assert len(set(ids)) == 160


def test_the_category_describes_the_skeleton(coco):
    (category,) = coco.loadCats(coco.getCatIds())
    assert category['name'] == 'person'
    assert category['keypoints'] == list(COCO17.keypoints)
    assert [(start - 1, end - 1) for start, end in category['skeleton']] == list(COCO17.limbs)


def test_annotations_are_consistent(coco):
    width, height = SIZE
    assert len(coco.anns) > 150
    assert any(annotation['iscrowd'] for annotation in coco.anns.values())
    for annotation in coco.anns.values():
        keypoints = np.array(annotation['keypoints']).reshape(17, 3)
        x, y, v = keypoints.T
        assert annotation['num_keypoints'] == (v > 0).sum()
        assert set(v) <= {0, 1, 2}
        assert not keypoints[v == 0].any()
        assert (x >= 0).all()
        assert (x <= width - 1).all()
        assert (y >= 0).all()
        assert (y <= height - 1).all()
        assert isinstance(annotation['segmentation'], dict if annotation['iscrowd'] else list)
        if annotation['iscrowd']:
            assert annotation['num_keypoints'] == 0

        mask = coco.annToMask(annotation)
        box = np.array(annotation['bbox'])
        assert (box[:2] >= 0).all()
        assert (box[:2] + box[2:] <= SIZE).all()
        np.testing.assert_allclose(cv2.boundingRect(mask), box, atol=1)
        tolerance = 0 if annotation['iscrowd'] else 3 + 0.03 * annotation['area']
        assert abs(mask.sum() - annotation['area']) <= tolerance


def test_visible_keypoints_lie_on_their_own_person_only(coco):
    hidden = 0
    for image_id in coco.imgs:
        people = coco.loadAnns(coco.getAnnIds(image_id))
        masks = [coco.annToMask(person) for person in people]
        for index, person in enumerate(people):
            keypoints = np.array(person['keypoints']).reshape(17, 3)
            hidden += (keypoints[:, 2] == 1).sum()
            x, y = keypoints[keypoints[:, 2] == 2, :2].round().astype(int).T
            near = cv2.dilate(masks[index], np.ones((3, 3), np.uint8))
            assert near[y, x].all()
            for other in masks[:index] + masks[index + 1 :]:
                # Polygons are rounded to half a pixel: only what is well inside another is wrong.
                assert not cv2.erode(other, np.ones((5, 5), np.uint8))[y, x].any()
    assert hidden > 50


# What is in the images


def test_shares_are_as_intended(many_images):
    people = [a for annotations in many_images for a in annotations if not a['iscrowd']]
    crowds = sum(a['iscrowd'] for annotations in many_images for a in annotations)
    empty = sum(not annotations for annotations in many_images)
    unannotated = sum(person['num_keypoints'] == 0 for person in people)
    assert 0.5 < empty / 500 / EMPTY_SHARE < 1.6
    assert 0.5 < crowds / 500 / CROWD_SHARE < 1.5
    # A few more, of whom too little is seen.
    assert 0.8 < unannotated / len(people) / UNANNOTATED_SHARE < 1.6
    assert 1.3 < len(people) / 500 < 2


def test_most_people_are_large_and_well_visible(many_images):
    people = [a for annotations in many_images for a in annotations if a['num_keypoints']]
    heights = np.array([person['bbox'][3] for person in people]) / 96
    assert np.mean((heights > 0.3) & (heights <= 0.95)) > 0.85
    visible = np.array([np.array(person['keypoints'][2::3]) == 2 for person in people])
    assert 11 < visible.sum(axis=1).mean() < 16
    # Every part is seen often enough to be learnt.
    assert visible.mean(axis=0).min() > 0.5


def test_people_are_of_many_sizes_and_hide_little_of_each_other():
    rng = np.random.default_rng(0)
    images = [place_people(rng, 3, (200, 200)) for _ in range(60)]
    assert sum(len(people) == 3 for people in images) > 30
    scales = [person.scale for people in images for person in people]
    assert np.percentile(scales, 90) > 1.5 * np.percentile(scales, 10)
    for people in images:
        assert [p.scale for p in people] == sorted(p.scale for p in people)
        boxes = np.array([person.box() for person in people])
        sizes = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        for i, j in itertools.combinations(range(len(people)), 2):
            corners = np.maximum(boxes[i, :2], boxes[j, :2]), np.minimum(boxes[i, 2:], boxes[j, 2:])
            common = np.clip(corners[1] - corners[0], 0, None).prod()
            assert common <= 0.3 * min(sizes[i], sizes[j])


def test_an_occluder_takes_the_pixels_it_covers():
    rng = np.random.default_rng(0)
    person = posed(0.0).placed(120, np.array([100.0, 100.0]))
    drawn, labels = np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200), np.uint8)
    draw_person(drawn, labels, person, 1)
    image, left = drawn.copy(), labels.copy()
    draw_occluder(rng, image, left, person)
    covered = cv2.erode((image != drawn).any(axis=2).astype(np.uint8), np.ones((3, 3))) > 0
    assert labels[covered].any()
    assert not left[covered].any()
    np.testing.assert_array_equal(left[left > 0], labels[left > 0])


@pytest.mark.parametrize('seed', range(20))
def test_left_and_right_can_be_told(seed):
    degrees = np.random.default_rng(seed).uniform(-45, 45)
    facing = drawn_keypoints(posed(np.radians(degrees), seed))
    assert facing[LEFT_SHOULDER, 0] > facing[RIGHT_SHOULDER, 0]
    assert facing[NOSE, 2] > 0
    turned = drawn_keypoints(posed(np.radians(180 + 0.75 * degrees), seed))
    assert turned[LEFT_SHOULDER, 0] < turned[RIGHT_SHOULDER, 0]
    assert not turned[[NOSE, LEFT_EYE, RIGHT_EYE]].any()


def test_people_face_the_viewer_mostly_and_are_turned_away_sometimes():
    rng = np.random.default_rng(0)
    ahead = np.cos([sample_person(rng).yaw for _ in range(400)])
    assert 0.65 < np.mean(ahead > np.cos(np.radians(45))) < 0.85
    assert 0.07 < np.mean(ahead < 0) < 0.2


def test_a_face_in_the_middle_of_a_lone_person_is_seen():
    keypoints = drawn_keypoints(posed(0.0))
    assert (keypoints[[NOSE, LEFT_EYE, RIGHT_EYE], 2] == 2).all()


@pytest.mark.parametrize(('depth', 'visibility'), [(0.3, 2), (-0.3, 1)])
def test_the_nearer_part_of_a_body_hides_the_farther(depth, visibility):
    person = posed(0.0)
    trunk = np.mean(
        [person.at(f'{side}_{joint}') for side in ('left', 'right') for joint in ('shoulder', 'hip')], axis=0
    )
    for joint in ('left_wrist', 'left_hand'):
        person.joints[JOINTS.index(joint)] = [*trunk[:2], depth]
    assert drawn_keypoints(person)[COCO17.keypoints.index('left_wrist'), 2] == visibility


def test_what_is_behind_something_is_labelled_hidden():
    person = posed(0.0).placed(120, np.array([100.0, 100.0]))
    labels = np.zeros((200, 200), np.uint8)
    draw_person(np.zeros((200, 200, 3), np.uint8), labels, person, 1 + len(PARTS))
    before = read_keypoints(person, labels, 1 + len(PARTS))
    shoulder = before[LEFT_SHOULDER]
    assert shoulder[2] == 2
    x, y = shoulder[:2].round().astype(int)
    labels[y, x] = 1  # a pixel of the first person's
    after = read_keypoints(person, labels, 1 + len(PARTS))
    np.testing.assert_array_equal(after[LEFT_SHOULDER], [*shoulder[:2], 1])
    np.testing.assert_array_equal(np.delete(after, LEFT_SHOULDER, 0), np.delete(before, LEFT_SHOULDER, 0))


def test_what_is_outside_the_image_is_not_labelled():
    person = posed(0.0).placed(120, np.array([100.0, 0.0]))
    labels = np.zeros((200, 200), np.uint8)
    draw_person(np.zeros((200, 200, 3), np.uint8), labels, person, 1)
    keypoints = read_keypoints(person, labels, 1)
    above = person.joints[:17, 1] < 0
    assert above[NOSE]
    assert not keypoints[above].any()
    assert (keypoints[person.joints[:17, 1] > 0, 2] > 0).all()


# Masks


def test_polygons_keep_the_pixels_of_thin_things_and_holes():
    mask = np.zeros((40, 50), bool)
    mask[2:30, 3:30] = True
    mask[8:20, 8:14] = False
    mask[10:24, 18:25] = False
    mask[35, 2:40] = True
    mask[0, 49] = True
    polygons = mask_to_polygons(mask)
    assert len(polygons) == 3
    merged = run_lengths.merge(run_lengths.frPyObjects(polygons, *mask.shape))
    np.testing.assert_array_equal(run_lengths.decode(merged), mask)


@pytest.mark.parametrize('first', (False, True))
def test_run_lengths_are_cocos(first):
    mask = np.random.default_rng(0).random((13, 17)) < 0.5
    mask[0, 0] = first
    coded = run_lengths.frPyObjects(mask_to_rle(mask), *mask.shape)
    np.testing.assert_array_equal(run_lengths.decode(coded), mask)
    assert coded['counts'] == run_lengths.encode(np.asfortranarray(mask.astype(np.uint8)))['counts']


# Interruption, refusal, and the command


class Stop(Exception):
    pass


@pytest.mark.parametrize('workers', (1, 2))
def test_an_interrupted_run_leaves_nothing_that_looks_finished(tmp_path, workers):
    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise Stop

    generate_coco(tmp_path, 3, 3, size=SIZE)
    assert len(list(tmp_path.glob('annotations/*.json'))) == 4
    with pytest.raises(Stop):
        generate_coco(tmp_path, 40, 4, size=SIZE, workers=workers, progress=interrupt)
    assert list(tmp_path.glob('*2017/*.jpg'))
    assert not list(tmp_path.glob('annotations/*.json'))


def test_generated_data_is_replaced(tmp_path):
    generate_coco(tmp_path / 'a', 4, 2, size=SIZE)
    generate_coco(tmp_path / 'a', 2, 1, size=SIZE)
    generate_coco(tmp_path / 'b', 2, 1, size=SIZE)
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')


def test_other_files_are_not_touched(tmp_path):
    (tmp_path / 'train2017').mkdir()
    (tmp_path / 'train2017/000000000009.jpg').write_bytes(b'a photograph')
    before = contents(tmp_path)
    with pytest.raises(UserError, match='not generated.*new or an empty folder'):
        generate_coco(tmp_path, 1, 1)
    assert contents(tmp_path) == before


def test_the_command_writes_data_and_says_how_fast(tmp_path, monkeypatch, capsys):
    generate_data(monkeypatch, str(tmp_path / 'x'), '--train', '3', '--val', '1', '--size', '64', '48')
    assert 'images/s' in capsys.readouterr().out
    coco = COCO(str(tmp_path / 'x/annotations/person_keypoints_train2017.json'))
    assert [(image['width'], image['height']) for image in coco.imgs.values()] == [(64, 48)] * 3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('new', '--train', '-1'), '-1 train images'),
        (('new', '--val', '-5'), '-5 val images'),
        (('new', '--size', '20', '256'), '20x256'),
        (('new', '--seed', '-2'), 'seed of -2'),
        (('foreign',), 'not generated'),
        (('file/below',), 'cannot write'),
        (('file',), 'cannot write'),
    ],
)
def test_the_command_explains_mistakes_in_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    Path('foreign').mkdir()
    for name in ('file', 'foreign/notes.txt'):
        Path(name).write_text('mine')
    with pytest.raises(SystemExit) as stopped:
        generate_data(monkeypatch, *arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not Path('new').exists()
