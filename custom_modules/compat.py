"""What lets MMPose 1.3.2 import and load checkpoints safely on today's PyTorch.

``prepare()`` is the only door: it runs before anything imports MMPose, and no other module needs
to know what it does.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import pickle
import sys
import types
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

OPS_MODULE = 'mmcv._ext'
TRUST_VARIABLE = 'CLASSICPOSE_TRUST_CHECKPOINTS'

# Printed by onedl-mmdetection, twice, when it is imported without an unrelated product.
_ONEDL_NOTICE = 'Could not import OneDL. Skipping OneDL datasets.'
_VISUALIZER = 'mmpose.visualization.opencv_backend_visualizer'
# By module, what MMPose or MMEngine imports of it. RTMO alone uses mmdet, xtcocotools.coco brings matplotlib, what is
# about sharded training brings sympy.
_SELDOM_USED = {
    'mmdet': (),
    'mmdet.utils': ('ConfigType', 'reduce_mean'),
    'scipy.io': ('loadmat',),
    'scipy.stats': ('truncnorm',),
    'xtcocotools.coco': ('COCO',),
    'xtcocotools.cocoeval': ('COCOeval',),
    'mmengine._strategy.fsdp': ('FSDPStrategy',),
    'mmengine.model.wrappers.fully_sharded_distributed': ('MMFullyShardedDataParallel',),
    'mmengine.optim.optimizer.zero_optimizer': ('ZeroRedundancyOptimizer',),
}
# By registry, the one of these modules that registers in it.
_REGISTERED_LATER = {
    'STRATEGIES': 'mmengine._strategy.fsdp',
    'MODEL_WRAPPERS': 'mmengine.model.wrappers.fully_sharded_distributed',
    'OPTIMIZERS': 'mmengine.optim.optimizer.zero_optimizer',
}
_USERS = ('mmengine', 'mmcv', 'mmdet', 'mmpose')
_installed = False


class UnsafeCheckpointError(RuntimeError):
    """A checkpoint holds more than weights and plain data, so loading it could run its code."""


def install() -> None:
    """Prepare the process for importing MMPose; calling it again changes nothing."""
    global _installed
    if _installed:
        return
    _installed = True
    _stand_in_for_missing_ops()
    _import_mmpose_without_what_it_seldom_uses()
    _load_checkpoints_as_data_only()
    _draw_circles_with_numbers()


# --- when MMPose is used ---------------------------------------------------------------------


def prepare(plug_ins: Mapping[str, str]) -> None:
    """Let MMPose import, and let its registries find the plug-ins.

    Now if MMEngine or a package on top of it is imported already, else right after the first of them is.

    Args:
        plug_ins: by a registry's name the package that registers in it, imported at the registry's first use.
    """
    if any(sys.modules.get(name) for name in _USERS):
        install()
        for package in sorted(set(plug_ins.values())):  # registries in use ask for no package any more
            importlib.import_module(package)
    else:
        sys.meta_path.insert(0, _AfterImport(_USERS, lambda: _announce(plug_ins)))


def _announce(plug_ins: Mapping[str, str]) -> None:
    install()
    import mmengine.registry
    import mmpose.registry

    for name, package in plug_ins.items():
        owner = mmpose.registry if hasattr(mmpose.registry, name) else mmengine.registry
        getattr(owner, name)._locations.append(package)


class _AfterImport(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the first of some packages as its own loader would, and calls back once it is there."""

    def __init__(self, names: Collection[str], callback: Callable[[], object]) -> None:
        self._names = names
        self._callback = callback
        self._loader: importlib.abc.Loader | None = None

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self._names:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._callback()


# --- mmcv's compiled operators ---------------------------------------------------------------


class _MissingOps(types.ModuleType):
    """A module of operators that can be imported, because MMPose does, but not called."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        # `inspect` and the import system probe modules for optional dunder names.
        if name.startswith('__'):
            raise AttributeError(name)
        return functools.partial(_raise_missing_op, name)


def _raise_missing_op(name: str, *args: object, **kwargs: object) -> None:
    raise RuntimeError(
        f"mmcv's compiled operator '{name}' is not installed. No model of ClassicPose needs it; "
        'to use one that does, build mmcv with its operators (about 15 CPU-minutes, and a C++ '
        "compiler): pip install 'setuptools>=77' ninja && pip install --no-build-isolation "
        '--no-binary onedl-mmcv --no-deps --force-reinstall onedl-mmcv==2.3.6'
    )


def _stand_in_for_missing_ops() -> None:
    """Register a stand-in for ``mmcv._ext``, unless the real one is there.

    ``mmpose.models`` imports ``mmcv.ops``, which looks up every operator by name on import.
    """
    if importlib.util.find_spec(OPS_MODULE) is not None:
        return
    # MMEngine looks the module up with `find_spec`, which wants a spec on a loaded module.
    spec = importlib.machinery.ModuleSpec(OPS_MODULE, loader=None)
    ops = _MissingOps(OPS_MODULE)
    ops.__spec__ = spec
    sys.modules[OPS_MODULE] = ops


# --- what MMPose seldom uses -----------------------------------------------------------------


def _import_mmpose_without_what_it_seldom_uses() -> None:
    """Import MMPose's models, and with them its datasets and metrics, in less than half the time.

    In place of :data:`_SELDOM_USED` stand names that import the real ones when they are used. The stand-ins exist only
    while MMPose is imported; whoever imports these modules later gets the real ones.
    """
    knows_mmdet = 'mmdet' in sys.modules
    stand_ins = {name: _stand_in(name, used) for name, used in _SELDOM_USED.items() if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        importlib.import_module('mmpose.models')
    finally:
        for name in stand_ins:
            del sys.modules[name]
    import mmengine.registry
    import mmpose.registry

    for name, module in _REGISTERED_LATER.items():
        for owner in (mmengine.registry, mmpose.registry):
            if hasattr(owner, name):
                getattr(owner, name)._locations.append(module)
    if not knows_mmdet:
        sys.meta_path.insert(0, _AfterImport(('mmdet',), _import_rest_of_mmdet_quietly))


def _stand_in(name: str, used: Collection[str]) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update({each: _Later(name, each) for each in used})
    return module


class _Later:
    """A function or class of a module that is imported when this is called, inherited or asked for anything."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _imported(self) -> Any:
        return getattr(importlib.import_module(self._module), self._name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._imported()(*args, **kwargs)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self._imported())

    def __mro_entries__(self, bases: tuple) -> tuple[type, ...]:
        return (self._imported(),)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):  # what copying, typing and inspecting ask for
            raise AttributeError(name)
        return getattr(self._imported(), name)


def _import_rest_of_mmdet_quietly() -> None:
    """Import what MMPose's inferencers import of mmdet, less what that says about optional packages."""
    with _stdout_without(_ONEDL_NOTICE), warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='faster_coco_eval is not installed')
        importlib.import_module('mmdet.apis.det_inferencer')


@contextlib.contextmanager
def _stdout_without(notice: str) -> Iterator[None]:
    """Hold back what is printed in the block, then print it less the lines equal to ``notice``."""
    held_back = io.StringIO()
    try:
        with contextlib.redirect_stdout(held_back):
            yield
    finally:
        lines = held_back.getvalue().splitlines(keepends=True)
        sys.stdout.writelines(line for line in lines if line.strip() != notice)


# --- numpy's one-element arrays --------------------------------------------------------------


def _draw_circles_with_numbers() -> None:
    """Give OpenCV the radius of MMPose's keypoints as a number.

    MMPose gives an array of one element, which numpy 2.4 and newer do not turn into a number any more.
    """
    if np.lib.NumpyVersion(np.__version__) < '2.4.0':
        return
    if _VISUALIZER in sys.modules:
        _give_circles_numbers()
    else:  # importing it would import mmdet, too
        sys.meta_path.insert(0, _AfterImport((_VISUALIZER,), _give_circles_numbers))


def _give_circles_numbers() -> None:
    from mmpose.visualization.opencv_backend_visualizer import OpencvBackendVisualizer

    draw = OpencvBackendVisualizer.draw_circles

    @functools.wraps(draw)
    def draw_circles(self: OpencvBackendVisualizer, center: Any, radius: Any, *args: Any, **kwargs: Any) -> Any:
        radius = np.ravel(radius)[0] if self.backend == 'opencv' else radius
        return draw(self, center, radius, *args, **kwargs)

    OpencvBackendVisualizer.draw_circles = draw_circles


# --- checkpoints -----------------------------------------------------------------------------


def _load_checkpoints_as_data_only() -> None:
    """Make MMEngine refuse what it would otherwise unpickle, and with it run.

    MMEngine tries weights-only loading first and silently unpickles everything when that fails;
    its downloads are unpickled at once. Both ways of reading a file are looked up as globals of
    its checkpoint module, which makes that the one place every loader passes through.
    """
    import torch
    from mmengine.runner import checkpoint

    torch.serialization.add_safe_globals(_data_in_our_checkpoints())
    checkpoint._safe_torch_load = _refuse_code(torch.load)
    checkpoint.load_url = _refuse_code(torch.hub.load_state_dict_from_url)


def _refuse_code(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a loader that takes ``weights_only`` so that it is, unless the user trusts files."""

    @functools.wraps(load)
    def load_data(source: object, *args: object, **kwargs: object) -> Any:
        trusted = os.environ.get(TRUST_VARIABLE) == '1'
        try:
            return load(source, *args, weights_only=not trusted, **kwargs)
        except pickle.UnpicklingError as error:
            raise UnsafeCheckpointError(
                f'{source} cannot be read as weights and plain data (the error above says what is '
                'in the way), and reading it in any other way would run whatever code it '
                f'contains. If you trust where it comes from, set {TRUST_VARIABLE}=1 in the '
                'environment.'
            ) from error

    return load_data


def _data_in_our_checkpoints() -> list[Any]:
    """List the types, beyond torch's own, that MMEngine writes: numpy data and log histories."""
    from mmengine.logging import HistoryBuffer

    numbers = np.typecodes['AllInteger'] + np.typecodes['AllFloat'] + '?'
    number_types = {type(np.dtype(code)) for code in numbers}
    # numpy 2 renamed numpy.core; a checkpoint may have been written under either name.
    rebuild = [np.zeros(0).__reduce__()[0], np.float64(0).__reduce__()[0]]
    rebuild_by_name = [
        (function, f'{package}.multiarray.{function.__name__}')
        for function in rebuild
        for package in ('numpy.core', 'numpy._core')
    ]
    return [
        np.ndarray,
        np.dtype,
        *number_types,
        *rebuild_by_name,
        HistoryBuffer,
        (_history_statistic, 'builtins.getattr'),
    ]


def _history_statistic(owner: type, name: str) -> Callable[..., float]:
    """Stand in for the ``getattr`` by which a pickled HistoryBuffer names its statistics.

    The real one would hand a checkpoint any attribute of anything.

    Raises:
        pickle.UnpicklingError: Something else is asked for.
    """
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'attribute {name!r} of {owner!r} is not plain data')
    return getattr(owner, name)
