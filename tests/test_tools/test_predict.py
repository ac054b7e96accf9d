"""The prediction command, as a user runs it: images, a video, mistakes, Ctrl-C."""

from __future__ import annotations

import csv
import json
import os
import pickle
import re
import runpy
import shutil
import signal
import subprocess
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from command_lines import TOOLS, command, only_error, run_tool
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from classicpose.inference.zoo import named_model
from classicpose.networks.description import KEY
from classicpose.video import open_video
from custom_modules.configuration.loading import load_config

CONFIGS = REPOSITORY / 'configs/demo'
SIZE = (64, 48)  # of the images, w and h


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Checkpoints of random weights, three images, a video of six frames and boxes."""
    folder = tmp_path_factory.mktemp('predict')
    torch.manual_seed(0)
    for name in ('openpose', 'resnet18_regression'):
        model = MODELS.build(load_config(CONFIGS / f'{name}_generated.py').model)
        torch.save(dict(state_dict=model.state_dict(), meta=dict()), folder / f'{name}.pth')
    rng = np.random.default_rng(0)
    (folder / 'images').mkdir()
    for name in ('a', 'b', 'c'):
        cv2.imwrite(str(folder / f'images/{name}.png'), rng.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8))
    video = cv2.VideoWriter(str(folder / 'walk.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 5.0, SIZE)
    for _ in range(6):
        video.write(rng.integers(0, 255, (*SIZE[::-1], 3), dtype=np.uint8))
    video.release()
    boxes = [dict(file_name='a.png', bbox=[0, 0, 20, 40], score=0.5), dict(file_name='a.png', bbox=[30, 0, 20, 40])]
    (folder / 'boxes.json').write_text(json.dumps(boxes))
    return folder


def predict(folder: Path, model: str, *args: object, status: int = 0) -> subprocess.CompletedProcess:
    return run_tool(
        'predict.py', CONFIGS / f'{model}_generated.py', folder / f'{model}.pth', *args, cwd=folder, status=status
    )


@pytest.mark.parametrize('option', ['write_coco_json', 'write_pyskl', 'write_controlnet'])
def test_formats_without_the_network_s_keypoints_are_refused_before_the_first_image(
    option: str, tmp_path: Path
) -> None:
    network = onnx.load(named_model('openpose_lite').onnx_path)
    described = json.loads(network.metadata_props[0].value)
    described['skeleton'].update(name='net', keypoints=[f'knot{number}' for number in range(18)], midpoints={})
    onnx.helper.set_model_props(network, {KEY: json.dumps(described)})
    onnx.save(network, tmp_path / 'net.onnx')
    (tmp_path / 'image.jpg').touch()  # no image: to read it would be another error
    result = run_tool('predict.py', 'net.onnx', 'image.jpg', f'--{option}', 'out', cwd=tmp_path, status=2)
    assert re.match("the body model 'net' has no keypoint in common.*write CSV instead", only_error(result.stderr))
    assert not (tmp_path / 'out').exists()


def test_images_to_every_kind_of_file(folder: Path, tmp_path: Path) -> None:
    out = dict(
        write_images='i', write_json='j', write_heatmaps='h', write_maps='m', write_controlnet='c', write_dlc_csv='d'
    )
    flags = [word for option, name in out.items() for word in (f'--{option}', tmp_path / name)]
    files = ['--write_coco_json', tmp_path / 'coco.json', '--write_csv', tmp_path / 'people.csv']
    files += ['--write_video', tmp_path / 'all.mp4', '--write_long_csv', tmp_path / 'long.csv']
    files += ['--write_coco_dataset', tmp_path / 'labels.json', '--write_pyskl', tmp_path / 'action.pkl']
    predict(folder, 'openpose', 'images', *flags, *files, '--part_candidates', '--net_resolution', '-1x64')
    assert {path.name for path in (tmp_path / 'i').iterdir()} == {f'{name}_rendered.png' for name in 'abc'}
    assert {path.name for path in (tmp_path / 'h').iterdir()} == {
        f'{name}_{kind}.jpg' for name in 'abc' for kind in ('heatmaps', 'pafs')
    }
    assert {path.name for path in (tmp_path / 'm').iterdir()} == {f'{name}_maps.npz' for name in 'abc'}
    for name in 'abc':
        contents = json.loads((tmp_path / f'j/{name}_keypoints.json').read_text())
        assert contents['version'] == 1.3
        assert len(contents['part_candidates'][0]) == 18
    assert isinstance(json.loads((tmp_path / 'coco.json').read_text()), list)
    labels = json.loads((tmp_path / 'labels.json').read_text())
    assert [Path(image['file_name']) for image in labels['images']] == [folder / f'images/{name}.png' for name in 'abc']
    assert [sample['total_frames'] for sample in pickle.loads((tmp_path / 'action.pkl').read_bytes())] == [3]
    assert {path.name for path in (tmp_path / 'c').iterdir()} == {'frames.json'} | {
        f'{name}_controlnet.{ending}' for name in 'abc' for ending in ('json', 'png')
    }
    assert [path.name for path in (tmp_path / 'd').iterdir()] == ['images.csv']
    for name in ('people', 'long'):
        with open(tmp_path / f'{name}.csv', newline='') as file:
            assert {row['file'] for row in csv.DictReader(file)} == {f'images/{image}.png' for image in 'abc'}
    assert cv2.VideoCapture(str(tmp_path / 'all.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_boxes_of_single_people(folder: Path, tmp_path: Path) -> None:
    args = ['images', '--boxes', 'boxes.json', '--write_csv', tmp_path / 'people.csv', '--number_people_max', 5]
    predict(folder, 'resnet18_regression', *args)
    *rows, b, c = csv.DictReader((tmp_path / 'people.csv').open())
    assert (b['name'], b['person'], c['name'], c['person']) == ('b', '', 'c', '')
    assert [(row['name'], float(row['x1']), float(row['x2'])) for row in rows] == [('a', 0, 20), ('a', 30, 50)]
    assert [float(row['person_score']) for row in rows] == [0.5, 1]  # coordinates have no scores of their own


def test_video_is_drawn_tracked_and_as_long_as_it_was(folder: Path, tmp_path: Path) -> None:
    args = ['walk.avi', '--out-dir', tmp_path, '--write_json', tmp_path / 'json', '--smoothing']
    predict(folder, 'resnet18_regression', *args, '--frame_first', 1, '--frame_last', 5, '--frame_step', 2)
    names = sorted(path.name for path in (tmp_path / 'json').iterdir())
    assert names == [f'walk_{number:012d}_keypoints.json' for number in (1, 3, 5)]
    for name in names:
        (person,) = json.loads((tmp_path / 'json' / name).read_text())['people']
        assert person['person_id'] != [-1]
    video = cv2.VideoCapture(str(tmp_path / 'walk_rendered.mp4'))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 3
    assert video.get(cv2.CAP_PROP_FPS) == 2.5
    assert (video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)) == SIZE


def test_a_broken_image_costs_only_itself(folder: Path, tmp_path: Path) -> None:
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/bad.png').write_bytes(b'no image')
    (tmp_path / 'in/good.png').write_bytes((folder / 'images/a.png').read_bytes())
    result = predict(folder, 'openpose', tmp_path / 'in', '--write_json', tmp_path / 'out', status=2)
    message = only_error(result.stderr)
    assert 'left out 1 of the images' in message
    assert 'bad.png' in message
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['good_keypoints.json']


def test_the_models_that_have_a_name(folder: Path, tmp_path: Path) -> None:
    """They are listed, and one finds the sample's person and nobody in noise, which is no error."""
    table = run_tool('predict.py', '--list', cwd=tmp_path).stdout
    assert all(name in table for name in ('openpose_lite', 'openpose_coco', 'lightweight_openpose'))
    sample = REPOSITORY / 'docs/samples/baseball_1888.jpg'
    run_tool('predict.py', 'openpose_lite', sample, folder / 'images', '--write_json', 'out', cwd=tmp_path)
    found = {
        path.name.removesuffix('_keypoints.json'): len(json.loads(path.read_text())['people'])
        for path in (tmp_path / 'out').iterdir()
    }
    assert found == {'baseball_1888': 1, 'a': 0, 'b': 0, 'c': 0}


def in_this_process(monkeypatch: pytest.MonkeyPatch, folder: Path, *args: object) -> int | str | None:
    """The exit status of the tool, all of whose libraries are here already."""
    monkeypatch.setattr('sys.argv', ['predict.py', *map(str, args)])
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(TOOLS / 'predict.py'), run_name='__main__')
    return left.value.code


@pytest.mark.parametrize(
    ('inputs', 'output', 'over'),
    [
        (['walk.avi'], ['--write_video', 'walk.avi'], 'walk.avi'),
        (['walk.avi'], ['--write_video', './deep/../walk.avi'], 'walk.avi'),
        (['walk.avi'], ['--write_video', 'deep/soft.avi'], 'walk.avi'),
        (['deep/soft.avi'], ['--write_video', 'walk.avi'], 'deep/soft.avi'),
        (['walk.avi'], ['--write_video', 'deep/hard.avi'], 'walk.avi'),
        (['walk.avi'], ['--write_csv', 'walk.avi'], 'walk.avi'),
        (['.'], ['--write_coco_json', 'a.png'], './a.png'),
        (['a.png', 'a_rendered.png'], ['--out-dir', 'deep/..'], 'a_rendered.png'),
        (['a.png', 'a_rendered.png'], ['--write_images', '.'], 'a_rendered.png'),
        (['a.png', 'a_heatmaps.jpg'], ['--write_heatmaps', '.'], 'a_heatmaps.jpg'),
        (['walk.avi', 'walk_rendered.mp4'], ['--out-dir', '.'], 'walk_rendered.mp4'),
        (['walk.avi', 'walk_000000000003_rendered.png'], ['--write_images', '.'], 'walk_000000000003_rendered.png'),
        (['a.png', '--boxes', 'boxes.json'], ['--write_coco_json', 'boxes.json'], 'boxes.json'),
    ],
)
def test_inputs_are_not_written_over(
    inputs: list[str],
    output: list[str],
    over: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    (tmp_path / 'deep').mkdir()
    for name in ('walk.avi', 'walk_rendered.mp4'):
        shutil.copy(folder / 'walk.avi', tmp_path / name)
    for name in ('a.png', 'a_rendered.png', 'a_heatmaps.jpg', 'walk_000000000003_rendered.png'):
        shutil.copy(folder / 'images/a.png', tmp_path / name)
    shutil.copy(folder / 'boxes.json', tmp_path)
    (tmp_path / 'deep/soft.avi').symlink_to('../walk.avi')
    os.link(tmp_path / 'walk.avi', tmp_path / 'deep/hard.avi')
    before = {path: path.read_bytes() for path in tmp_path.rglob('*.*')}
    # The networks are not there: what would be lost is told before anything is loaded.
    assert in_this_process(monkeypatch, tmp_path, 'none.onnx', *inputs, *output) == 2
    assert f'would be written over the input {over}: give another' in only_error(capsys.readouterr().err)
    assert {path: path.read_bytes() for path in tmp_path.rglob('*.*')} == before


def test_files_beside_the_inputs_are_no_inputs(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The second time, too."""
    for name in ('a.png', 'a_rendered.png'):
        shutil.copy(folder / 'images/a.png', tmp_path / name)
    shutil.copy(folder / 'walk.avi', tmp_path / 'a_rendered.mp4')
    args = ('none.onnx', 'a.png', 'a_rendered.mp4', '--out-dir', '.')
    assert in_this_process(monkeypatch, tmp_path, *args) == 2
    assert 'none.onnx' in only_error(capsys.readouterr().err)


def test_names_that_are_no_text_and_names_like_protocols(folder: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b'Gr\xf6\xdfe')
    (tmp_path / 'in').mkdir()
    shutil.copy(folder / 'images/a.png', tmp_path / f'in/{odd}.png')
    shutil.copy(folder / 'walk.avi', tmp_path / '10:30:00.avi')
    shutil.copy(folder / 'walk.avi', tmp_path / f'{odd}.avi')
    model = [CONFIGS / 'resnet18_regression_generated.py', folder / 'resnet18_regression.pth']
    outputs = ['--write_csv', 'p.csv', '--write_coco_json', 'c.json', '--out-dir', f'out_{odd}', '--write_json', 'j']
    outputs += ['--write_video', '09:00.mp4']
    result = run_tool('predict.py', *model, 'in', '10:30:00.avi', f'{odd}.avi', *outputs, cwd=tmp_path)
    names = [row['name'] for row in csv.DictReader((tmp_path / 'p.csv').open(encoding='utf-8'))]
    assert len(names) == 1 + 6 + 6
    assert names[0] == r'Gr\udcf6\udcdfe'
    entries = json.loads((tmp_path / 'c.json').read_text())
    assert {entry['image_id']: entry['name'] for entry in entries}[1] == odd
    assert len({entry['image_id'] for entry in entries}) == 13
    assert 'image_id counts the images' in result.stderr
    assert len(list((tmp_path / 'j').iterdir())) == 13
    drawn = {f'{odd}_rendered.png', '10:30:00_rendered.mp4', f'{odd}_rendered.mp4'}
    assert {path.name for path in (tmp_path / f'out_{odd}').iterdir()} == drawn
    assert open_video(str(tmp_path / f'out_{odd}/{odd}_rendered.mp4')).length == 6
    assert open_video(str(tmp_path / '09:00.mp4')).length == 13


@pytest.mark.parametrize(
    ('model', 'args', 'words'),
    [
        ('openpose', ['nowhere.jpg', '--out-dir', 'o'], ['nowhere.jpg does not exist']),
        ('openpose', ['images', '--out-dir', 'o', '--boxes', 'boxes.json'], ['finds people by itself', 'boxes']),
        (
            'resnet18_regression',
            ['images', '--out-dir', 'o', '--boxes', 'none.json'],
            ['none.json', 'cannot be read'],
        ),
        (
            'resnet18_regression',
            ['images/b.png', '--write_csv', os.devnull, '--boxes', 'boxes.json'],
            ['boxes.json names none of the images; it names a.png'],
        ),
        ('resnet18_regression', ['images', '--write_maps', 'o'], ['single-person network', 'leave out maps']),
        (
            'resnet18_regression',
            ['images', '--out-dir', 'o', '--boxes', 'detector', '--detector_weights', 'boxes.json'],
            ['boxes.json is not a readable file of weights'],
        ),
    ],
)
def test_mistakes(
    model: str,
    args: list[str],
    words: list[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    """In this process, which has imported all already."""
    line = [CONFIGS / f'{model}_generated.py', folder / f'{model}.pth', *args]
    assert in_this_process(monkeypatch, folder, *line) == 2
    message = only_error(capsys.readouterr().err)
    assert all(word in message for word in words), message
    assert not (folder / 'o').exists()


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        ([], 'nothing to write'),
        (['--out-dir', 'o', '--net_resolution', '-1x-1'], "'-1x-1' is no size"),
        (['--out-dir', 'o', '--number_people_max', '0'], "'0' is not a whole number"),
        (['--out-dir', 'o', '--part_candidates'], '--part_candidates needs --write_json'),
    ],
)
def test_impossible_options(args: list[str], words: str, folder: Path) -> None:
    assert words in predict(folder, 'openpose', 'images', *args, status=2).stderr


def test_interrupted_files_are_whole(folder: Path, tmp_path: Path) -> None:
    """Ctrl-C in the middle of a long input leaves whole JSON, a table and a playable video."""
    video = cv2.VideoWriter(str(tmp_path / 'long.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 5.0, SIZE)
    for _ in range(3000):
        video.write(np.zeros((*SIZE[::-1], 3), np.uint8))
    video.release()
    args = [
        'long.avi',
        '--out-dir',
        'o',
        '--write_json',
        'o/json',
        '--write_coco_json',
        'o/coco.json',
        '--batch_size',
        1,
    ]
    line = command(
        'predict.py', CONFIGS / 'resnet18_regression_generated.py', folder / 'resnet18_regression.pth', *args
    )
    process = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while len(list(tmp_path.glob('o/json/*'))) < 5:
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert 'Traceback' not in stderr
    files = list(tmp_path.glob('o/json/*'))
    assert 5 <= len(files) < 3000
    for path in files:
        json.loads(path.read_text())
    assert len(json.loads((tmp_path / 'o/coco.json').read_text())) == len(files)
    assert cv2.VideoCapture(str(tmp_path / 'o/long_rendered.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == len(files)


def test_hands_without_their_network_are_explained(folder: Path, tmp_path: Path) -> None:
    said = predict(folder, 'openpose', 'images', '--write_json', tmp_path / 'j', '--hand', status=2)
    message = only_error(said.stderr)
    assert f'--hand: {folder / "hand.pth"} does not exist' in message
    assert '--hand_model CONFIG CHECKPOINT' in message
    assert not (tmp_path / 'j').exists()
