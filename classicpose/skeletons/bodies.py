"""Bodies: COCO's, OpenPose's, FLIC's, LSP's."""

from __future__ import annotations

from dataclasses import replace

from .skeleton import Skeleton

# COCO's keypoint evaluation, cocoeval.py: the annotators' scatter of each keypoint. What COCO does not annotate is
# never evaluated: the neck takes its shoulders', the middle of the hips and MPI's chest the hips'. The feet's are those
# of COCO-WholeBody's evaluation, which differ from side to side.
_SIGMAS = dict(
    nose=0.026, neck=0.079, eye=0.025, ear=0.035, shoulder=0.079, elbow=0.072, wrist=0.062,
    hip=0.107, knee=0.087, ankle=0.089, head_top=0.026,
    mid_hip=0.107, chest=0.107,
    left_big_toe=0.068, left_small_toe=0.066, left_heel=0.066,
    right_big_toe=0.092, right_small_toe=0.094, right_heel=0.094,
)  # fmt: skip


def _sigmas(keypoints: tuple[str, ...]) -> tuple[float, ...]:
    kinds = (name if name in _SIGMAS else name.removeprefix('left_').removeprefix('right_') for name in keypoints)
    return tuple(_SIGMAS[kind] for kind in kinds)


def _with_limbs(skeleton: Skeleton, *limbs: tuple[int, int]) -> Skeleton:
    """The same body with its limbs in another order."""
    extending = tuple(limbs.index(skeleton.limbs[limb]) for limb in skeleton.extending_limbs)
    return replace(skeleton, limbs=limbs, extending_limbs=extending)


_COCO17_KEYPOINTS = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip

COCO17 = Skeleton(
    name='coco',
    keypoints=_COCO17_KEYPOINTS,
    # The person category's own skeleton, as COCO's annotation files list it.
    limbs=(
        (15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10),
        (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6),
    ),
    sigmas=_sigmas(_COCO17_KEYPOINTS),
)  # fmt: skip

_FEET6_KEYPOINTS = (
    'left_big_toe', 'left_small_toe', 'left_heel', 'right_big_toe', 'right_small_toe', 'right_heel',
)  # fmt: skip

# COCO-WholeBody's foot_kpts, on which foot AP is computed.
FEET6 = Skeleton(
    name='feet',
    keypoints=_FEET6_KEYPOINTS,
    limbs=((0, 1), (0, 2), (3, 4), (3, 5)),
    sigmas=_sigmas(_FEET6_KEYPOINTS),
)

# COCO's 17 keypoints and the feet, as files of both list them.
COCO23 = Skeleton(
    name='coco_feet',
    keypoints=COCO17.keypoints + FEET6.keypoints,
    limbs=COCO17.limbs + ((15, 17), (17, 18), (15, 19), (16, 20), (20, 21), (16, 22)),
    sigmas=COCO17.sigmas + FEET6.sigmas,
)

_OPENPOSE18_KEYPOINTS = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'right_eye', 'left_eye', 'right_ear', 'left_ear',
)  # fmt: skip

OPENPOSE18 = Skeleton(
    name='coco_openpose',
    keypoints=_OPENPOSE18_KEYPOINTS,
    # The decoding order of the original code (limbSeq), so that its greedy assembly can be repeated limb by limb.
    limbs=(
        (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13),
        (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17),
    ),
    sigmas=_sigmas(_OPENPOSE18_KEYPOINTS),
    midpoints=dict(neck=('left_shoulder', 'right_shoulder')),
    extending_limbs=(17, 18),
)  # fmt: skip

# Its limbs are in the order of the fields' channels in the released networks, of OpenPose and of those trained like it.
OPENPOSE18_RELEASED = _with_limbs(
    OPENPOSE18,
    (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 2), (2, 3), (3, 4), (2, 16), (1, 5), (5, 6), (6, 7),
    (5, 17), (1, 0), (0, 14), (0, 15), (14, 16), (15, 17),
)  # fmt: skip

_BODY25_KEYPOINTS = (
    'nose', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'mid_hip', 'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'right_eye', 'left_eye', 'right_ear', 'left_ear',
    'left_big_toe', 'left_small_toe', 'left_heel', 'right_big_toe', 'right_small_toe', 'right_heel',
)  # fmt: skip

# What OpenPose's own model BODY_25 predicts, and so what many readers of its JSON expect. In the order of decoding.
BODY25 = Skeleton(
    name='body_25',
    keypoints=_BODY25_KEYPOINTS,
    limbs=(
        (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14),
        (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (2, 17), (5, 18),
        (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24),
    ),
    sigmas=_sigmas(_BODY25_KEYPOINTS),
    midpoints=dict(neck=('left_shoulder', 'right_shoulder'), mid_hip=('left_hip', 'right_hip')),
    extending_limbs=(18, 19),
)  # fmt: skip

BODY25_RELEASED = _with_limbs(
    BODY25,
    (1, 8), (9, 10), (10, 11), (8, 9), (8, 12), (12, 13), (13, 14), (1, 2), (2, 3), (3, 4), (2, 17), (1, 5), (5, 6),
    (6, 7), (5, 18), (1, 0), (0, 15), (0, 16), (15, 17), (16, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23),
    (11, 24),
)  # fmt: skip

_MPI15_KEYPOINTS = (
    'head_top', 'neck', 'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle', 'chest',
)  # fmt: skip

# OpenPose's model MPI; its fields are decoded in the order of their channels.
MPI15 = Skeleton(
    name='mpi',
    keypoints=_MPI15_KEYPOINTS,
    limbs=(
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 14), (14, 8), (8, 9), (9, 10), (14, 11), (11, 12),
        (12, 13),
    ),
    sigmas=_sigmas(_MPI15_KEYPOINTS),
    midpoints=dict(neck=('left_shoulder', 'right_shoulder')),
)  # fmt: skip

_FLIC10_KEYPOINTS = (
    'left_shoulder', 'left_elbow', 'left_wrist', 'right_shoulder', 'right_elbow', 'right_wrist',
    'left_hip', 'right_hip', 'left_eye', 'right_eye',
)  # fmt: skip

FLIC10 = Skeleton(
    name='flic',
    keypoints=_FLIC10_KEYPOINTS,
    limbs=((0, 1), (1, 2), (3, 4), (4, 5), (0, 6), (3, 7), (0, 3), (6, 7), (8, 9)),
    sigmas=_sigmas(_FLIC10_KEYPOINTS),
)

_LSP14_KEYPOINTS = (
    'right_ankle', 'right_knee', 'right_hip', 'left_hip', 'left_knee', 'left_ankle',
    'right_wrist', 'right_elbow', 'right_shoulder', 'left_shoulder', 'left_elbow', 'left_wrist', 'neck', 'head_top',
)  # fmt: skip

LSP14 = Skeleton(
    name='lsp',
    keypoints=_LSP14_KEYPOINTS,
    limbs=(
        (12, 13), (12, 8), (8, 7), (7, 6), (12, 9), (9, 10), (10, 11), (12, 2), (2, 1), (1, 0), (12, 3), (3, 4), (4, 5),
    ),
    sigmas=_sigmas(_LSP14_KEYPOINTS),
)  # fmt: skip
