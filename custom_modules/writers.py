"""Moved to :mod:`classicpose.writers`; this name goes with version 0.3."""

import warnings

from classicpose.writers import *  # noqa: F403

warnings.warn('custom_modules.writers is now classicpose.writers', DeprecationWarning, stacklevel=2)
