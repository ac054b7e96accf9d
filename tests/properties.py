"""What tests of properties of maps share: how often they try, and what they try."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from classicpose.skeletons import Skeleton

seeds = st.integers(0, 2**32 - 1)
strides = st.sampled_from([2, 4, 8])
grids = st.tuples(st.integers(1, 24), st.integers(1, 20))


def property_test(examples: int = 40) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def mirror_people(keypoints: np.ndarray, width: float, skeleton: Skeleton) -> np.ndarray:
    return (keypoints * [-1, 1] + [width - 1, 0])[:, skeleton.flip_indices]
