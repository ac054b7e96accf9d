"""Other people's programs read what the shipped model's command writes: those of requirements-clients.txt, Datumaro."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from shipped_configs import REPOSITORY

from classicpose.images import read_image
from classicpose.skeletons import COCO17, OPENPOSE18
from classicpose.writers.video import VideoFile

pytestmark = pytest.mark.clients
LABELS = 'coco/annotations/person_keypoints_train.json'


def needs(name: str, packages: str = '-r requirements-clients.txt') -> pytest.MarkDecorator:
    reason = f'needs {name}: pip install {packages}'
    return pytest.mark.skipif(find_spec(name) is None, reason=reason)


@pytest.fixture(scope='module')
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photograph, a video of it and all that is written about both."""
    folder = tmp_path_factory.mktemp('clients')
    photograph = folder / 'coco/images/train/photo.jpg'
    photograph.parent.mkdir(parents=True)
    photograph.write_bytes((REPOSITORY / 'docs/samples/baseball_1888.jpg').read_bytes())
    image = read_image(str(photograph))
    with VideoFile(folder / 'walk.mp4', 10) as video:
        for shift in range(4):
            video.write(np.roll(image, 2 * shift, axis=1))
        video.write(np.zeros_like(image))
    command = [sys.executable, REPOSITORY / 'tools/predict.py', 'openpose_lite', 'coco/images/train', 'walk.mp4']
    files = ['--write_coco_dataset', LABELS, '--write_csv', 'people.csv', '--write_long_csv', 'long.csv', '--tracking']
    subprocess.run([*command, *files], cwd=folder, check=True)
    return folder


@needs('datumaro', 'datumaro==1.12.0')
def test_predict_correct_train(written: Path, tmp_path: Path) -> None:
    """Datumaro, with which CVAT imports and exports, reads all people, and after a correction our training does."""
    from datumaro import Dataset, Points

    from custom_modules.datasets import BottomUpCocoDataset

    labels = Dataset.import_from(str(written / 'coco'), 'coco_person_keypoints')
    items = {item.id: item for item in labels}
    frames = {f'person_keypoints_train_images/walk_{number:012d}' for number in range(5)}
    assert set(items) == {'photo', *frames}
    assert all(item.media.data is not None for item in items.values())
    contents = json.loads((written / LABELS).read_text())
    people = [a for item in items.values() for a in item.annotations if isinstance(a, Points)]
    assert len(people) == len(contents['annotations']) >= 5

    photo = items['photo']
    corrected = [a.wrap(points=[100.0, 50.0, *a.points[2:]]) if isinstance(a, Points) else a for a in photo.annotations]
    labels.put(photo.wrap(annotations=corrected))
    labels.export(str(tmp_path / 'corrected'), 'coco_person_keypoints', save_media=True)

    def samples(folder: Path) -> dict[str, np.ndarray]:
        files = dict(ann_file='annotations/person_keypoints_train.json', data_prefix=dict(img='images/train/'))
        dataset = BottomUpCocoDataset(data_root=str(folder), **files)
        return {
            Path(sample['img_path']).name: sample['keypoints']
            for sample in map(dataset.get_data_info, range(len(dataset)))
        }

    before, after = samples(written / 'coco'), samples(tmp_path / 'corrected')
    assert before.keys() == after.keys() >= {'photo.jpg', 'walk_000000000000.jpg'}
    nose = OPENPOSE18.keypoints.index('nose')
    assert np.abs(before['photo.jpg'][0, nose] - (100, 50)).max() > 20
    np.testing.assert_allclose(after['photo.jpg'][0, nose], (100, 50))
    before['photo.jpg'][0, nose] = 100, 50
    for name, keypoints in before.items():
        np.testing.assert_allclose(after[name], keypoints, atol=0.01)  # Datumaro has two digits


@needs('label_studio_converter')
def test_label_studio(written: Path, tmp_path: Path) -> None:
    from label_studio_converter.imports.coco import convert_coco_to_ls

    convert_coco_to_ls(str(written / LABELS), str(tmp_path / 'tasks.json'), out_type='predictions')
    tasks = {Path(task['data']['image']).stem: task for task in json.loads((tmp_path / 'tasks.json').read_text())}
    assert tasks['walk_000000000004']['predictions'][0]['result'] == []
    marks = tasks['photo']['predictions'][0]['result']
    assert [mark['type'] for mark in marks] == ['rectanglelabels', *['keypointlabels'] * len(COCO17.keypoints)]


@needs('pandas')
def test_the_lines_of_pandas_in_the_documentation(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(written)
    page = (REPOSITORY / 'docs/downstream.md').read_text()
    (code,) = (block for block in re.findall('```python\n(.*?)```', page, re.DOTALL) if 'long.csv' in block)
    names: dict = {}
    exec(code, names)
    assert names['frames']['walk.mp4'] == 5
    assert names['wrists'].columns.tolist() == [0]
    assert names['wrists'].index.dropna().tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    # Both tables say the same.
    wide = names['wide'].loc[('walk_000000000001', 0)]
    long = names['long'].query('frame == 1 and person == 0').set_index('keypoint')
    for name in OPENPOSE18.keypoints:
        for column in ('x', 'y', 'score'):
            np.testing.assert_equal(wide.loc[column, name], long.loc[name, column])
