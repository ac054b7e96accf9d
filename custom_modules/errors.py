"""Moved to :mod:`classicpose.errors`; this name goes with version 0.3."""

import warnings

from classicpose.errors import *  # noqa: F403

warnings.warn('custom_modules.errors is now classicpose.errors', DeprecationWarning, stacklevel=2)
