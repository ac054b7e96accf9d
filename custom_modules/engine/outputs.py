"""What a test run writes: metrics, predictions, images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.dist import master_only
from mmengine.evaluator import DumpResults

from classicpose.errors import UserError, make_folder
from classicpose.files import write_whole

from .hooks.images import PredictionImageHook


def add_dump(cfg: Config, path: str | Path) -> None:
    """Write every prediction of the test run to a pickle file."""
    if Path(path).suffix not in ('.pkl', '.pickle'):
        raise UserError(f'--dump {path}: the file name must end in .pkl')
    prepare_file(Path(path))
    metrics = cfg.test_evaluator
    metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
    cfg.test_evaluator = [*metrics, dict(type=DumpResults.__name__, out_file_path=str(path))]


def add_images(cfg: Config, folder: str | Path, maps: bool) -> None:
    """Let the config's PredictionImageHook, or a new one, draw into ``folder``."""
    hooks = list(cfg.get('custom_hooks') or [])
    found = [hook for hook in hooks if hook.get('type') in (PredictionImageHook, PredictionImageHook.__name__)]
    if not found:
        found = [ConfigDict(type=PredictionImageHook)]
        hooks += found
    found[0].update(out_dir=str(Path(folder).resolve()), draw_maps=maps)
    cfg.custom_hooks = hooks
    if maps:
        # MMPose's own heads call their maps heatmaps.
        cfg.model.test_cfg = dict(cfg.model.get('test_cfg') or {}, output_maps=True, output_heatmaps=True)


def key_metric(cfg: Config, metrics: Mapping[str, float]) -> str:
    """Name of the metric by which a config's training knows its best checkpoint; of the first where it has none."""
    best = ((cfg.get('default_hooks') or {}).get('checkpoint') or {}).get('save_best')
    wanted = [best] if isinstance(best, str) else best or []
    return next((name for name in wanted if name in metrics), next(iter(metrics)))


@master_only
def write_metrics(metrics: dict[str, float], path: str | Path) -> None:
    """Write the metrics as JSON, in a file that appears complete or not at all."""
    contents = json.dumps(_plain(metrics), indent=2) + '\n'
    write_whole(Path(path), lambda unfinished: unfinished.write_text(contents))


def prepare_file(path: Path) -> None:
    """Find out before the work whether its result can be written."""
    if path.is_dir():
        raise UserError(f'{path} is a folder: give the name of a file')
    make_folder(path.parent)


def _plain(value: Any) -> Any:
    """Arrays as lists, and null for numbers that JSON does not know."""
    value = value.tolist() if hasattr(value, 'tolist') else value
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
