"""Training a cascade: one stage after another, each a run of its own that starts where the one before was best."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from .wrapping import unwrapped

_FINISHED = 'finished'


@HOOKS.register_module()
class NextStageHook(Hook):
    """Before a later stage of a :class:`DeepPoseCascade` is trained: lets it begin with the weights of the stage before
    it, and measures how wrong the stages before it are, on the validation people, whom they were not trained on.

    Both are in the checkpoints, so a resumed run does neither.
    """

    def before_train(self, runner) -> None:
        model = unwrapped(runner.model)
        if len(model.stages) < 2 or runner.iter:
            return
        model.copy_previous_stage()
        model.eval()
        predicted, keypoints, visible = [], [], []
        with torch.no_grad():
            for batch in runner.val_loop.dataloader:
                data = model.data_preprocessor(batch)
                people = [sample.gt_instances for sample in data['data_samples']]
                boxes = torch.as_tensor(np.concatenate([person.bboxes for person in people])).to(data['inputs'].device)
                predicted.append(model.locate(data['inputs'], boxes, stages=len(model.stages) - 1)[-1])
                keypoints += [person.keypoints[0] for person in people]
                visible += [person.keypoints_visible[0] for person in people]
        predicted = torch.cat(predicted)
        truth, counted = (torch.as_tensor(np.stack(values)).to(predicted) for values in (keypoints, visible))
        model.measure_errors(predicted, truth, counted)
        spread = model.error_covariance.diagonal(dim1=1, dim2=2).mean(dim=1).sqrt()
        text = ', '.join(f'{name} {value:.3f}' for name, value in zip(model.skeleton.keypoints, spread, strict=True))
        runner.logger.info(f'Errors of the stages before, standard deviation in torso diameters: {text}')


def stage_configs(cfg: Config, resume: bool) -> Iterator[Config]:
    """The config of every stage that is still to be trained, when its turn comes.

    ``cfg.train_stages`` lists, for each stage, the settings that differ from the rest of the config.

    Args:
        cfg: with ``work_dir``; stage s works in its folder ``stage_s``.
        resume: go on where the last run was; else from the beginning.
    """
    best = cfg.get('load_from')
    if not resume:
        for finished in Path(cfg.work_dir).glob(f'stage_*/{_FINISHED}'):
            finished.unlink()
    for number, settings in enumerate(cfg.train_stages, start=1):
        stage = copy.deepcopy(cfg)
        stage.train_stages = None
        stage.work_dir = str(Path(cfg.work_dir, f'stage_{number}'))
        stage.model.stages = stage.model.stages[:number]
        stage.load_from = best
        stage.merge_from_dict(dict(settings))
        finished = Path(stage.work_dir, _FINISHED)
        if not finished.is_file():
            yield stage
            finished.write_text(best_checkpoint(stage.work_dir))
        best = finished.read_text()


def best_checkpoint(work_dir: str) -> str:
    """The best checkpoint of a finished run, or its last where no validation told which is best."""
    best = sorted(Path(work_dir).glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    return str(best[-1]) if best else Path(work_dir, 'last_checkpoint').read_text().strip()
