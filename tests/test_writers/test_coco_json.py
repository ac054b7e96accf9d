"""COCO results, as pycocotools and this repository's own metric see them; files that grow and are interrupted."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from classicpose.errors import UserError
from classicpose.files import StreamedFile
from classicpose.people import People, image_number
from classicpose.skeletons import COCO17, OPENPOSE18, Skeleton, convert_keypoints
from classicpose.writers.coco_json import CocoResults, coco_results
from custom_modules.metrics import BodyCocoMetric


@pytest.fixture
def annotations(generated_data: Path) -> Path:
    return generated_data / 'generated/annotations/person_keypoints_train2017.json'


def truth(annotations: Path, skeleton: Skeleton) -> list[People]:
    """The annotated people of every image, as if they had been predicted."""
    contents = json.loads(annotations.read_text())
    images = []
    for image in contents['images']:
        own = [a for a in contents['annotations'] if a['image_id'] == image['id'] and a['num_keypoints']]
        table = np.array([a['keypoints'] for a in own], dtype=np.float32).reshape(-1, 17, 3)
        found = (table[..., 2] > 0).astype(np.float32)
        keypoints, scores = convert_keypoints(table[..., :2], found, COCO17, skeleton)
        images.append(
            People(
                name=Path(image['file_name']).stem,
                image_size=(image['width'], image['height']),
                skeleton=skeleton,
                keypoints=keypoints,
                keypoint_scores=scores,
                scores=np.linspace(1, 0.5, len(own), dtype=np.float32),
                boxes=np.zeros((len(own), 4), np.float32),
            )
        )
    return images


def spoilt(images: list[People]) -> list[People]:
    """Predictions as a network makes them: displaced, with keypoints missing."""
    rng = np.random.default_rng(0)
    for people in images:
        people.keypoints = people.keypoints + rng.normal(0, 2, people.keypoints.shape).astype(np.float32)
        people.keypoint_scores = people.keypoint_scores * (rng.random(people.keypoint_scores.shape) > 0.15)
        people.keypoints[people.keypoint_scores == 0] = 0
    return images


def written(path: Path, images: list[People]) -> Path:
    with CocoResults(path) as writer:
        for people in images:
            writer.write(people, None)
    return path


def pycocotools_ap(annotations: Path, results: Path) -> float:
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(annotations))
        evaluation = COCOeval(coco, coco.loadRes(str(results)), 'keypoints')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats[0]


def our_ap(annotations: Path, images: list[People]) -> float:
    samples = []
    for people in images:
        found = dict(keypoints=people.keypoints, keypoint_scores=people.keypoint_scores, bbox_scores=people.scores)
        number = int(people.name)
        ids = [number * 1000 + index for index in range(len(people))]
        samples.append(dict(id=ids, img_id=number, pred_instances=found, gt_instances={}))
    with contextlib.redirect_stdout(io.StringIO()):
        metric = BodyCocoMetric(ann_file=str(annotations), skeleton=images[0].skeleton)
        metric.dataset_meta = dict(dataset_name='coco_openpose')
        metric.process([], samples)
        return metric.evaluate(len(samples))['coco/AP']


@pytest.mark.parametrize('skeleton', [COCO17, OPENPOSE18], ids=lambda skeleton: skeleton.name)
def test_the_truth_has_ap_one(annotations: Path, tmp_path: Path, skeleton: Skeleton) -> None:
    results = written(tmp_path / 'results.json', truth(annotations, skeleton))
    assert pycocotools_ap(annotations, results) == pytest.approx(1)


def test_the_ap_is_that_of_our_own_metric(annotations: Path, tmp_path: Path) -> None:
    images = spoilt(truth(annotations, OPENPOSE18))
    ours = our_ap(annotations, images)
    assert 0.1 < ours < 0.9
    results = written(tmp_path / 'results.json', images)
    # The file has six digits.
    assert pycocotools_ap(annotations, results) == pytest.approx(ours, abs=1e-3)


def test_an_entry_field_by_field(annotations: Path) -> None:
    people = next(people for people in truth(annotations, OPENPOSE18) if len(people))
    people.keypoints[0, OPENPOSE18.keypoints.index('left_eye')] = 3, 4.5
    people.keypoint_scores[0, OPENPOSE18.keypoints.index('left_eye')] = 0.25
    people.keypoint_scores[0, OPENPOSE18.keypoints.index('right_ankle')] = 0
    entry = coco_results(people, 7)[0]
    assert list(entry) == ['image_id', 'category_id', 'keypoints', 'score']
    assert (entry['image_id'], entry['category_id'], entry['score']) == (7, 1, 1.0)
    assert len(entry['keypoints']) == 3 * 17
    assert entry['keypoints'][3:6] == [3, 4.5, 0.25]
    assert entry['keypoints'][-3:] == [0, 0, 0]


def test_a_person_with_nothing_but_a_neck_is_left_out(annotations: Path) -> None:
    people = next(people for people in truth(annotations, OPENPOSE18) if len(people))
    people.keypoint_scores[0] = 0
    people.keypoint_scores[0, OPENPOSE18.keypoints.index('neck')] = 1
    assert len(coco_results(people, 1)) == len(people) - 1


def test_numbers_of_images() -> None:
    assert image_number('000000000139') == 139
    assert image_number('walk_000000000012') == 12
    assert image_number('COCO_val2014_000000000192') == 192
    assert image_number('street') is None
    assert image_number('2nd') is None
    assert image_number('٣') is None


def test_images_whose_numbers_do_not_tell_them_apart_are_counted(
    annotations: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = [people for people in truth(annotations, COCO17) if len(people)][:3]
    names = ['left_0001', 'right_0001', os.fsdecode(b'Gr\xf6\xdfe')]
    with CocoResults(tmp_path / 'results.json', numbered=False) as writer:
        for people, name in zip(images, names, strict=True):
            people.name = name
            writer.write(people, None)
    (message,) = caplog.messages
    assert 'image_id counts the images from 1' in message
    entries = json.loads((tmp_path / 'results.json').read_text())
    assert {(entry['image_id'], entry['name']) for entry in entries} == set(enumerate(names, start=1))


def test_images_without_a_number_are_counted(annotations: Path, tmp_path: Path) -> None:
    images = [people for people in truth(annotations, COCO17) if len(people)][:2]
    nobody = next(people for people in truth(annotations, COCO17) if len(people))
    nobody.keypoints, nobody.keypoint_scores = nobody.keypoints[:0], nobody.keypoint_scores[:0]
    nobody.scores = nobody.scores[:0]
    images.insert(1, nobody)
    for people, name in zip(images, ('a', 'b', 'c'), strict=True):
        people.name = name
    entries = json.loads(written(tmp_path / 'results.json', images).read_text())
    assert sorted({entry['image_id'] for entry in entries}) == [1, 3]
    assert len(entries) == sum(map(len, images))


def test_nobody_anywhere_is_an_empty_list(tmp_path: Path) -> None:
    assert json.loads(written(tmp_path / 'results.json', []).read_text()) == []


class TestInterruption:
    def test_ctrl_c_leaves_what_was_predicted(self, annotations: Path, tmp_path: Path) -> None:
        images = truth(annotations, COCO17)
        path = tmp_path / 'results.json'
        with pytest.raises(KeyboardInterrupt), CocoResults(path) as writer:
            for people in images[:5]:
                writer.write(people, None)
            assert not path.exists()
            raise KeyboardInterrupt
        found = json.loads(path.read_text())
        assert found == json.loads(written(tmp_path / 'whole.json', images[:5]).read_text())
        assert found
        assert sorted(file.name for file in tmp_path.iterdir()) == ['results.json', 'whole.json']

    def test_entries_are_on_the_disk_at_once(self, annotations: Path, tmp_path: Path) -> None:
        """So memory need not hold them, and a killed program loses none."""
        with CocoResults(tmp_path / 'results.json') as writer:
            total = 0
            for people in truth(annotations, COCO17):
                writer.write(people, None)
                total += len(people)
                assert (tmp_path / 'results.json.unfinished').read_text().count('image_id') == total

    def test_a_cut_entry_is_dropped(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The disk is full, or Ctrl-C comes, after the first bytes of an entry."""
        path = tmp_path / 'file'

        class Reluctant:
            def __init__(self, file: io.FileIO) -> None:
                self.file = file

            def write(self, data: memoryview) -> int:
                if bytes(data[:1]) == b'!':
                    raise KeyboardInterrupt
                return self.file.write(data[:2])

            def __getattr__(self, name: str) -> object:
                return getattr(self.file, name)

            def __enter__(self) -> None:
                pass

            def __exit__(self, *error: object) -> None:
                self.file.close()

        with pytest.raises(KeyboardInterrupt), StreamedFile(path, '<', '>') as file:
            file._file = Reluctant(file._file)
            file.write('first ')
            file.write('second')
            file.write('ha!lf')
        assert path.read_text() == '<first second>'

    def test_an_error_before_the_first_image_leaves_nothing(self, tmp_path: Path) -> None:
        path = tmp_path / 'results.json'
        path.write_text('of an earlier run')
        with pytest.raises(UserError, match='unreadable'), CocoResults(path):
            raise UserError('unreadable')
        assert [file.read_text() for file in tmp_path.iterdir()] == ['of an earlier run']

    def test_an_error_after_it_keeps_what_there_is(self, annotations: Path, tmp_path: Path) -> None:
        images = [people for people in truth(annotations, COCO17) if len(people)]
        path = tmp_path / 'results.json'
        with pytest.raises(UserError, match='broken'), CocoResults(path) as writer:
            writer.write(images[0], None)
            raise UserError('the video is broken')
        assert len(json.loads(path.read_text())) == len(images[0])


class TestMistakes:
    def test_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match='is a folder: give the name of a file'), CocoResults(tmp_path):
            pass

    def test_a_file_as_folder(self, tmp_path: Path) -> None:
        (tmp_path / 'file').write_text('')
        with pytest.raises(UserError, match='cannot make the folder'), CocoResults(tmp_path / 'file' / 'x.json'):
            pass

    @pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
    def test_no_permission(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        with pytest.raises(UserError, match='Permission denied'), CocoResults(tmp_path / 'x.json'):
            pass

    @pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs /dev/full')
    def test_a_full_disk(self, annotations: Path, tmp_path: Path) -> None:
        (tmp_path / 'x.json.unfinished').symlink_to('/dev/full')
        with pytest.raises(UserError, match='cannot write .*x.json .No space left'), CocoResults(tmp_path / 'x.json'):
            pass
        assert not list(tmp_path.iterdir())
