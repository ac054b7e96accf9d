"""MMEngine's Runner with checkpoints that a killed process cannot spoil and data whose steps tell what fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.dist import is_main_process, master_only
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, Runner
from mmengine.visualization import LocalVisBackend, Visualizer
from torch import nn
from torch.utils.data import DataLoader

from classicpose.errors import UserError
from classicpose.files import write_whole

from ..configuration.failures import building, describe, step_of_a_run
from ..configuration.keys import KeyPath
from ..datasets.order import repeatable
from .checkpoints import DataOnlyHook, explained_loading
from .cuda_graphs import record_for_training
from .hooks.interrupt import InterruptHook
from .hooks.position import PositionHook
from .hooks.screen import ScreenHook
from .scalars import LazyMessageHub
from .screen import keep_short

_WORKERS_A_CORE = 32
# DataLoader refuses these without worker processes.
_OF_WORKERS = ('persistent_workers', 'prefetch_factor', 'timeout')

_LONGEST = 2**31  # iterations


class PoseRunner(Runner):
    """The Runner behind the command lines.

    Attributes:
        worked: the names of the hooks' methods that have run to their end, all hooks' and once at least: of
            'after_train_iter' when an iteration of training has ended.
    """

    def __init__(self, *args, **kwargs) -> None:
        self.worked: set[str] = set()
        self._screen = ScreenHook()
        super().__init__(*args, **kwargs)

    def call_hook(self, fn_name: str, **kwargs) -> None:
        """As Runner's, noting what has worked; Runner's own hides where a hook raised a TypeError."""
        with step_of_a_run(lambda: fn_name in self.worked):
            for hook in self._hooks:
                if hasattr(hook, fn_name):
                    getattr(hook, fn_name)(self, **kwargs)
        self.worked.add(fn_name)

    def register_hooks(self, *args, **kwargs) -> None:
        """As Runner's, with hooks that keep checkpoints loadable, let a training go on from them, and show progress."""
        super().register_hooks(*args, **kwargs)
        for hook in (DataOnlyHook(), InterruptHook(), PositionHook()):
            self.register_hook(hook)
        if is_main_process():
            self.register_hook(self._screen)

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """As Runner's, with less on the screen, and named by its folder: two runs may begin in the same second."""
        return keep_short(super().build_logger(*args, name=self._log_dir, **kwargs))

    def build_message_hub(self, message_hub: dict | None = None) -> LazyMessageHub:
        """As Runner's, but a store that does not wait for a GPU at every step."""
        return LazyMessageHub.get_instance(**{'name': self._log_dir, **(message_hub or {})})

    def build_visualizer(self, visualizer: Visualizer | dict | None = None) -> Visualizer:
        """As Runner's, but each run's own: by the name in a config a process would go on with the first run's."""
        if not isinstance(visualizer, Visualizer):
            settings = visualizer or dict(type=Visualizer, vis_backends=[dict(type=LocalVisBackend)])
            visualizer = dict(settings, name=self._log_dir)
        return super().build_visualizer(visualizer)

    def build_dataloader(
        self, dataloader: DataLoader | dict, seed: int | None = None, diff_rank_seed: bool = False
    ) -> DataLoader:
        """As Runner's, also without worker processes, and a transform that fails says which it is.

        Training draws its samples and their augmentation from the seed, see :mod:`custom_modules.datasets.order`.
        """
        loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
        name = next((name for name in loaders if getattr(self, f'_{name}') is dataloader), None)
        trains = name == 'train_dataloader' and isinstance(dataloader, dict)
        with building(*filter(None, [name])):
            loader = build_loader(repeatable(dataloader, seed) if trains else dataloader, seed, diff_rank_seed)
        if name:
            whole = loader.dataset.dataset if trains else loader.dataset
            for path, dataset in _leaves(whole, (name, 'dataset')):
                if isinstance(getattr(dataset, 'pipeline', None), Compose):
                    dataset.pipeline = ExplainedPipeline(dataset.pipeline, self.cfg, (*path, 'pipeline'))
        return loader

    def train(self) -> nn.Module:
        """As Runner's; with ``cuda_graphs=True`` in the config the network is recorded."""
        if self.cfg.get('cuda_graphs'):
            record_for_training(self.model)
        with self._screen, step_of_a_run(self._has_trained):
            model = super().train()
        self._end_workers()
        return model

    def _has_trained(self) -> bool:
        """For an iteration, and to the end of a validation where one has begun."""
        return 'after_train_iter' in self.worked and ('after_val' in self.worked or 'before_val' not in self.worked)

    def test(self) -> dict:
        """As Runner's."""
        with self._screen, step_of_a_run(lambda: False):
            metrics = super().test()
        self._end_workers()
        return metrics

    def _end_workers(self) -> None:
        """End the loaders' processes.

        PyTorch does so when their iterator is freed. Python frees a runner as a cycle, and then the processes are not
        told to end, and PyTorch waits five seconds for each.
        """
        for loop in (self._train_loop, self._val_loop, self._test_loop):
            if isinstance(loop, BaseLoop):
                vars(loop).pop('dataloader_iterator', None)
                loop.dataloader._iterator = None

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
        save = super().save_checkpoint
        write_whole(Path(out_dir, filename), lambda unfinished: save(out_dir, unfinished.name, *args, **kwargs))

    def dump_config(self) -> None:
        """As Runner's, for trainings. A test in the same folder would overwrite their config."""
        if self.cfg.get('train_cfg') is not None:
            super().dump_config()

    def resume(self, filename: str, *args, **kwargs) -> None:
        """As Runner's. UserError when the file is a checkpoint but not of a training that can go on."""
        try:
            super().resume(filename, *args, **kwargs)
            _check_state(self.optim_wrapper.state_dict())
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f'checkpoint {filename} cannot be resumed from ({type(error).__name__}: {error}): give another one, or '
                'start anew from its weights with --cfg-options load_from=...'
            ) from error
        for name, count in (('epoch', self.epoch), ('iter', self.iter)):
            if not (isinstance(count, int) and 0 <= count <= _LONGEST):
                raise UserError(
                    f'checkpoint {filename} cannot be resumed from (its {name} is {count!r:.40}): give another'
                )

    def load_checkpoint(self, filename: str, *args, **kwargs) -> dict:
        """As Runner's. UserError when the file is not a checkpoint."""
        with explained_loading(filename):
            return super().load_checkpoint(filename, *args, **kwargs)


def _check_state(state: dict) -> None:
    """What an optimizer keeps of its weights, and its settings, are numbers and tensors; PyTorch takes anything."""
    kept = [*state.get('state', {}).values(), *state.get('param_groups', [])]
    for name, value in (entry for group in kept for entry in group.items()):
        if isinstance(value, (dict, str, bytes)) and name not in ('name', 'param_names'):
            raise TypeError(f"the optimizer's {name} is a {type(value).__name__}")


def build_loader(settings: DataLoader | dict, *args: object, **kwargs: object) -> DataLoader:
    """MMEngine's ``Runner.build_dataloader``, also without worker processes, and made for a GPU where there is one.

    Raises:
        ValueError: for so many worker processes that the machine would stand still.
    """
    if not isinstance(settings, dict):
        return Runner.build_dataloader(settings, *args, **kwargs)
    workers, cores = settings.get('num_workers'), os.cpu_count() or 1
    if isinstance(workers, int) and workers > _WORKERS_A_CORE * cores:
        raise ValueError(f'num_workers={workers} is too many for {cores} cores: give one or two a core')
    if torch.cuda.is_available():
        # From page-locked memory a GPU copies while the program goes on.
        settings.setdefault('pin_memory', True)
    if not workers:
        settings = type(settings)({key: value for key, value in settings.items() if key not in _OF_WORKERS})
    return Runner.build_dataloader(settings, *args, **kwargs)


class ExplainedPipeline(Compose):
    """The steps of a dataset; whatever one of them raises becomes one line that names the step.

    Args:
        steps: as MMEngine built them.
        cfg: the config that they were built from.
        path: of the pipeline in it.
    """

    def __init__(self, steps: Compose, cfg: Config, path: KeyPath) -> None:
        super().__init__([])
        self.transforms = steps.transforms
        self._cfg, self._path = cfg, path

    def __call__(self, data: dict) -> dict | None:
        """The sample after the last step; None where a step drops it.

        Raises:
            UserError: for any exception in a step.
        """
        for position, transform in enumerate(self.transforms):
            try:
                data = transform(data)
            except UserError:
                raise
            except Exception as error:
                raise UserError(describe(self._cfg, error, (*self._path, str(position)))) from error
            if data is None:
                return None
        return data


def _leaves(dataset: object, path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """The datasets within concatenated and repeated ones, with their paths."""
    if hasattr(dataset, 'datasets'):
        for position, inner in enumerate(dataset.datasets):
            yield from _leaves(inner, (*path, 'datasets', str(position)))
    elif hasattr(dataset, 'dataset'):
        yield from _leaves(dataset.dataset, (*path, 'dataset'))
    else:
        yield path, dataset
