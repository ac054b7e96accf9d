"""Whether a person whom the small bottom-up network finds is located better when FLIC's cascade looks again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from classicpose.inference import Predictor
from classicpose.inference.boxes import upper_body_squares
from classicpose.people import People
from classicpose.skeletons import COCO17

PAIRS = ('shoulder', 'elbow', 'wrist', 'hip')
JOINTS = [f'{side}_{part}' for part in PAIRS for side in ('left', 'right')]
OTHER_SIDE = [1, 0, 3, 2, 5, 4, 7, 6]
THRESHOLDS = (0.1, 0.2)


@pytest.mark.real_data
@pytest.mark.slow
def test_the_cascade_moves_people_of_coco(real_coco: Path, capsys: pytest.CaptureFixture) -> None:
    """PDJ of the upper bodies in COCO-mini's validation images that the bottom-up network finds, by both networks.

    The cascade knows sides as the observer sees them, COCO as the person does: of both answers the sides count that fit
    a person better.
    """
    found: list[People] = []
    bottom_up = Predictor('openpose_lite')
    cascade = Predictor('deeppose_flic_lite0', boxes=lambda frame: upper_body_squares(found[-1]))
    errors = []  # people x networks x joints, in torso diameters; NaN where nobody knows
    for path, truths in _annotated(real_coco):
        found.append(bottom_up(path))
        again = cascade(path)
        assert len(again) == len(found[-1])
        for truth in truths:
            places = [_places(people) for people in (found[-1], again)]
            distances = np.stack([_distances(own, truth) for own in places], axis=1)
            # Whom the bottom-up network found: most joints of the torso where they are, within a torso diameter.
            torsos = np.median(np.nan_to_num(distances[:, 0, [0, 1, 6, 7]], nan=np.inf), axis=1)
            if len(torsos) and torsos.min() < 0.5:
                errors.append(distances[torsos.argmin()])
    errors = np.array(errors)
    table = {
        part: [
            [100 * np.mean(_of(errors[:, network], part) <= threshold) for threshold in THRESHOLDS]
            for network in range(2)
        ]
        for part in PAIRS
    }
    with capsys.disabled():
        print(f'\n{len(errors)} people; PDJ@{THRESHOLDS} of openpose_lite, then of the cascade')
        for part, rows in table.items():
            print(part, *(' / '.join(f'{value:.1f}' for value in row) for row in rows), sep='\t')
    assert len(errors) > 100


def _annotated(folder: Path) -> list[tuple[Path, list[np.ndarray]]]:
    """Validation images, and of each the people (8, 3) all of whose shoulders and hips are labelled."""
    contents = json.loads((folder / 'annotations/person_keypoints_val2017.json').read_text())
    names = {image['id']: image['file_name'] for image in contents['images']}
    order = [COCO17.keypoints.index(joint) for joint in JOINTS]
    people: dict[str, list[np.ndarray]] = {}
    for annotation in contents['annotations']:
        joints = np.reshape(annotation.get('keypoints', [0] * 51), (17, 3))[order].astype(float)
        if not annotation.get('iscrowd') and joints[[0, 1, 6, 7], 2].all():
            people.setdefault(names[annotation['image_id']], []).append(joints)
    return [(folder / 'val2017' / name, people[name]) for name in sorted(people)]


def _places(people: People) -> np.ndarray:
    """(P, 8, 2), NaN where a joint is missing."""
    order = [people.skeleton.keypoints.index(joint) for joint in JOINTS]
    return np.where(people.keypoint_scores[:, order, None] > 0, people.keypoints[:, order], np.nan)


def _distances(places: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(P, 8) in torso diameters of the truth (8, 3), infinite where a joint is missing, NaN where none is labelled."""
    torso = np.linalg.norm(truth[0, :2] - truth[7, :2])
    both = [np.linalg.norm(own - truth[:, :2], axis=-1) / torso for own in (places, places[:, OTHER_SIDE])]
    both = [np.where(truth[:, 2] > 0, np.nan_to_num(own, nan=np.inf), np.nan) for own in both]
    near = [np.nansum(own < max(THRESHOLDS), axis=1, keepdims=True) for own in both]
    return np.where(near[0] >= near[1], *both)


def _of(errors: np.ndarray, part: str) -> np.ndarray:
    columns = [index for index, joint in enumerate(JOINTS) if joint.endswith(part)]
    return errors[:, columns][~np.isnan(errors[:, columns])]
