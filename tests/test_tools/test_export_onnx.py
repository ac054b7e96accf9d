"""From a checkpoint to an ONNX file by the command line."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import torch
from command_lines import only_error, run_tool
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from classicpose.networks.description import read_description
from custom_modules.configuration.loading import load_config

CONFIG = REPOSITORY / 'configs/lite0_simcc_coco.py'


def test_export(tmp_path: Path) -> None:
    """The file lies beside the checkpoint, and what is printed of it is so."""
    checkpoint = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=MODELS.build(load_config(CONFIG).model).state_dict()), checkpoint)
    result = run_tool('export_onnx.py', CONFIG, checkpoint, cwd=tmp_path)
    path = tmp_path / 'epoch_1.onnx'
    assert sorted(tmp_path.iterdir()) == [path, checkpoint]
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        'in  inputs (batch, 3, 256, 192)',
        'out simcc_x (batch, 17, 384)',
        'out simcc_y (batch, 17, 512)',
    ]
    assert str(path) in lines[-1]
    assert result.stderr == ''
    onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])


def test_a_missing_checkpoint(tmp_path: Path) -> None:
    result = run_tool('export_onnx.py', CONFIG, 'none.pth', cwd=tmp_path, status=2)
    assert 'none.pth does not exist' in only_error(result.stderr)
    assert not list(tmp_path.iterdir())


def test_a_model_of_the_zoo(tmp_path: Path) -> None:
    """By its name, with its licence in the file."""
    run_tool('export_onnx.py', 'openpose_lite', cwd=tmp_path)
    path = tmp_path / 'openpose_lite.onnx'
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    told = read_description(session.get_modelmeta().custom_metadata_map, path)
    assert told.card['licence'] == 'Apache-2.0'
    assert 'person_keypoints_train2017' in told.card['trained_on']
