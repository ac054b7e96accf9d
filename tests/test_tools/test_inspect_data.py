"""Datasets described and checked through the command line: sound, broken and not there."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import tiny_run
from command_lines import TOOLS, only_error, run_tool
from shipped_configs import REPOSITORY

Tool = Callable[..., str]


@pytest.fixture
def tool(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """Runs the tool in this process; checks the exit status; returns what it printed or, with status 2, its error."""

    def run(*args: object, status: int = 0) -> str:
        monkeypatch.setattr('sys.argv', ['inspect_data.py', *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            runpy.run_path(str(TOOLS / 'inspect_data.py'), run_name='__main__')
        out, err = capsys.readouterr()
        assert stop.value.code == status, out + err
        return only_error(err) if status == 2 else out

    return run


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A config whose data may be spoilt: top-down, with MMPose's own dataset."""
    return tiny_run.write(tmp_path)


@pytest.fixture
def annotations(tiny: Path) -> Path:
    return tiny.parent / 'data/people.json'


def change(path: Path, **changes: object) -> None:
    """Change the first person of an annotation file."""
    contents = json.loads(path.read_text())
    contents['annotations'][0].update(changes)
    path.write_text(json.dumps(contents))


def drawn_config(folder: Path) -> Path:
    """The demonstration's config, beside its bases."""
    (folder / 'configs').symlink_to(REPOSITORY / 'configs')
    (folder / 'projects').symlink_to(REPOSITORY / 'projects')
    return folder / 'configs/demo/openpose_generated.py'


def test_sound_data_as_a_user_runs_it(generated_data: Path, tmp_path: Path) -> None:
    (tmp_path / 'data').symlink_to(generated_data)
    config = drawn_config(tmp_path)
    result = run_tool('inspect_data.py', config, '--top', 3, '--images', 'images', cwd=tmp_path)
    assert result.stderr == ''  # a bar belongs on a terminal only
    lines = result.stdout.splitlines()
    assert lines[0] == 'train: data/generated/annotations/person_keypoints_train2017.json'
    assert lines[1].split()[:2] == ['images', '24']
    assert sum(line.endswith('val2017.json') for line in lines) == 1  # val and test are the same
    assert lines[-1] == 'kinds of errors: 0, of warnings: 0'
    images = sorted((tmp_path / 'images').iterdir())
    ranks = [path.name.split('_')[:2] for path in images]
    assert ranks == [[split, number] for split in ('train', 'val') for number in ('01', '02', '03')]
    for path in images:
        original = cv2.imread(
            str(generated_data / f'generated/{path.name.split("_")[0]}2017/{path.name.split("_")[-1]}')
        )
        drawn = cv2.imread(str(path))
        assert drawn.shape == original.shape
        assert abs(drawn.astype(int) - original).max() > 100


def test_errors_and_warnings(tool: Tool, tiny: Path, annotations: Path) -> None:
    # The tiny config validates on what it trains on, and its areas are the boxes'.
    out = tool(tiny, '--no-images', status=1)
    assert 'error         4  images in both train and val, test: 1.jpg, 2.jpg, 3.jpg, 4.jpg' in out
    assert 'area is 1 of the box' in out
    assert 'kinds of errors: 1, of warnings: 4' in out

    only_train = ('--cfg-options', 'val_dataloader=None', 'test_dataloader=None')
    assert 'kinds of errors: 0, of warnings: 2' in tool(tiny, *only_train)
    change(annotations, num_keypoints=3)
    assert 'warning       1  people whose num_keypoints is not' in tool(tiny, *only_train)
    change(annotations, image_id=99)
    out = tool(tiny, *only_train, status=1)
    assert 'error         1  annotations whose image_id is not among the images: 1' in out
    assert 'malformed, left out          1' in out


def test_broken_images(tool: Tool, tiny: Path) -> None:
    images = tiny.parent / 'data/images'
    (images / '1.jpg').unlink()
    (images / '2.jpg').write_bytes((images / '2.jpg').read_bytes()[:1000])
    out = tool(tiny, '--split', 'train', '--images', tiny.parent / 'drawn', status=1)
    assert f'error         1  images that do not exist: {images}/1.jpg' in out
    assert f'error         1  images that do not open: {images}/2.jpg is a truncated JPEG' in out
    assert out.count('not drawn: image') == 2
    assert len(list((tiny.parent / 'drawn').iterdir())) == 2
    assert 'do not open' not in tool(tiny, '--split', 'train', '--no-images', status=1)


def test_files_that_cannot_be_loaded_are_errors_without_a_traceback(tool: Tool, tiny: Path, annotations: Path) -> None:
    text = annotations.read_text()
    annotations.write_text(text[: len(text) // 2])
    out = tool(tiny, status=1)
    assert 'files that are not readable JSON' in out
    assert str(annotations) in out
    assert 'datasets that could not be compared with the others: train, val, test' in out
    annotations.write_text(text)
    contents = json.loads(text)
    del contents['annotations'][0]['id'], contents['annotations'][1]['area']
    annotations.write_text(json.dumps(contents))
    out = tool(tiny, status=1)
    for message in ('annotations without "id"', 'annotations without "area"', 'datasets that do not load: KeyError'):
        assert message in out


def test_an_asked_split_is_compared_with_the_others_where_they_are(tool: Tool, tiny: Path) -> None:
    out = tool(tiny, '--split', 'val', '--no-images', status=1)
    assert 'train: ' not in out
    assert 'images in both train and val, test' in out
    gone = ('--cfg-options', 'val_dataloader.dataset.ann_file=none.json', 'test_dataloader=None')
    out = tool(tiny, '--split', 'train', '--no-images', *gone)
    assert 'datasets that could not be compared with the others: val (annotation file' in out
    assert 'none.json does not exist' in tool(tiny, '--split', 'val', *gone, status=2)


def test_mistakes(tool: Tool, tiny: Path, annotations: Path, tmp_path: Path) -> None:
    assert tool('none.py', status=2) == 'config none.py does not exist'
    misspelt = ('--cfg-options', 'train_dataloader.dataset.anfile=x')
    assert 'did you mean ann_file' in tool(tiny, *misspelt, status=2)
    assert 'no dataset in test_dataloader' in tool(
        tiny, '--split', 'test', '--cfg-options', 'test_dataloader=None', status=2
    )
    assert 'cannot make the folder' in tool(tiny, '--images', tiny / 'inside', status=2)
    (tmp_path / 'empty').mkdir()
    empty = ('--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}/empty')
    message = tool(tiny, '--split', 'train', *empty, status=2)
    assert message.startswith(f'annotation file {tmp_path}/empty/people.json does not exist; put the dataset there')
    folder = tool(tiny, '--split', 'train', '--cfg-options', 'train_dataloader.dataset.ann_file=.', status=2)
    assert 'is a folder' in folder


def test_one_missing_data_set_does_not_hide_the_others(tool: Tool, tiny: Path, tmp_path: Path) -> None:
    out = tool(tiny, '--cfg-options', f'train_dataloader.dataset.data_root={tmp_path}/empty', status=1)
    assert f'datasets that cannot be read: train (annotation file {tmp_path}/empty/people.json does not exist' in out
    assert 'val, test: ' in out


def test_wrong_settings_of_a_dataset(tool: Tool, tiny: Path) -> None:
    tiny.write_text(tiny.read_text().replace('type=CocoDataset, data_root', 'type=CocoDataset, indicies=3, data_root'))
    assert 'CocoDataset takes no indicies: did you mean indices' in tool(tiny, status=2)


@pytest.mark.real_data
def test_genuine_flic(tool: Tool, real_flic: Path) -> None:
    """Two images have people of both splits, as FLIC's users know; nothing else is wrong."""
    roots = [f'{split}_dataloader.dataset.data_root={real_flic}/' for split in ('train', 'val', 'test')]
    out = tool(REPOSITORY / 'configs/deeppose_flic_resnet18.py', '--no-images', '--cfg-options', *roots)
    assert (
        'warning       2  images in both train and test, with different people: '
        'collateral-disc1-00080111.jpg, funny-girl-dvd-video-00184641.jpg'
    ) in out
    assert 'kinds of errors: 0, of warnings: 1' in out
