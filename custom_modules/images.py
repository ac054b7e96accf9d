"""Moved to :mod:`classicpose.images`; this name goes with version 0.3."""

import warnings

from classicpose.images import *  # noqa: F403

warnings.warn('custom_modules.images is now classicpose.images', DeprecationWarning, stacklevel=2)
