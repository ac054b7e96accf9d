"""What the command lines do: a config file and a few options in, a training or a test run out."""

from __future__ import annotations

import gc
import json
import math
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import master_only
from mmengine.evaluator import DumpResults
from mmengine.hooks import CheckpointHook
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from classicpose.errors import UserError, local_rank, make_folder
from classicpose.files import write_whole

from ..configuration.explain import explained_config_errors
from ..configuration.loading import load_config
from .checkpoints import CheckpointMatchHook, check_checkpoint_file, latest_checkpoint
from .hooks.images import PredictionImageHook
from .optim import BFloat16OptimWrapper, GuardedOptimWrapper
from .runner import PoseRunner
from .stages import stage_configs

RESUME_LATEST = 'auto'

_TRAINING = ('train_dataloader', 'train_cfg', 'optim_wrapper')
_VALIDATION = ('val_dataloader', 'val_cfg', 'val_evaluator')

# What each launcher must have set, and how to start under it.
_LAUNCHERS = {
    'pytorch': ('LOCAL_RANK', 'torchrun --nproc-per-node N tools/train.py ... --launcher pytorch'),
    'slurm': ('SLURM_PROCID', 'srun python tools/train.py ... --launcher slurm'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'mpirun python tools/train.py ... --launcher mpi'),
}


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
        if cfg.get('train_stages'):
            _train_stages(cfg, resume, validate, launcher)
        else:
            train_once(cfg, resume, launcher)
        disconnect_processes()


def _train_stages(cfg: Config, resume: str | Path | None, validate: bool, launcher: str) -> None:
    if resume not in (None, RESUME_LATEST):
        raise UserError(f'--resume {resume}: a cascade resumes by itself where it was; give --resume alone')
    if not validate:
        raise UserError('a cascade learns from its errors on validation people: leave out --no-validate')
    finished = True
    for stage in stage_configs(cfg, resume=bool(resume)):
        finished = False
        train_once(stage, resume, launcher)
    if finished and local_rank() == 0:
        print(f'all stages in {cfg.work_dir} were finished before')


def train_once(cfg: Config, resume: str | Path | None, launcher: str) -> None:
    """One run, from the beginning or resumed."""
    torch.backends.cuda.matmul.allow_tf32 = True  # as convolutions have it by default
    if resume:
        set_resume(cfg, resume)
    runner = build_runner(cfg, launcher)
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
            f'this training was finished before, after {runner.epoch} epochs and {runner.iter} iterations: '
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
            _prepare_file(Path(out))
        runner = build_runner(cfg, launcher)
        runner.register_hook(CheckpointMatchHook(checkpoint))
        metrics = runner.test()
        if out:
            write_metrics(metrics, out)
        del runner
    disconnect_processes()
    return metrics


def build_runner(cfg: Config, launcher: str = 'none') -> PoseRunner:
    """The runner of a config.

    Raises:
        UserError: when the config asks for something that does not exist, or the launcher's
            processes are not there.
    """
    connect_processes(cfg, launcher)
    with explained_config_errors(cfg):
        runner = PoseRunner.from_cfg(cfg)
    if not torch.cuda.is_available():
        runner.logger.info(f'no GPU found: running on the CPU, {torch.get_num_threads()} threads a process')
        mixed = (cfg.get('optim_wrapper') or {}).get('type') is BFloat16OptimWrapper
        if mixed and torch.backends.cpu.get_cpu_capability() == 'AVX2':  # it emulates bfloat16
            runner.logger.warning('this CPU has no bfloat16 instructions: training is faster without --amp')
    return runner


def connect_processes(cfg: Config, launcher: str) -> None:
    """Set up the config, and on machines without a GPU the processes, for a run under ``launcher``.

    MMEngine connects processes by itself, but only such as own a GPU each.
    """
    cfg.launcher = launcher
    has_gpu = torch.cuda.is_available()
    cfg.setdefault('env_cfg', ConfigDict()).setdefault('dist_cfg', ConfigDict())
    dist_cfg = cfg.env_cfg.dist_cfg
    if not has_gpu:
        dist_cfg.backend = 'gloo'
    dist_cfg.setdefault('backend', 'nccl')
    if launcher == 'none':
        return
    variable, command = _LAUNCHERS[launcher]
    if variable not in os.environ:
        raise UserError(f'--launcher {launcher} but {variable} is not set: start with `{command}`')
    if has_gpu:
        gpus = torch.cuda.device_count()
        if local_rank() >= gpus:
            raise UserError(f'more processes than GPUs: start at most {gpus} on this machine')
        return
    if launcher != 'pytorch':
        raise UserError(f'--launcher {launcher} needs GPUs: on the CPU start with `{_LAUNCHERS["pytorch"][1]}`')
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=dist_cfg.get('timeout', 1800)))
    # MMEngine's own wrapping names a CUDA device.
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type=MMDistributedDataParallel,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)


def disconnect_processes() -> None:
    """End what ``connect_processes`` or MMEngine began. No runner may be left.

    Gloo's threads end with the last reference to their group. If that is a model's, they and the
    interpreter wait for each other; if they outlive the interpreter, it aborts. So the models go
    first, and the group with ``destroy_process_group``, which lets the threads finish.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()


def set_precision(cfg: Config, amp: bool) -> None:
    """Mixed precision if ``amp`` or the config wants it, of the kind that this machine can do.

    ``amp`` means bfloat16, and float16 with a scaled loss on GPUs that lack it. A config's own AmpOptimWrapper stays as
    it is on a GPU.

    Raises:
        UserError: when the config's optimizer wrapper has no mixed precision counterpart, or the GPU lacks its type.
    """
    wrapper = cfg.get('optim_wrapper')
    if wrapper is None:
        return
    kind = wrapper.get('type', OptimWrapper)
    name = kind if isinstance(kind, str) else kind.__name__
    if amp and name not in (OptimWrapper.__name__, GuardedOptimWrapper.__name__, AmpOptimWrapper.__name__):
        raise UserError(f'--amp works with OptimWrapper, but optim_wrapper.type is {name}: leave out --amp')
    if not amp and name != AmpOptimWrapper.__name__:
        return
    has_gpu = torch.cuda.is_available()
    has_bfloat16 = not has_gpu or torch.cuda.is_bf16_supported()
    if wrapper.get('dtype') == 'bfloat16' and not has_bfloat16:
        raise UserError('optim_wrapper.dtype: this GPU has no bfloat16; leave it out, and the run is in float16')
    if has_gpu and (name == AmpOptimWrapper.__name__ or not has_bfloat16):
        wrapper.type = AmpOptimWrapper
        wrapper.setdefault('loss_scale', 'dynamic')
    else:
        wrapper.type = BFloat16OptimWrapper
        for key in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(key, None)


def remove_training(cfg: Config) -> None:
    """Leave only what a test needs, so that nothing else of the config can stop it."""
    cfg.update(dict.fromkeys((*_TRAINING, *_VALIDATION, 'param_scheduler', 'auto_scale_lr')))


def keep_a_complete_checkpoint(cfg: Config) -> None:
    """Keep two checkpoints where the config says one.

    MMEngine deletes the outdated checkpoint before it writes the new one; with one, a kill in
    between would leave none.
    """
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if hook and hook.get('type') in (CheckpointHook, CheckpointHook.__name__) and hook.get('max_keep_ckpts') == 1:
        hook.max_keep_ckpts = 2


def set_resume(cfg: Config, resume: str | Path) -> None:
    """Go on from ``resume``; for ``RESUME_LATEST`` from the work dir's latest, if it has any.

    Raises:
        UserError: when the checkpoint is named and is none.
    """
    if resume != RESUME_LATEST:
        check_checkpoint_file(resume)
        cfg.load_from, cfg.resume = str(resume), True
        return
    latest = latest_checkpoint(cfg.work_dir)
    if latest is not None:
        cfg.load_from, cfg.resume = str(latest), True
    elif local_rank() == 0:
        print(f'no checkpoint in {cfg.work_dir}: training starts from the beginning')


def add_dump(cfg: Config, path: str | Path) -> None:
    """Write every prediction of the test run to a pickle file."""
    if Path(path).suffix not in ('.pkl', '.pickle'):
        raise UserError(f'--dump {path}: the file name must end in .pkl')
    _prepare_file(Path(path))
    metrics = cfg.test_evaluator
    metrics = list(metrics) if isinstance(metrics, (list, tuple)) else [metrics]
    cfg.test_evaluator = [*metrics, dict(type=DumpResults, out_file_path=str(path))]


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


@master_only
def write_metrics(metrics: dict[str, float], path: str | Path) -> None:
    """Write the metrics as JSON, in a file that appears complete or not at all."""
    contents = json.dumps(_plain(metrics), indent=2) + '\n'
    write_whole(Path(path), lambda unfinished: unfinished.write_text(contents))


def _plain(value: Any) -> Any:
    """Arrays as lists, and null for numbers that JSON does not know."""
    value = value.tolist() if hasattr(value, 'tolist') else value
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _work_dir(cfg: Config, given: str | Path | None) -> str:
    return str(make_folder(given or cfg.get('work_dir') or Path('work_dirs', Path(cfg.filename).stem)))


def _prepare_file(path: Path) -> None:
    """Find out before the work whether its result can be written."""
    if path.is_dir():
        raise UserError(f'{path} is a folder: give the name of a file')
    make_folder(path.parent)


def _require(cfg: Config, path: str | Path, *keys: str) -> None:
    absent = [key for key in keys if cfg.get(key) is None]
    if absent:
        raise UserError(f'{path} has no {", ".join(absent)}')
