"""Labels by MoveNet: with networks that see coloured dots, the dots' places come back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmpose.registry import DATASETS
from pycocotools import mask as run_lengths
from shipped_configs import REPOSITORY

from classicpose.skeletons import COCO17
from projects.movenet_labels.label_images import _entries
from projects.movenet_labels.labelling import annotate, find, label, refine

SIZE = (300, 420)  # height, width
# Somebody upright in the middle, in shares of a height of 200 pixels; the person's right is at the image's left.
BODY = np.array(
    [[0, 0], [4, -4], [-4, -4], [8, 0], [-8, 0], [20, 25], [-20, 25], [35, 55], [-30, 58], [45, 85], [-28, 88],
     [12, 90], [-12, 90], [16, 130], [-14, 132], [18, 170], [-20, 172]], float
)  # fmt: skip
PERSON = np.column_stack([BODY + (200, 80), np.full(17, 0.9)])
COLOURS = np.array([(40 + 50 * (k % 5), 40 + 50 * (k // 5 % 5), 250) for k in range(17)], float)


def drawing(*people: np.ndarray) -> np.ndarray:
    image = np.zeros((*SIZE, 3), np.uint8)
    for person in people:
        for (x, y, _), colour in zip(person, COLOURS, strict=True):
            cv2.circle(image, (round(x), round(y)), 3, colour.tolist(), -1)
    return image


def seen(image: np.ndarray) -> np.ndarray:
    """(17, 3) y, x, score from 0 to 1 of the dots of one person, left and right told by the body's orientation."""
    height, width = image.shape[:2]
    answer = np.zeros((17, 3))
    for index, colour in enumerate(COLOURS):
        rows, columns = np.nonzero(np.abs(image.astype(float) - colour).max(axis=-1) < 20)
        if len(rows):
            answer[index] = (rows.mean() + 0.5) / height, (columns.mean() + 0.5) / width, 0.9
    shoulders, hips = answer[5:7, :2], answer[11:13, :2].mean(axis=0)
    down, across = hips - shoulders.mean(axis=0), shoulders[0] - shoulders[1]
    is_mirrored = down[0] * across[1] - down[1] * across[0] < 0
    return answer[COCO17.flip_indices] if is_mirrored else answer


def finder(image: np.ndarray) -> np.ndarray:
    answer = np.zeros((1, 6, 56))
    answer[0, 0, :51], answer[0, 0, 55] = seen(image).ravel(), 0.8
    return answer


@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('longest', [320, 512])
def test_finder_looks_at_any_size_and_at_the_mirror_image(longest: int, mirrored: bool) -> None:
    shapes = []

    def network(image: np.ndarray) -> np.ndarray:
        shapes.append(image.shape)
        return finder(image)

    people = find(network, drawing(PERSON), longest, mirrored)
    assert all(side % 32 == 0 for shape in shapes for side in shape[:2])
    assert [score for score, _ in people] == [0.8, 0, 0, 0, 0, 0]
    assert np.abs(people[0][1][:, :2] - PERSON[:, :2]).max() < 1.5


def test_refiner_puts_a_rough_guess_right() -> None:
    guess = PERSON + np.array([9, -7, 0])
    assert np.abs(refine(seen, drawing(PERSON), guess)[:, :2] - PERSON[:, :2]).max() < 1
    assert refine(seen, drawing(PERSON), guess * (1, 1, 0)) is None


def test_keypoints_that_change_sides_in_the_mirror_image_lose_score() -> None:
    def no_sides(image: np.ndarray) -> np.ndarray:
        answer = seen(image)
        answer[9:11] = answer[9 + np.argsort(answer[9:11, 0])]  # the higher wrist is always the left one
        return answer

    scores = refine(no_sides, drawing(PERSON), PERSON)[:, 2]
    wrists = np.isin(np.arange(17), [9, 10])
    assert np.allclose(scores[~wrists], 0.9) and np.allclose(scores[wrists], 0.54)


def test_a_person_found_twice_is_labelled_once() -> None:
    (keypoints,) = label(finder, seen, drawing(PERSON))
    assert np.abs(keypoints[:, :2] - PERSON[:, :2]).max() < 1


def test_the_uncertain_and_the_missed_are_crowds(tmp_path: Path) -> None:
    unsure = PERSON * (1, 1, 0.1) + (-150, 0, 0)
    missed = PERSON + (140, 10, 0)
    annotations = annotate([PERSON, unsure], [PERSON + 1, missed], *SIZE)
    assert [annotation['iscrowd'] for annotation in annotations] == [0, 1, 1]
    assert annotations[0]['num_keypoints'] == 17

    cv2.imwrite(str(tmp_path / 'a.png'), drawing(PERSON))
    image = dict(id=1, file_name='a.png', height=SIZE[0], width=SIZE[1])
    annotations = [dict(a, id=number, image_id=1) for number, a in enumerate(annotations, 1)]
    category = dict(id=1, name='person', keypoints=list(COCO17.keypoints), skeleton=[])
    contents = dict(images=[image], annotations=annotations, categories=[category])
    (tmp_path / 'labels.json').write_text(json.dumps(contents))
    dataset = DATASETS.build(
        dict(type='BottomUpCocoDataset', data_root=str(tmp_path), ann_file='labels.json', data_prefix=dict(img=''))
    )
    sample = dataset.get_data_info(0)
    assert len(dataset) == 1 and len(sample['keypoints']) == 1
    ignored = run_lengths.decode(sample['ignore']) > 0
    for person, is_ignored in ((PERSON, False), (missed, True)):
        columns, rows = np.minimum(np.round(person[:, :2]).astype(int), (SIZE[1] - 1, SIZE[0] - 1)).T
        assert (ignored[rows, columns] == is_ignored).all()


def test_keypoints_outside_the_image_are_not_labelled() -> None:
    (annotation,) = annotate([PERSON + (210, 0, 0)], [], *SIZE)
    table = np.array(annotation['keypoints']).reshape(17, 3)
    inside = PERSON[:, 0] + 210 <= SIZE[1] - 1
    assert 0 < inside.sum() < 17 and np.array_equal(table[:, 2] > 0, inside)
    assert annotation['num_keypoints'] == inside.sum()


def test_who_lies_outside_the_image_is_nobody() -> None:
    outside, half = PERSON + (SIZE[1], 0, 0), PERSON + (SIZE[1] - 200, 0, 0)
    _, crowd = annotate([PERSON], [outside, half], *SIZE)
    left, top, width, height = crowd['bbox']
    assert 0 <= left < left + width <= SIZE[1] - 1 and 0 <= top < top + height <= SIZE[0] - 1


def test_images_without_certain_people_or_with_too_many_are_left_out() -> None:
    assert annotate([PERSON * (1, 1, 0.1)], [], *SIZE) is None
    assert annotate([PERSON + (shift, 0, 0) for shift in range(-150, 150, 50)], [], *SIZE) is None


def test_goes_on_after_an_interruption(tmp_path: Path) -> None:
    paths = [tmp_path / f'{number}.jpg' for number in range(4)]
    progress = tmp_path / 'labels.json.unfinished.jsonl'
    made = []

    def entry_of(path: Path) -> dict:
        made.append(path.name)
        if made == ['0.jpg', '1.jpg', '2.jpg']:
            raise KeyboardInterrupt
        return dict(image=dict(file_name=path.name), annotations=None)

    with pytest.raises(KeyboardInterrupt):
        list(_entries(paths, entry_of, progress))
    with progress.open('a') as file:
        file.write('{"image": {"file_')  # killed while it wrote
    entries = list(_entries(paths, entry_of, progress))
    assert [entry['image']['file_name'] for entry in entries] == [path.name for path in paths]
    assert made == ['0.jpg', '1.jpg', '2.jpg', '2.jpg', '3.jpg']


@pytest.mark.parametrize(
    ('folder', 'expected'),
    [('missing', 'is no folder of photographs'), ('.', 'has no photographs'), ('photographs', 'does not exist')],
)
def test_mistakes_are_told_in_one_line(tmp_path: Path, folder: str, expected: str) -> None:
    (tmp_path / 'photographs').mkdir()
    cv2.imwrite(str(tmp_path / 'photographs/a.png'), drawing(PERSON))
    command = ['-m', 'projects.movenet_labels.label_images', str(tmp_path / folder), '--out', str(tmp_path / 'o.json')]
    networks = ['--finder', str(tmp_path / 'no.onnx'), '--refiner', str(tmp_path / 'no.onnx')]
    done = subprocess.run([sys.executable, *command, *networks], capture_output=True, text=True, cwd=REPOSITORY)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith('error: ') and expected in line
    assert not (tmp_path / 'o.json').exists()
