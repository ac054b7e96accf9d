from __future__ import annotations

import math
from collections.abc import Mapping

from classicpose.errors import UserError


def scales_in(test_cfg: Mapping) -> tuple[float, ...]:
    """The factors of the size to look at, an estimator's ``test_cfg.scales``: (1.0,) where it has none.

    Raises:
        UserError: when they are anything but one or more positive numbers.
    """
    scales = test_cfg.get('scales', (1.0,))
    scales = tuple(scales) if isinstance(scales, list | tuple) else (scales,)
    if not scales or not all(isinstance(scale, int | float) and 0 < scale < math.inf for scale in scales):
        raise UserError('test_cfg.scales must be one or more positive numbers, for example 0.9,1.0,1.1')
    return scales
