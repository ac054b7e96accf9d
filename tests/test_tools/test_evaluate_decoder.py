"""Decoders on the real maps of a real network, where its file is; and its users' mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import only_error, run_tool


@pytest.fixture
def network(real_coco: Path) -> Path:
    path = real_coco.parent / 'paf_maps/mobilenet_v2_small_1x368x432.onnx'
    if not path.is_file():
        pytest.skip(f'needs {path.name} in data/paf_maps')
    return path


@pytest.mark.real_data
def test_the_default_on_real_maps(network: Path, real_coco: Path, tmp_path: Path) -> None:
    """Against what public decoders reach on the same maps: 11.2 (pytorch-openpose), 12.7 (lightweight)."""
    result = run_tool(
        'evaluate_decoder.py', network, real_coco, '--decoder', 'default', 'lightweight', cwd=tmp_path
    )  # fmt: skip
    ap = {line.split()[0]: float(line.split()[1]) for line in result.stdout.splitlines()[1:]}
    assert ap['default'] >= 17.0
    assert ap['lightweight'] == pytest.approx(12.7, abs=0.5)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['none.onnx', '.'], 'none.onnx does not exist'),
        (['broken.onnx', '.'], 'broken.onnx is not a network'),
        (['broken.onnx', '.', '--decoder', 'best'], 'choose from default'),
        (['broken.onnx', '.', '--set', 'peaks=3'], 'peak_threshold'),
    ],
)
def test_mistakes(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / 'broken.onnx').write_bytes(b'nothing')
    result = run_tool('evaluate_decoder.py', *arguments, cwd=tmp_path, status=2)
    assert message in only_error(result.stderr)
