"""Training a cascade: one stage after another, each a run of its own that starts where the one before was best."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from mmpose.structures import PoseDataSample

from classicpose.files import write_whole
from classicpose.skeletons import Skeleton

from ..models.pose_estimators.deeppose import stacked_field
from .processes import agreed
from .resuming import seed_in, set_seed
from .wrapping import unwrapped

_FINISHED = 'finished'


@HOOKS.register_module()
class NextStageHook(Hook):
    """Fits a ``DeepPoseCascade`` to the validation people, on whom its stages were not trained.

    Before the training of a later stage the hook copies the weights of the stage before it, and measures the errors of
    the earlier stages. After each validation it chooses the stage's trust. The checkpoints hold all of this. Validation
    itself measures the stage with a trust of 1.
    """

    def __init__(self) -> None:
        self._training = False
        self._samples: list[PoseDataSample] = []

    def before_train(self, runner: Runner) -> None:
        """Let the last stage begin, if it has not."""
        self._training = True
        model = unwrapped(runner.model)
        if len(model.stages) < 2 or runner.iter:
            return
        model.copy_previous_stage()
        model.eval()
        predicted, samples = [], []
        with torch.no_grad():
            for batch in runner.val_loop.dataloader:
                data = model.data_preprocessor(batch)
                boxes = stacked_field(data['data_samples'], 'bboxes', data['inputs'])
                predicted.append(model.locate(data['inputs'], boxes, stages=len(model.stages) - 1)[-1])
                samples += data['data_samples']
        predicted, *truth = _of_all_processes(torch.cat(predicted), samples)
        model.measure_errors(predicted, *truth)
        spread = model.error_covariance.diagonal(dim1=1, dim2=2).mean(dim=1).sqrt()
        _log(runner, 'Errors of the stages before, standard deviation in torso diameters', model.skeleton, spread)

    def before_val_epoch(self, runner: Runner) -> None:
        """Trust the stage wholly while it is judged."""
        self._samples = []
        if self._training:
            unwrapped(runner.model).trust[-1] = 1

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[PoseDataSample] | None = None,
    ) -> None:
        """Remember where the stages locate people."""
        self._samples += outputs

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Choose the last stage's trust."""
        model = unwrapped(runner.model)
        if not self._training or len(model.stages) < 2:
            return
        stages = np.concatenate([sample.pred_instances.stage_keypoints for sample in self._samples])
        stages, *truth = _of_all_processes(torch.as_tensor(stages).to(model.trust), self._samples)
        *_, previous, found = stages.unbind(dim=1)
        model.fit_trust(previous, found, *truth)
        _log(runner, 'Trust in the last stage', model.skeleton, model.trust[-1])


def _of_all_processes(located: torch.Tensor, samples: Sequence[PoseDataSample]) -> list[torch.Tensor]:
    """Where people (N, ...) are located, their keypoints (N, K, 2), and which of these are labelled (N, K)."""
    own = [located, *(stacked_field(samples, name, located) for name in ('keypoints', 'keypoints_visible'))]
    parts = zip(*all_gather_object([values.cpu() for values in own]), strict=True)
    return [torch.cat(values).to(located.device) for values in parts]


def _log(runner: Runner, what: str, skeleton: Skeleton, values: torch.Tensor) -> None:
    text = ', '.join(f'{name} {value:.3f}' for name, value in zip(skeleton.keypoints, values.tolist(), strict=True))
    runner.logger.info(f'{what}: {text}')


def stage_configs(cfg: Config, resume: bool) -> Iterator[Config]:
    """The config of every stage that is still to be trained, when its turn comes.

    ``cfg.train_stages`` lists, for each stage, the settings that differ from the rest of the config. All stages have
    the seed of the first.

    Args:
        cfg: with ``work_dir``; stage s works in its folder ``stage_s``.
        resume: go on where the last run was; else from the beginning.
    """
    best = cfg.get('load_from')
    if not resume:
        agreed(lambda: [path.unlink() for path in Path(cfg.work_dir).glob(f'stage_*/{_FINISHED}')])
    for number, settings in enumerate(cfg.train_stages, start=1):
        stage = copy.deepcopy(cfg)
        stage.train_stages = None
        stage.work_dir = str(Path(cfg.work_dir, f'stage_{number}'))
        stage.model.stages = stage.model.stages[:number]
        stage.load_from = best
        stage.merge_from_dict(dict(settings))
        finished = Path(stage.work_dir, _FINISHED)
        if not agreed(finished.is_file):
            if number > 1:
                set_seed(stage, seed_in(best))
            yield stage
            agreed(functools.partial(_note_best, finished))
        best = agreed(finished.read_text)


def _note_best(finished: Path) -> None:
    write_whole(finished, lambda note: note.write_text(best_checkpoint(finished.parent)))


def best_checkpoint(work_dir: Path) -> str:
    """The best checkpoint of a finished run, or its last where no validation told which is best."""
    best = sorted(work_dir.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    return str(best[-1]) if best else (work_dir / 'last_checkpoint').read_text().strip()
