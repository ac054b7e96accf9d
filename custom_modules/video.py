"""Moved to :mod:`classicpose.video`; this name goes with version 0.3."""

import warnings

from classicpose.video import *  # noqa: F403

warnings.warn('custom_modules.video is now classicpose.video', DeprecationWarning, stacklevel=2)
