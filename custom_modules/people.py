"""Moved to :mod:`classicpose.people`; this name goes with version 0.3."""

import warnings

from classicpose.people import *  # noqa: F403

warnings.warn('custom_modules.people is now classicpose.people', DeprecationWarning, stacklevel=2)
