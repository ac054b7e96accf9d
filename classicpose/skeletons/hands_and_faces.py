"""Hands and faces, in the order of OpenPose's and COCO-WholeBody's keypoints."""

from __future__ import annotations

from .skeleton import Skeleton

# COCO-WholeBody's evaluation: the annotators' scatter of each keypoint.
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.020, 0.019, 0.022, 0.031,
)  # fmt: skip
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.010, 0.008,
)  # fmt: skip

_FINGERS = ('thumb', 'index', 'middle', 'ring', 'little')

# One hand, left or right: the wrist, then every finger from its root to its tip.
HAND21 = Skeleton(
    name='hand',
    keypoints=('wrist', *(f'{finger}_{joint}' for finger in _FINGERS for joint in (1, 2, 3, 4))),
    limbs=tuple(
        (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1) for finger in range(5) for joint in range(4)
    ),
    sigmas=_HAND_SIGMAS,
)


def _lips(ring: str, count: int) -> tuple[str, ...]:
    """Around a ring of lips from the right corner over the top, with ``count - 1`` between a corner and the middle."""
    to_middle = range(2, count + 1)
    return (
        f'right_{ring}_mouth_corner', *(f'right_{ring}_upper_lip_{number}' for number in to_middle),
        f'{ring}_upper_lip', *(f'left_{ring}_upper_lip_{number}' for number in reversed(to_middle)),
        f'left_{ring}_mouth_corner', *(f'left_{ring}_lower_lip_{number}' for number in to_middle),
        f'{ring}_lower_lip', *(f'right_{ring}_lower_lip_{number}' for number in reversed(to_middle)),
    )  # fmt: skip


# Left and right are the person's own: the first keypoints are on the left of the image of somebody who looks at it.
_FACE68_KEYPOINTS = (
    *(f'right_jaw_{number}' for number in range(1, 9)), 'chin', *(f'left_jaw_{number}' for number in range(8, 0, -1)),
    *(f'right_brow_{number}' for number in range(1, 6)), *(f'left_brow_{number}' for number in range(5, 0, -1)),
    *(f'nose_bridge_{number}' for number in range(1, 5)),
    'right_nostril_1', 'right_nostril_2', 'nose_base', 'left_nostril_2', 'left_nostril_1',
    *(f'right_eyelid_{number}' for number in range(1, 7)),
    *(f'left_eyelid_{number}' for number in (4, 3, 2, 1, 6, 5)),
    *_lips('outer', 3), *_lips('inner', 2),
)  # fmt: skip


def _chain(first: int, last: int, closed: bool = False) -> tuple[tuple[int, int], ...]:
    pairs = tuple((index, index + 1) for index in range(first, last))
    return (*pairs, (last, first)) if closed else pairs


_FACE_LIMBS = (
    *_chain(0, 16), *_chain(17, 21), *_chain(22, 26), *_chain(27, 30), *_chain(31, 35),
    *_chain(36, 41, closed=True), *_chain(42, 47, closed=True), *_chain(48, 59, closed=True),
    *_chain(60, 67, closed=True),
)  # fmt: skip

# COCO-WholeBody's face_kpts, which are those of 300-W.
FACE68 = Skeleton(name='face_68', keypoints=_FACE68_KEYPOINTS, limbs=_FACE_LIMBS, sigmas=_FACE_SIGMAS)

# OpenPose's face: the pupils besides, which nobody annotates in COCO, where they stand in the middle of the eyes.
FACE70 = Skeleton(
    name='face',
    keypoints=(*_FACE68_KEYPOINTS, 'right_pupil', 'left_pupil'),
    limbs=_FACE_LIMBS,
    sigmas=(*_FACE_SIGMAS, 0.008, 0.008),
    midpoints={f'{side}_pupil': (f'{side}_eyelid_1', f'{side}_eyelid_4') for side in ('left', 'right')},
)
