"""The benchmark's command lines on small inputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_lines import only_error, run_tool
from shipped_configs import REPOSITORY

from classicpose.inference import zoo
from custom_modules.benchmark.runtime import measure_network


@pytest.mark.parametrize('what', ['targets', 'decode'])
def test_rows_for_numbers_of_people(what: str, tmp_path: Path) -> None:
    result = run_tool(
        'benchmark.py', what, '--people', 1, 3, '--repeats', 1, '--json', tmp_path / 'rows.json', cwd=tmp_path
    )
    contents = json.loads((tmp_path / 'rows.json').read_text())
    assert [row['people'] for row in contents['rows']] == [1, 3]
    assert contents['peak_memory'] > 0
    header, *lines = result.stdout.splitlines()
    assert 'ours ms' in header
    assert [line.split()[0] for line in lines[:2]] == ['1', '3']


def test_a_configs_loader_step_and_prediction(config: Path, tmp_path: Path) -> None:
    loader = run_tool('benchmark.py', 'loader', config, '--repeats', 3, cwd=tmp_path).stdout
    assert all(step in loader for step in ('LoadImage', 'PackPoseInputs', 'samples/s a core'))
    step = run_tool('benchmark.py', 'step', config, '--repeats', 1, cwd=tmp_path).stdout
    assert 'images/s' in step
    predict = run_tool('benchmark.py', 'predict', config, '--repeats', 2, cwd=tmp_path).stdout
    assert 'network' in predict


def test_networks_in_turn(tmp_path: Path) -> None:
    configs = [REPOSITORY / f'configs/demo/openpose{name}_generated.py' for name in ('', '_body25')]
    said = run_tool('benchmark.py', 'network', *configs, '--size', 64, 64, '--repeats', 1, cwd=tmp_path).stdout
    header, *rows = said.splitlines()
    assert 'images/s' in header
    assert [row.split()[0] for row in rows[:2]] == [config.stem for config in configs]


def test_a_network_with_pytorch_and_as_a_file() -> None:
    file = zoo.FOLDER / zoo.named_model('openpose_lite').onnx
    rows = measure_network('openpose_lite', [str(file)], repeats=1)
    assert [row['network'] for row in rows] == ['openpose_lite, PyTorch', file.name]
    assert all(row['images/s, 1 threads'] > 0 for row in rows)


@pytest.mark.parametrize(
    ('entry', 'message'), [('nobody=.', 'knows lightweight'), ('lightweight=nowhere', 'has no modules/keypoints.py')]
)
def test_baselines_that_are_not_there(entry: str, message: str, tmp_path: Path) -> None:
    result = run_tool('benchmark.py', 'decode', '--baseline', entry, cwd=tmp_path, status=2)
    assert message in only_error(result.stderr)
