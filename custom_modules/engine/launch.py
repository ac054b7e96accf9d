"""What the command lines do: a config file and a few options in, a training or a test run out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config

from classicpose.errors import UserError, local_rank, make_folder

from ..configuration.explain import explained_config_errors
from ..configuration.loading import load_config
from .checkpoints import CheckpointMatchHook, check_checkpoint_file
from .mixed_precision import BFloat16OptimWrapper, set_precision
from .outputs import add_dump, add_images, prepare_file, write_metrics
from .processes import connect_processes, disconnect_processes
from .resuming import RESUME_LATEST, keep_a_complete_checkpoint, set_resume
from .runner import PoseRunner
from .stages import stage_configs

_TRAINING = ('train_dataloader', 'train_cfg', 'optim_wrapper')
_VALIDATION = ('val_dataloader', 'val_cfg', 'val_evaluator')


def train(
    config: str | Path,
    *,
    work_dir: str | Path | None = None,
    resume: str | Path | None = None,
    amp: bool = False,
    validate: bool = True,
    options: Sequence[str] = (),
    launcher: str = 'none',
) -> None:
    """Train the model of a config file.

    Args:
        work_dir: where checkpoints and logs go; by default ``work_dirs/<name of the config>``.
        resume: a checkpoint, or ``RESUME_LATEST`` for the latest one in the work dir.
        options: ``key=value`` settings that override the config.

    Raises:
        UserError: where the config, an option or a file it names is wrong.
    """
    cfg = load_config(config, options)
    with explained_config_errors(cfg):
        _require(cfg, config, *_TRAINING)
        cfg.work_dir = _work_dir(cfg, work_dir)
        if not validate:
            cfg.update(dict.fromkeys(_VALIDATION))
        set_precision(cfg, amp)
        keep_a_complete_checkpoint(cfg)
        connect_processes(cfg, launcher)
        if cfg.get('train_stages'):
            _train_stages(cfg, resume, validate)
        else:
            train_once(cfg, resume)
        disconnect_processes()


def _train_stages(cfg: Config, resume: str | Path | None, validate: bool) -> None:
    if resume not in (None, RESUME_LATEST):
        raise UserError(f'--resume {resume}: a cascade finds its checkpoint itself; give --resume alone')
    if not validate:
        raise UserError('a cascade learns from its errors on validation people: leave out --no-validate')
    finished = True
    for stage in stage_configs(cfg, resume=bool(resume)):
        finished = False
        train_once(stage, resume)
    if finished and local_rank() == 0:
        print(f'all stages in {cfg.work_dir} are finished')


def train_once(cfg: Config, resume: str | Path | None) -> None:
    """One run, from the beginning or resumed."""
    torch.backends.cuda.matmul.allow_tf32 = True  # as convolutions have it by default
    if resume:
        set_resume(cfg, resume)
    runner = build_runner(cfg)
    if cfg.get('resume') and cfg.get('load_from'):
        runner.register_hook(CheckpointMatchHook(cfg.load_from))
    with explained_config_errors(cfg):
        runner.train()
    if 'after_train_iter' in runner.worked:
        return
    if not cfg.get('resume'):
        raise UserError(f'no iteration was trained, train_cfg asks for none: {dict(cfg.train_cfg)}')
    if local_rank() == 0:
        runner.logger.info(
            f'this training is finished, after {runner.epoch} epochs and {runner.iter} iterations: '
            'for more set train_cfg.max_epochs or train_cfg.max_iters'
        )


def test(
    config: str | Path,
    checkpoint: str | Path,
    *,
    work_dir: str | Path | None = None,
    out: str | Path | None = None,
    dump: str | Path | None = None,
    show_dir: str | Path | None = None,
    show_maps: bool = False,
    options: Sequence[str] = (),
    launcher: str = 'none',
) -> dict[str, float]:
    """Score a checkpoint on the test set of a config file.

    Args:
        out: write the metrics to this JSON file.
        dump: write every prediction to this pickle file.
        show_dir: draw the predictions into this folder, with ``show_maps`` also what the network
            puts out.

    Returns:
        The metrics by name.

    Raises:
        UserError: where the config, the checkpoint, an option or a file they name is wrong.
    """
    cfg = load_config(config, options)
    with explained_config_errors(cfg):
        _require(cfg, config, 'test_dataloader', 'test_cfg', 'test_evaluator')
        check_checkpoint_file(checkpoint)
        cfg.work_dir = _work_dir(cfg, work_dir)
        cfg.load_from, cfg.resume = str(checkpoint), False
        remove_training(cfg)
        if cfg.model.get('test_cfg', {}).get('output_maps'):
            cfg.model.test_cfg.output_maps = False  # validation draws them; in a dump they would weigh gigabytes
        if dump:
            add_dump(cfg, dump)
        if show_dir:
            add_images(cfg, show_dir, show_maps)
        if out:
            prepare_file(Path(out))
        connect_processes(cfg, launcher)
        runner = build_runner(cfg)
        runner.register_hook(CheckpointMatchHook(checkpoint))
        metrics = runner.test()
        if out:
            write_metrics(metrics, out)
        del runner
    disconnect_processes()
    return metrics


def build_runner(cfg: Config) -> PoseRunner:
    """The runner of a config.

    Raises:
        UserError: when the config asks for something that does not exist.
    """
    with explained_config_errors(cfg):
        runner = PoseRunner.from_cfg(cfg)
    if not torch.cuda.is_available():
        mixed = (cfg.get('optim_wrapper') or {}).get('type') == BFloat16OptimWrapper.__name__
        if mixed and torch.backends.cpu.get_cpu_capability() == 'AVX2':  # it emulates bfloat16
            runner.logger.warning('this CPU has no bfloat16 instructions: training is faster without --amp')
    return runner


def remove_training(cfg: Config) -> None:
    """Leave only what a test needs, so that nothing else of the config can stop it."""
    cfg.update(dict.fromkeys((*_TRAINING, *_VALIDATION, 'param_scheduler', 'auto_scale_lr')))


def _work_dir(cfg: Config, given: str | Path | None) -> str:
    return str(make_folder(given or cfg.get('work_dir') or Path('work_dirs', Path(cfg.filename).stem)))


def _require(cfg: Config, path: str | Path, *keys: str) -> None:
    absent = [key for key in keys if cfg.get(key) is None]
    if absent:
        raise UserError(f'{path} has no {", ".join(absent)}')
