"""Moved to :mod:`classicpose.files`; this name goes with version 0.3."""

import warnings

from classicpose.files import *  # noqa: F403

warnings.warn('custom_modules.files is now classicpose.files', DeprecationWarning, stacklevel=2)
