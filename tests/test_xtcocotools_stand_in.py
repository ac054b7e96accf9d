"""The xtcocotools stand-in: against arithmetic everywhere, against the genuine one where it is."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from shipped_configs import REPOSITORY

STAND_IN = REPOSITORY / 'stubs' / 'xtcocotools' / 'xtcocotools'

genuine_only = pytest.mark.skipif(
    importlib.util.find_spec('xtcocotools._mask') is None,
    reason='the genuine xtcocotools is not installed (it has no wheel for this Python)',
)


@pytest.fixture(scope='module')
def stand_in():
    """The stand-in's package under another name, so that it can sit beside the genuine one."""
    spec = importlib.util.spec_from_file_location(
        'xtcocotools_stand_in', STAND_IN / '__init__.py', submodule_search_locations=[str(STAND_IN)]
    )
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    return spec.name


def evaluate(package: str, annotated: dict, detections: list[dict], **options):
    """Run a package's keypoint evaluation from files, as MMPose's CocoMetric does."""
    coco = importlib.import_module(f'{package}.coco')
    cocoeval = importlib.import_module(f'{package}.cocoeval')
    with tempfile.TemporaryDirectory() as folder:
        truth_file, detections_file = Path(folder, 'truth.json'), Path(folder, 'detections.json')
        truth_file.write_text(json.dumps(annotated))
        detections_file.write_text(json.dumps(detections))
        truth = coco.COCO(str(truth_file))
        found = truth.loadRes(str(detections_file))
    evaluation = cocoeval.COCOeval(truth, found, 'keypoints', **options)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def one_person(**changes) -> dict:
    """A dataset of one image and one person with three labelled keypoints in a 40x50 box."""
    person = {
        'id': 1,
        'image_id': 1,
        'category_id': 1,
        'bbox': [10, 10, 40, 50],
        'area': 1500,
        'num_keypoints': 3,
        'keypoints': [10, 10, 2, 50, 60, 1, 30, 30, 2],
        'iscrowd': 0,
    }
    return {
        'images': [{'id': 1}],
        'categories': [{'id': 1}],
        'annotations': [{**person, **changes}],
    }


def detection(keypoints: list[float], score: float) -> dict:
    return {'image_id': 1, 'category_id': 1, 'keypoints': keypoints, 'score': score}


EXACT = detection([10, 10, 1, 50, 60, 1, 30, 30, 1], score=0.9)
SIGMAS = [0.05, 0.1, 0.2]


@pytest.mark.parametrize(
    'changes',
    [{}, {'id': 0}, {'num_keypoints': 0}],
    ids=['plain', 'id 0', 'wrong num_keypoints'],
)
def test_an_exact_detection_scores_one(stand_in, changes):
    evaluation = evaluate(stand_in, one_person(**changes), [EXACT], sigmas=SIGMAS)
    assert evaluation.stats[0] == pytest.approx(1)
    assert evaluation.stats[5] == pytest.approx(1)


def test_a_missing_crowd_flag_means_no_crowd(stand_in):
    annotated = one_person()
    del annotated['annotations'][0]['iscrowd']
    assert evaluate(stand_in, annotated, [EXACT], sigmas=SIGMAS).stats[0] == pytest.approx(1)


@pytest.mark.parametrize('changes', [{'iscrowd': 1}, {'keypoints': [0] * 9}])
def test_crowds_and_people_without_keypoints_do_not_count(stand_in, changes):
    evaluation = evaluate(stand_in, one_person(**changes), [EXACT], sigmas=SIGMAS)
    assert evaluation.stats[0] == -1  # nothing to evaluate


def test_detections_whose_scores_are_all_zero_are_left_out(stand_in):
    wrong = [100, 100, 0, 110, 110, 0, 120, 120, 0]
    detections = [detection(wrong, score=1.0), EXACT]
    counted = [detection([*wrong[:8], 0.1], score=1.0), EXACT]
    assert evaluate(stand_in, one_person(), detections, sigmas=SIGMAS).stats[0] == pytest.approx(1)
    assert evaluate(stand_in, one_person(), counted, sigmas=SIGMAS).stats[0] == pytest.approx(0.5)


@pytest.mark.parametrize(('use_area', 'area'), [(True, 1500), (False, 0.53 * 40 * 50)], ids=['area', 'box'])
def test_object_keypoint_similarity_is_the_formula(stand_in, use_area, area):
    off_by_three = detection([13, 10, 1, 50, 63, 1, 30, 30, 1], score=0.9)
    evaluation = evaluate(stand_in, one_person(), [off_by_three], sigmas=SIGMAS, use_area=use_area)
    squared_distances = np.array([9, 9, 0])
    expected = np.exp(-squared_distances / (2 * area * (2 * np.array(SIGMAS)) ** 2)).mean()
    assert evaluation.ious[1, 1].item() == pytest.approx(expected, abs=1e-12)


def test_no_detections_at_all_score_zero(stand_in):
    assert evaluate(stand_in, one_person(), [], sigmas=SIGMAS).stats[0] == 0


def test_the_annotations_are_not_changed(stand_in):
    cocoeval = importlib.import_module(f'{stand_in}.cocoeval')
    truth = importlib.import_module(f'{stand_in}.coco').COCO()
    truth.dataset = one_person(id=0)
    truth.createIndex()
    cocoeval.COCOeval(truth, truth.loadRes([EXACT]), sigmas=SIGMAS, use_area=False).evaluate()
    assert truth.dataset == one_person(id=0)


@pytest.mark.parametrize('iou_type', ['keypoints_crowd', 'keypoints_wholebody', 'bbox', 'segm'])
def test_other_evaluations_are_refused(stand_in, iou_type):
    cocoeval = importlib.import_module(f'{stand_in}.cocoeval')
    with pytest.raises(ValueError, match=iou_type):
        cocoeval.COCOeval(iouType=iou_type)


def random_scene(seed: int, n_keypoints: int) -> tuple[dict, list[dict]]:
    """People of all sizes, ids from 0, some crowds, some unlabelled; detections good and bad."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    n_images = 6
    for image_id in range(n_images):
        for _ in range(rng.integers(0, 5)):
            x, y, width, height = *rng.uniform(0, 300, 2), *rng.uniform(20, 200, 2)
            points = rng.uniform([x, y], [x + width, y + height], (n_keypoints, 2))
            visible = rng.integers(0, 3, n_keypoints) * (rng.random() > 0.15)
            annotations.append(
                {
                    'id': len(annotations),
                    'image_id': image_id,
                    'category_id': 1,
                    'bbox': [x, y, width, height],
                    'area': width * height * rng.uniform(0.3, 0.8),
                    'keypoints': np.column_stack([points, visible]).ravel().tolist(),
                    **({'iscrowd': 1} if rng.random() < 0.1 else {}),
                }
            )
            for _ in range(rng.integers(0, 3)):
                guess = points + rng.normal(0, rng.uniform(0.5, 15), points.shape)
                scores = rng.random(n_keypoints) * (rng.random() > 0.1)
                keypoints = np.column_stack([guess, scores]).ravel().tolist()
                detections.append({**detection(keypoints, rng.random()), 'image_id': image_id})
    return {
        'images': [{'id': image_id} for image_id in range(n_images)],
        'categories': [{'id': 1}],
        'annotations': annotations,
    }, detections


@genuine_only
@pytest.mark.parametrize('use_area', [True, False], ids=['area', 'box'])
@pytest.mark.parametrize('sigmas', [None, np.array(SIGMAS), np.array(SIGMAS, np.float32)], ids=['coco', 'f64', 'f32'])
def test_the_genuine_xtcocotools_agrees(stand_in, use_area, sigmas):
    for seed in range(8):
        scene = random_scene(seed, n_keypoints=17 if sigmas is None else len(sigmas))
        ours = evaluate(stand_in, *scene, sigmas=sigmas, use_area=use_area)
        theirs = evaluate('xtcocotools', *scene, sigmas=sigmas, use_area=use_area)
        for name in ('precision', 'recall', 'scores'):
            np.testing.assert_allclose(ours.eval[name], theirs.eval[name], atol=1e-9)
        np.testing.assert_allclose(ours.stats, theirs.stats, atol=1e-9)
        assert 0.05 < ours.stats[0] < 0.95  # a scene in which the details matter


@genuine_only
def test_the_genuine_xtcocotools_agrees_on_no_detections(stand_in):
    annotated, _ = random_scene(seed=0, n_keypoints=17)
    np.testing.assert_array_equal(evaluate(stand_in, annotated, []).stats, evaluate('xtcocotools', annotated, []).stats)
