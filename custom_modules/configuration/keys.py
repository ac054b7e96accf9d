"""Which settings a config may hold, by the signatures of its classes and of the Runner."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import mmengine.registry
import mmpose.registry
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import (
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    LogProcessor,
    Runner,
    TestLoop,
    ValLoop,
)
from mmengine.utils import ManagerMixin
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from classicpose.errors import near_names, suggestion
from classicpose.paf import DecodeSettings

KeyPath = tuple[str, ...]

# Runner.from_cfg takes its arguments from the config; the rest it looks up while it runs.
RUNNER_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'activation_checkpointing',
    'compile',
    'cuda_graphs',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'sync_bn',
}

# Taken out by those who build an object before its class sees the rest.
_BUILDER_KEYS = frozenset({'type', '_scope_', 'constructor', 'paramwise_cfg', 'convert_to_iter_based'})

# Groups without a type, read key by key by code that knows no list of them.
_OPEN_GROUPS = frozenset(
    {
        'backend_args', 'clip_grad', 'custom_keys', 'data_prefix', 'default_hooks', 'dist_cfg',
        'metainfo', 'mp_cfg', 'paramwise_cfg', 'test_cfg', 'train_cfg',
    }
)  # fmt: skip


def accepted_arguments(target: Callable) -> set[str] | None:
    """Names that a class or function takes as keyword arguments; None when it takes any.

    ``**kwargs`` of a constructor is followed up the classes it inherits from. Where it ends at
    one that takes none, further keywords are accepted by nobody.
    """
    if not inspect.isclass(target):
        names, takes_any = _keywords(target)
        return None if takes_any else names
    accepted: set[str] = set()
    for base in inspect.getmro(target):
        if base in (object, nn.Module, ManagerMixin):
            break
        if '__init__' in vars(base):
            names, takes_more = _keywords(base.__init__)
            accepted |= names
            if not takes_more:
                return accepted
    if issubclass(target, ManagerMixin):
        accepted.add('name')
    # A constructor that names no argument at all hides its real ones.
    return accepted or None


def accepted_keys(path: KeyPath, group: Mapping) -> set[str] | None:
    """Names of the settings that the group at ``path`` may have; None when nobody can tell."""
    if 'type' in group:
        target = resolve(group['type'])
        accepted = None if target is None else accepted_arguments(target)
        return None if accepted is None else accepted | _BUILDER_KEYS
    if len(path) == 1:
        return _top_level_keys(path[0])
    if path[-1] == 'decoder':
        return accepted_arguments(DecodeSettings) | {'base', *group}
    if path[-2] == 'stages':
        return accepted_arguments(resolve('CascadeStage')) | set(group)
    if path[-1] in _OPEN_GROUPS:
        return None
    return set(group)


def resolve(kind: str | Callable) -> Callable | None:
    """The class or function that a ``type`` stands for, None when no registry knows its name."""
    if not isinstance(kind, str):
        return kind
    found = (registry.get(kind) for registry in _registries())
    return next((target for target in found if target is not None), None)


def registered_names() -> set[str]:
    """Every name that may stand as a ``type``."""
    return {name for registry in _registries() for name in registry.module_dict}


def walk(cfg: Config) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that the Runner reads, with its path; groups before what is in them."""
    pending = [((key,), cfg[key]) for key in cfg if key in RUNNER_KEYS]
    while pending:
        path, value = pending.pop(0)
        yield path, value
        if isinstance(value, Mapping):
            pending += [((*path, key), value[key]) for key in value]
        elif isinstance(value, (list, tuple)):
            pending += [((*path, str(index)), item) for index, item in enumerate(value)]


def remedy(name: str, known: Collection[str]) -> str:
    """As ``suggestion``, or all the known names when none is similar and they are few."""
    names = set(known) - _BUILDER_KEYS
    if near_names(name, names) or not 0 < len(names) <= 20:
        return suggestion(name, names)
    return f': there are {", ".join(sorted(names))}'


def _keywords(function: Callable) -> tuple[set[str], bool]:
    """The names of a function's arguments, and whether it takes any others."""
    parameters = inspect.signature(function).parameters.values()
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return named - {'self'}, any(p.kind is p.VAR_KEYWORD for p in parameters)


def _top_level_keys(name: str) -> set[str] | None:
    if name.endswith('_dataloader'):
        return accepted_arguments(DataLoader) | {'num_batch_per_epoch'}
    targets: Collection[Callable] = {
        'train_cfg': (EpochBasedTrainLoop, IterBasedTrainLoop),
        'val_cfg': (ValLoop,),
        'test_cfg': (TestLoop,),
        'optim_wrapper': (OptimWrapper,),
        'log_processor': (LogProcessor,),
        'visualizer': (Visualizer,),
        'randomness': (Runner.set_randomness,),
    }.get(name, ())
    if targets:
        return set.union(*map(accepted_arguments, targets)) | _BUILDER_KEYS | {'by_epoch'}
    if name == 'env_cfg':
        return {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'}
    if name == 'auto_scale_lr':
        return {'enable', 'base_batch_size'}
    return None


def _registries() -> Iterator[Registry]:
    for module in (mmpose.registry, mmengine.registry):
        yield from (value for value in vars(module).values() if isinstance(value, Registry))
