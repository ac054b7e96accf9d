"""MMEngine's Runner with checkpoints that a killed process cannot spoil."""

from __future__ import annotations

import os
from pathlib import Path

from mmengine.dist import master_only
from mmengine.runner import Runner

from .checkpoints import DataOnlyHook, explained_loading


class PoseRunner(Runner):
    """The Runner behind the command lines."""

    def register_hooks(self, *args, **kwargs) -> None:
        """As Runner's, with a hook that keeps checkpoints loadable."""
        super().register_hooks(*args, **kwargs)
        self.register_hook(DataOnlyHook())

    @master_only
    def save_checkpoint(self, out_dir: str, filename: str, *args, **kwargs) -> None:
        """As Runner's, but a file has its final name only once it is complete.

        MMEngine writes to the final name; a kill in the middle leaves half a checkpoint there,
        which ``last_checkpoint`` may name already, because the hook saves a second time when a
        validation was the best so far.
        """
        if '://' in str(out_dir):  # remote stores put whole objects
            super().save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        unfinished = f'{filename}.unfinished'
        super().save_checkpoint(out_dir, unfinished, *args, **kwargs)
        os.replace(Path(out_dir, unfinished), Path(out_dir, filename))

    def dump_config(self) -> None:
        """As Runner's, for trainings. A test in the same folder would overwrite their config."""
        if self.cfg.get('train_cfg') is not None:
            super().dump_config()

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """As Runner's. UserError when the file is not a checkpoint."""
        with explained_loading(filename):
            return super().load_checkpoint(filename, *args, **kwargs)
