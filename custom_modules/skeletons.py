"""Moved to :mod:`classicpose.skeletons`; this name goes with version 0.3."""

import warnings

from classicpose.skeletons import *  # noqa: F403

warnings.warn('custom_modules.skeletons is now classicpose.skeletons', DeprecationWarning, stacklevel=2)
