"""mmcv's operators by name, because MMPose imports them all; none of them works."""

from functools import partial


def __getattr__(name):
    if name.startswith('__'):  # what the import system and `inspect` ask any module for
        raise AttributeError(name)
    return partial(_missing, name)


def _missing(name, *args, **kwargs):
    raise RuntimeError(
        f"mmcv's compiled operator '{name}' is not installed. No model of ClassicPose needs it; "
        'to use one that does, build mmcv with its operators (about 15 CPU-minutes, and a C++ '
        "compiler): pip install 'setuptools>=77' ninja && pip install --no-build-isolation "
        '--no-binary onedl-mmcv --no-deps --force-reinstall onedl-mmcv==2.3.6'
    )
