"""tools/browse_dataset.py and tools/plot_logs.py as a user runs them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from command_lines import TOOLS, only_error, run_tool


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Callable[..., str]:
    """Runs a tool's ``main`` in ``tmp_path``; expects status 2 and returns the error output."""

    def run(name: str, *args: object) -> str:
        spec = importlib.util.spec_from_file_location(name, TOOLS / f'{name}.py')
        tool = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tool)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, 'argv', [name, *map(str, args)])
        with pytest.raises(SystemExit) as stop:
            tool.main()
        assert stop.value.code == 2
        return capsys.readouterr().err

    return run


def test_a_file_for_each_sample_or_one_sheet(config: Path, tmp_path: Path) -> None:
    result = run_tool('browse_dataset.py', config, '--out-dir', 'deep/one', '--count', 3, cwd=tmp_path)
    assert 'deep/one: 3 of 4 samples' in result.stdout
    files = sorted(path.name for path in (tmp_path / 'deep/one').iterdir())
    # Image n is sample n - 1.
    assert len(files) == 3
    assert set(files) < {f'{index}_{index + 1}.jpg' for index in range(4)}
    tile = cv2.imread(str(tmp_path / 'deep/one' / files[0]))
    assert tile.shape[1] == 2 * 320  # the input, and the decoded targets

    run_tool('browse_dataset.py', config, '--out-dir', 'sheet', '--sheet', '--split', 'val', cwd=tmp_path)
    assert [path.name for path in (tmp_path / 'sheet').iterdir()] == ['sheet.jpg']
    assert cv2.imread(str(tmp_path / 'sheet/sheet.jpg')).shape[:2] == (2 * 344, 2 * 320)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.py'], 'config none.py does not exist'),
        (
            ['CONFIG', '--cfg-options', 'train_dataloader.dataset.ann_fil=other.json'],
            'train_dataloader.dataset (CocoDataset) has no ann_fil: did you mean ann_file',
        ),
        (['empty.py', '--split', 'test'], 'empty.py has no test_dataloader'),
        (['CONFIG', '--out-dir', 'file'], 'cannot make the folder file'),
    ],
)
def test_mistakes_in_browsing(
    arguments: list[str], message: str, config: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    (tmp_path / 'file').touch()
    (tmp_path / 'empty.py').touch()
    given = [str(config) if argument == 'CONFIG' else argument for argument in arguments]
    assert message in only_error(refused('browse_dataset', '--out-dir', 'images', *given))
    assert not (tmp_path / 'images').exists()


def test_numbers_out_of_range(config: Path, refused: Callable[..., str]) -> None:
    for option, value in (('--count', 0), ('--seed', -1)):
        assert f'{option} {value}: give' in refused('browse_dataset', config, '--out-dir', 'x', option, value)


def test_curves_of_a_real_run(trained: Path, tmp_path: Path) -> None:
    result = run_tool('plot_logs.py', trained, '--out', 'deep/curves.png', cwd=tmp_path)
    header, run, out = result.stdout.splitlines()
    cells = dict(zip(header.split(), run.replace('epoch ', '').split(), strict=True))
    # Two epochs of four images, one in a batch.
    assert cells['metric'] == 'coco/AP'
    assert cells['epochs'] == '2'
    assert cells['iterations'] == '8'
    assert float(cells['loss']) > 0
    assert out == 'deep/curves.png'
    assert cv2.imread(str(tmp_path / out)).std() > 10


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none'], 'none does not exist'),
        (['.'], '. has no logs; give a work dir'),
        (['WORK_DIR', '--keys', 'los'], '--keys los: no run logged it: did you mean loss'),
        (['WORK_DIR', '--out', 'curves.pdf'], '--out curves.pdf: give the name of a .png file'),
    ],
)
def test_mistakes_in_plotting(
    arguments: list[str], message: str, trained: Path, tmp_path: Path, refused: Callable[..., str]
) -> None:
    given = [str(trained) if argument == 'WORK_DIR' else argument for argument in arguments]
    assert message in only_error(refused('plot_logs', *given))
    assert not any(tmp_path.iterdir())
