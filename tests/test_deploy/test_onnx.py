"""Every config's model as an ONNX file: its own checks, and predictions by it that are PyTorch's."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS
from shipped_configs import CONFIGS, REPOSITORY
from small_networks import shrink
from torch import nn

from classicpose.errors import UserError
from classicpose.networks.description import read_description
from classicpose.skeletons import COCO17
from custom_modules.configuration.loading import load_config
from custom_modules.datasets.transforms import ResizeToHeight
from custom_modules.deploy import export as onnx_export
from custom_modules.deploy.export import export
from custom_modules.deploy.network import onnx_estimator
from custom_modules.models import PoseMachineHead

LITE0 = REPOSITORY / 'configs/lite0_simcc_coco.py'
SIMPLE = REPOSITORY / 'configs/simplepose_coco.py'


def small(path: Path) -> Config:
    """A config with the same kinds of layers, fewer and narrower, and mirror images averaged in."""
    config = load_config(path)
    model, pipeline = config.model, config.test_dataloader.dataset.pipeline
    if 'stages' in model:
        del model.stages[2:]
    for network in model.get('stages', [model]):
        network.setdefault('backbone', copy.deepcopy(model.backbone))
        shrink(network.backbone, network.head)
        if 'stages' in model:
            shrink_crops(network)
    model.test_cfg = dict(model.get('test_cfg', {}), flip_test=True)
    for step in pipeline:
        if step.type is ResizeToHeight:
            step.height = 96
    if 'head' in model and model.head.type is PoseMachineHead:
        model.head.decoder.update(input_size=(96, 96), heatmap_size=(12, 12))
        pipeline[-2].input_size = (96, 96)
    return config


def shrink_crops(stage: ConfigDict, size: int = 64) -> None:
    stage.input_size = size
    stage.head.decoder.input_size = (size, size)
    if 'in_featuremap_size' in stage.head:
        stage.head.update(input_size=(size, size), in_featuremap_size=(size // 16, size // 16))


def distinct(paths: Sequence[Path]) -> list:
    """Of configs with the same model the first, under the names of all."""
    names: dict[str, list[Path]] = {}
    for path in paths:
        names.setdefault(str(small(path).model.to_dict()), []).append(path)
    return [pytest.param(same[0], id=' '.join(str(path.stem) for path in same)) for same in names.values()]


def save(config: Config, folder: Path) -> Path:
    """A checkpoint of random weights."""
    torch.manual_seed(0)
    checkpoint = folder / 'random.pth'
    model = MODELS.build(config.model)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            # With PyTorch's own beginning a deep network's maps are flat, and rounding decides where a maximum is.
            nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return checkpoint


@pytest.fixture
def all_synthetic_data(
    generated_data: Path, generated_flic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All datasets that configs name, drawn."""
    entries = {entry.name: entry for folder in (generated_data, generated_flic) for entry in folder.iterdir()}
    for name, entry in entries.items():
        (tmp_path / name).symlink_to(entry)
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))


@pytest.mark.parametrize('path', distinct(CONFIGS))
def test_predictions_are_pytorchs(path: Path, all_synthetic_data: None, tmp_path: Path) -> None:
    config = small(path)
    checkpoint = save(config, tmp_path)
    exported = export(config, checkpoint, tmp_path / 'made/network.onnx')
    assert exported.difference <= 1e-4

    by_torch = MODELS.build(config.model).eval()
    by_torch.load_state_dict(torch.load(checkpoint)['state_dict'])
    by_onnx = onnx_estimator(config, exported.path)
    assert not list(by_onnx.parameters())
    loader = config.test_dataloader
    loader.dataset.pop('indices', None)
    dataset = DATASETS.build(loader.dataset)
    data = pseudo_collate([dataset[index] for index in range(3)])
    with torch.no_grad():
        results = [model.test_step(data) for model in (by_torch, by_onnx)]
        results = [[sample.cpu().numpy().to_dict() for sample in samples] for samples in results]
    for expected, found in zip(*results, strict=True):
        if 'pred_fields' in expected:
            for name in ('heatmaps', 'pafs'):
                maps = expected['pred_fields'][name]
                np.testing.assert_allclose(found['pred_fields'][name], maps, atol=1e-4 * np.abs(maps).max())
            continue  # people are decoded from these maps; in random ones rounding decides who is whose
        for name in ('keypoints', 'keypoint_scores'):
            same = np.isclose(found['pred_instances'][name], expected['pred_instances'][name], rtol=1e-3)
            assert same.mean() > 0.9, name  # of two equal maxima rounding decides which is the highest


@pytest.fixture(scope='module')
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Path]:
    """A config and the file it became."""
    folder = tmp_path_factory.mktemp('exported')
    config = small(LITE0)
    return config, export(config, save(config, folder), folder / 'lite0.onnx').path


def test_the_file_tells_how_to_use_it(exported: tuple[Config, Path]) -> None:
    session = onnxruntime.InferenceSession(str(exported[1]), providers=['CPUExecutionProvider'])
    told = read_description(session.get_modelmeta().custom_metadata_map, exported[1])
    assert (told.name, told.model, told.kind, told.channels) == (
        'lite0_simcc_coco', 'TopdownPoseEstimator', 'single-person', 'RGB',
    )  # fmt: skip
    assert told.mean == (127, 127, 127) and told.std == (128, 128, 128)
    assert told.skeleton == COCO17
    assert told.window == dict(size=[192, 256], padding=1.25)
    assert told.decoder == dict(codec='SimCCLabel', split_ratio=2.0)
    assert {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())} == {
        'inputs': ['batch', 3, 256, 192], 'simcc_x': ['batch', 17, 384], 'simcc_y': ['batch', 17, 512],
    }  # fmt: skip


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['model.data_preprocessor.std=[1.0,1.0,1.0]'], 'its std is'),
        (['model.head.simcc_split_ratio=3.0'], 'simcc_x are'),
        (['model.head.out_channels=16'], 'simcc_x are'),
    ],
)
def test_a_file_of_another_model(exported: tuple[Config, Path], options: list[str], message: str) -> None:
    with pytest.raises(UserError, match=f'lite0_simcc_coco.*another model.*{message}'):
        onnx_estimator(load_config(LITE0, options), exported[1])


def test_a_file_of_another_kind(exported: tuple[Config, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\['simcc_x', 'simcc_y'\], not \['inputs'\] to \['heatmaps'\]"):
        onnx_estimator(small(SIMPLE), exported[1])
    with pytest.raises(UserError, match='none.onnx does not exist'):
        onnx_estimator(exported[0], tmp_path / 'none.onnx')
    (tmp_path / 'cut.onnx').write_bytes(exported[1].read_bytes()[:1000])
    with pytest.raises(UserError, match='cut.onnx is not a network'):
        onnx_estimator(exported[0], tmp_path / 'cut.onnx')


def test_nothing_is_written_unless_the_check_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small(LITE0)
    checkpoint = save(config, tmp_path)
    monkeypatch.setattr(onnx_export, 'run_on_tensors', lambda session, inputs: [torch.ones(1), torch.ones(1)])
    with pytest.raises(UserError, match='nothing was written'):
        export(config, checkpoint, tmp_path / 'network.onnx')
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_checkpoints_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'none.pth does not exist'):
        export(load_config(LITE0), tmp_path / 'none.pth', tmp_path / 'network.onnx')
    checkpoint = save(small(SIMPLE), tmp_path)
    with pytest.raises(UserError, match='does not fit this config'):
        export(load_config(LITE0), checkpoint, tmp_path / 'network.onnx')
    with pytest.raises(UserError, match=r'does not end in \.onnx'):
        export(load_config(SIMPLE), checkpoint, checkpoint)
    assert list(tmp_path.iterdir()) == [checkpoint]
