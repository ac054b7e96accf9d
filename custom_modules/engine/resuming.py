"""Going on with a training that ended before its time."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import CheckpointHook
from mmengine.runner import CheckpointLoader

from classicpose.errors import local_rank

from .checkpoints import check_checkpoint_file, explained_loading, latest_checkpoint
from .processes import agreed

RESUME_LATEST = 'auto'


def set_resume(cfg: Config, resume: str | Path) -> None:
    """Go on from ``resume``; for ``RESUME_LATEST`` from the work dir's latest, if it has any.

    Raises:
        UserError: when the checkpoint is named and is none.
    """
    if resume == RESUME_LATEST:
        resume = agreed(lambda: latest_checkpoint(cfg.work_dir))
        if resume is None:
            if local_rank() == 0:
                print(f'no checkpoint in {cfg.work_dir}: training starts from the beginning')
            return
    else:
        check_checkpoint_file(resume)
    cfg.load_from, cfg.resume = str(resume), True
    set_seed(cfg, seed_in(resume))


def seed_in(checkpoint: str | Path) -> int | None:
    """The seed of the training that a checkpoint is of.

    Raises:
        UserError: when the file is no checkpoint.
    """
    with explained_loading(checkpoint):
        contents = CheckpointLoader.load_checkpoint(str(checkpoint), map_location='cpu', logger='silent')
    meta = contents.get('meta') if isinstance(contents, dict) else None
    seed = meta.get('seed') if isinstance(meta, dict) else None
    return seed if isinstance(seed, int) and 0 <= seed < 2**32 else None


def set_seed(cfg: Config, seed: int | None) -> None:
    """Give a config the seed that its training has already: MMEngine builds what needs it before it looks for it."""
    given = cfg.get('randomness') or {}
    if seed is None or given.get('seed') == seed:
        return
    if given.get('seed') is not None and local_rank() == 0:
        print(f'this training keeps its seed {seed} and ignores randomness.seed={given["seed"]}')
    cfg.randomness = dict(given, seed=seed)


def keep_a_complete_checkpoint(cfg: Config) -> None:
    """Keep two checkpoints where the config says one.

    MMEngine deletes the outdated checkpoint before it writes the new one; with one, a kill in
    between would leave none.
    """
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if hook and hook.get('type') in (CheckpointHook, CheckpointHook.__name__) and hook.get('max_keep_ckpts') == 1:
        hook.max_keep_ckpts = 2
