"""Moved to :mod:`classicpose.paf`; this name goes with version 0.3."""

import warnings

from classicpose.paf import *  # noqa: F403

warnings.warn('custom_modules.paf is now classicpose.paf', DeprecationWarning, stacklevel=2)
