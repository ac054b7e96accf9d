"""Moved to :mod:`classicpose.inference`; this name goes with version 0.3."""

import warnings

from classicpose.inference import *  # noqa: F403

warnings.warn('custom_modules.inference is now classicpose.inference', DeprecationWarning, stacklevel=2)
