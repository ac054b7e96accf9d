from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, OPENPOSE18, convert_keypoints
from custom_modules.metrics import BodyCocoMetric


@pytest.fixture
def annotations(generated_data: Path) -> Path:
    return generated_data / 'generated/annotations/person_keypoints_train2017.json'


def truth(annotations: Path) -> list[dict]:
    """Predictions that are the annotations themselves."""
    contents = json.loads(annotations.read_text())
    samples = []
    for image in contents['images']:
        own = [a for a in contents['annotations'] if a['image_id'] == image['id'] and a['num_keypoints']]
        table = np.array([a['keypoints'] for a in own], dtype=np.float32).reshape(-1, 17, 3)
        keypoints, scores = convert_keypoints(
            table[..., :2], (table[..., 2] > 0).astype(np.float32), COCO17, OPENPOSE18
        )
        people = dict(keypoints=keypoints, keypoint_scores=scores, bbox_scores=np.linspace(1, 0.5, len(own)))
        samples.append(dict(id=[a['id'] for a in own], img_id=image['id'], pred_instances=people, gt_instances={}))
    return samples


def evaluate(annotations: Path, samples: list[dict]) -> dict[str, float]:
    with contextlib.redirect_stdout(io.StringIO()):
        metric = BodyCocoMetric(ann_file=str(annotations))
        metric.dataset_meta = dict(dataset_name='coco_openpose')
        metric.process([], samples)
        return metric.evaluate(len(samples))


def test_the_truth_has_ap_one(annotations: Path) -> None:
    assert evaluate(annotations, truth(annotations))['coco/AP'] == pytest.approx(1)


def test_guesses_count_by_their_place(annotations: Path) -> None:
    samples = truth(annotations)
    for sample in samples:
        sample['pred_instances']['keypoint_scores'] *= 0
    assert evaluate(annotations, samples)['coco/AP'] == pytest.approx(1)


def test_only_the_images_seen_are_evaluated(annotations: Path) -> None:
    samples = [sample for sample in truth(annotations) if len(sample['id'])]
    assert evaluate(annotations, samples[:5])['coco/AP'] == pytest.approx(1)


def test_left_for_right_costs_nearly_everything(annotations: Path) -> None:
    samples = truth(annotations)
    for sample in samples:
        sample['pred_instances']['keypoints'] = sample['pred_instances']['keypoints'][:, OPENPOSE18.flip_indices]
    assert evaluate(annotations, samples)['coco/AP'] < 0.2


def test_moved_by_a_known_distance(annotations: Path) -> None:
    """exp(-d^2 / (2 area (2 sigma)^2)) = 0.62 for every part: right at the thresholds 0.5, 0.55 and 0.6 of ten."""
    contents = json.loads(annotations.read_text())
    areas = {a['id']: a['area'] for a in contents['annotations']}
    samples = truth(annotations)
    sigmas = np.array(OPENPOSE18.sigmas)
    for sample in samples:
        for index, number in enumerate(sample['id']):
            distance = np.sqrt(-2 * np.log(0.62) * areas[number]) * 2 * sigmas
            sample['pred_instances']['keypoints'][index, :, 0] += distance
    assert evaluate(annotations, samples)['coco/AP'] == pytest.approx(0.3, abs=0.02)


def test_a_network_that_finds_nobody_scores_zero(annotations: Path) -> None:
    samples = truth(annotations)
    for sample in samples:
        sample['pred_instances'] = {name: values[:0] for name, values in sample['pred_instances'].items()}
    assert evaluate(annotations, samples)['coco/AP'] == 0


def test_samples_stay_as_they_are_for_the_next_metric(annotations: Path) -> None:
    samples = truth(annotations)
    evaluate(annotations, samples)
    assert all(sample['pred_instances']['keypoints'].shape[1] == 18 for sample in samples)


def test_missing_annotations_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'none\.json does not exist'):
        BodyCocoMetric(ann_file=str(tmp_path / 'none.json'))


@pytest.mark.parametrize('area', [0, 1])
def test_areas_that_make_ap_meaningless_are_refused(annotations: Path, tmp_path: Path, area: int) -> None:
    """Of people half a pixel off."""
    contents, samples = json.loads(annotations.read_text()), truth(annotations)
    for sample in samples:
        sample['pred_instances']['keypoints'] += 0.5
    assert evaluate(annotations, samples)['coco/AP'] > 0.8
    for person in contents['annotations']:
        person['area'] = area
    (tmp_path / 'areas.json').write_text(json.dumps(contents))
    with pytest.raises(UserError, match=r'areas\.json has \d+ people whose area is less than a hundredth of their box'):
        evaluate(tmp_path / 'areas.json', samples)
    for person in contents['annotations']:
        del person['area']
    (tmp_path / 'areas.json').write_text(json.dumps(contents))
    assert evaluate(tmp_path / 'areas.json', samples)['coco/AP'] > 0.8
