"""ClassicPose: classic pose systems as plug-ins for MMPose. Importing this package registers all of them."""

from . import compat

compat.install()  # before anything below imports MMPose

from . import codecs, datasets, engine, metrics, models  # noqa: E402, F401

__version__ = '0.1.0'
