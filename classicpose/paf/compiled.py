"""The loops over cells, pairs and people are compiled by Numba, and kept on disk between runs."""

from __future__ import annotations

from collections.abc import Callable

import numba


def compiled(function: Callable) -> Callable:
    """Compile at the first call; later processes load the result (from __pycache__, or NUMBA_CACHE_DIR)."""
    options = dict(nogil=True, error_model='numpy')
    try:
        return numba.njit(function, cache=True, **options)
    except RuntimeError:  # no folder that can be written to: compile in every process
        return numba.njit(function, **options)
