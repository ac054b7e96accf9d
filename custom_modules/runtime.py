"""Moved to :mod:`classicpose.networks`; this name goes with version 0.3."""

import warnings

from classicpose.networks import *  # noqa: F403

warnings.warn('custom_modules.runtime is now classicpose.networks', DeprecationWarning, stacklevel=2)
