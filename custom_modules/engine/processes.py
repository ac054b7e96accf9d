"""The processes of a run: connected, of one mind, and disconnected."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import broadcast_object_list, init_dist, is_main_process
from mmengine.model import MMDistributedDataParallel

from classicpose.errors import UserError, local_rank

Answer = TypeVar('Answer')

# What each launcher must have set, and how to start under it.
_LAUNCHERS = {
    'pytorch': ('LOCAL_RANK', 'torchrun --nproc-per-node N tools/train.py ... --launcher pytorch'),
    'slurm': ('SLURM_PROCID', 'srun python tools/train.py ... --launcher slurm'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'mpirun python tools/train.py ... --launcher mpi'),
}


def connect_processes(cfg: Config, launcher: str) -> None:
    """Connect the processes of ``launcher``, once for all runs of a command, and set up the config for them.

    MMEngine connects by itself only processes that own a GPU each.

    Raises:
        UserError: when the launcher's processes are not there, or cannot work on this machine.
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
        init_dist(launcher, **dist_cfg)
        return
    if launcher != 'pytorch':
        raise UserError(f'--launcher {launcher} needs GPUs: on the CPU start with `{_LAUNCHERS["pytorch"][1]}`')
    torch.distributed.init_process_group('gloo', timeout=timedelta(seconds=dist_cfg.get('timeout', 1800)))
    # MMEngine's own wrapping names a CUDA device.
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        type=MMDistributedDataParallel.__name__,
        broadcast_buffers=False,
        find_unused_parameters=cfg.get('find_unused_parameters', False),
    )
    cfg.model_wrapper_cfg = dict(wrapper, device_ids=None)


def agreed(decide: Callable[[], Answer]) -> Answer:
    """What the main process decides, in every process once it has: files are looked at and written by one of them."""
    answer = [decide() if is_main_process() else None]
    broadcast_object_list(answer)
    return answer[0]


def disconnect_processes() -> None:
    """End what ``connect_processes`` began. No runner may be left.

    Gloo's threads end with the last reference to their group. If that is a model's, they and the
    interpreter wait for each other; if they outlive the interpreter, it aborts. So the models go
    first, and the group with ``destroy_process_group``, which lets the threads finish.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()
