"""Half precision and INT8: what they cost is measured, and too much is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor
from classicpose.inference.zoo import named_model
from custom_modules.configuration.loading import load_config
from custom_modules.deploy import precision
from custom_modules.deploy.precision import evaluate, export_smaller
from custom_modules.prediction import find_model


@pytest.fixture
def lite(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Config, Path]:
    """The shipped network, tested on two drawn images."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    monkeypatch.setattr(precision, '_CALIBRATION_IMAGES', 2)
    config, checkpoint = find_model(named_model('openpose_lite'))
    return load_config(
        config, ['test_dataloader.dataset.indices=2', 'val_dataloader.dataset.pipeline.1.height=96']
    ), checkpoint


@pytest.mark.parametrize(('kind', 'share'), [('half', 0.55), ('int8', 0.35)])
def test_a_smaller_file(lite: tuple[Config, Path], kind: str, share: float, tmp_path: Path) -> None:
    cfg, checkpoint = lite
    smaller = export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', kind, largest_loss=1.0)
    assert smaller.metric == 'coco/AP'
    model = MODELS.build(cfg.model)
    parameters = sum(weights.numel() for weights in model.parameters())
    assert smaller.exported.path.stat().st_size < share * 4 * parameters
    predict = Predictor(smaller.exported.path)
    photograph = REPOSITORY / 'docs/samples/astronaut.jpg'
    assert len(predict(photograph)) == len(Predictor('openpose_lite')(photograph)) == 1


def test_too_much_is_refused(lite: tuple[Config, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg, checkpoint = lite
    results = iter([('coco/AP', 0.5), ('coco/AP', 0.3)] * 2)
    monkeypatch.setattr(precision, 'evaluate', lambda *_: next(results))
    with pytest.raises(UserError, match=r'half costs 0\.2000 of coco/AP, from 0\.5000 to 0\.3000, more than 0\.01'):
        export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', 'half')
    assert not list(tmp_path.iterdir())
    assert export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', 'half', force=True).after == 0.3


def test_the_evaluation_is_the_tests(lite: tuple[Config, Path]) -> None:
    name, value = evaluate(lite[0], MODELS.build(lite[0].model).eval())
    assert name == 'coco/AP' and -1 <= value <= 1
