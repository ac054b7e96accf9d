"""How often the shipped bottom-up network finds somebody where nobody is."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from classicpose.inference import Predictor

_SPARE = 0.1  # of a box's sides, on each side


@pytest.mark.real_data
def test_few_people_are_found_where_nobody_is(real_coco: Path, capsys: pytest.CaptureFixture) -> None:
    """Of those found in COCO-mini's validation images few have most keypoints outside of every annotated person."""
    contents = json.loads((real_coco / 'annotations/person_keypoints_val2017.json').read_text())
    boxes = defaultdict(list)
    for annotation in contents['annotations']:
        boxes[annotation['image_id']].append(annotation['bbox'])
    predict = Predictor('openpose_lite')
    found = outside = 0
    for image in contents['images']:
        people = predict(real_coco / 'val2017' / image['file_name'])
        left_top, size = np.split(np.array(boxes[image['id']], float).reshape(-1, 1, 4), 2, axis=-1)
        for keypoints, scores in zip(people.keypoints, people.keypoint_scores, strict=True):
            places = (keypoints[scores > 0.05] - left_top) / size  # boxes x keypoints x 2, from 0 to 1 inside
            inside = ((places > -_SPARE) & (places < 1 + _SPARE)).all(axis=-1).mean(axis=-1)
            found += 1
            outside += inside.max(initial=0) < 0.5
    with capsys.disabled():
        print(f'\n{found} people, {outside} of them mostly outside of every annotated person')
    assert found > 400 and outside < 0.08 * found
