"""ClassicPose's plug-ins for MMPose and MMEngine: importing the package registers all of them."""

try:
    import torch  # noqa: F401
except ImportError as error:
    raise ImportError(
        'custom_modules needs PyTorch and MMPose: pip install -r requirements.txt. To find people with a model that is '
        'trained already, import classicpose instead',
        name=error.name,
    ) from error

from . import patches

patches.apply()

from classicpose import __version__  # noqa: E402, F401

from . import codecs, datasets, engine, metrics, models  # noqa: E402, F401
