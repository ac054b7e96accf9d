from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from pycocotools.cocoeval import Params

from classicpose.skeletons import (
    BODY25,
    BODY25_RELEASED,
    COCO17,
    COCO23,
    FACE68,
    FACE70,
    FEET6,
    FLIC10,
    HAND21,
    LSP14,
    MPI15,
    OPENPOSE18,
    OPENPOSE18_RELEASED,
    Skeleton,
    convert_keypoints,
    doubtful_sigmas,
    get_skeleton,
    skeleton_of,
)

ALL = [
    COCO17, COCO23, FEET6, OPENPOSE18, OPENPOSE18_RELEASED, BODY25, BODY25_RELEASED, MPI15, FLIC10, LSP14, HAND21,
    FACE68, FACE70,
]  # fmt: skip

# The original code's tables: COCO's keypoint for each of OpenPose's and back, mirrored keypoints, limbs.
FROM_COCO = [0, (5, 6), 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
TO_COCO = [0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10]
FLIP = [0, 1, 5, 6, 7, 2, 3, 4, 11, 12, 13, 8, 9, 10, 15, 14, 17, 16]
LIMB_SEQ = [
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13), (1, 0),
    (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17),
]  # fmt: skip

# OpenPose's documentation of its output, section "Keypoint Ordering".
BODY_25_BODY_PARTS = [
    'Nose', 'Neck', 'RShoulder', 'RElbow', 'RWrist', 'LShoulder', 'LElbow', 'LWrist', 'MidHip', 'RHip', 'RKnee',
    'RAnkle', 'LHip', 'LKnee', 'LAnkle', 'REye', 'LEye', 'REar', 'LEar', 'LBigToe', 'LSmallToe', 'LHeel', 'RBigToe',
    'RSmallToe', 'RHeel',
]  # fmt: skip


def test_openpose_skeleton_is_the_original() -> None:
    assert list(OPENPOSE18.limbs) == LIMB_SEQ
    assert OPENPOSE18.flip_indices == FLIP


def _openpose_name(name: str) -> str:
    """As OpenPose spells it: ``left_big_toe`` is ``LBigToe``."""
    side = name[:1].upper() if name.startswith(('left_', 'right_')) else ''
    return side + name.removeprefix('left_').removeprefix('right_').title().replace('_', '')


def test_body_25_is_as_documented() -> None:
    assert [_openpose_name(name) for name in BODY25.keypoints] == BODY_25_BODY_PARTS
    reached = {BODY25.keypoints.index('neck')}
    for _ in BODY25.limbs:
        reached |= {part for limb in BODY25.limbs if reached & set(limb) for part in limb}
    assert len(BODY25.limbs) == 26
    assert len(reached) == 25, 'the limbs join all parts to one body'


def test_body_25_has_the_originals_fields() -> None:
    """The limbs in the order of decoding and, of each, the first of its two channels among the network's 52."""
    limbs = [
        (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11), (8, 12), (12, 13), (13, 14),
        (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (2, 17), (5, 18), (14, 19), (19, 20), (14, 21), (11, 22),
        (22, 23), (11, 24),
    ]  # fmt: skip
    channels = [
        0, 14, 22, 16, 18, 24, 26, 6, 2, 4, 8, 10, 12, 30, 32, 36, 34, 38, 20, 28, 40, 42, 44, 46, 48, 50,
    ]  # fmt: skip
    assert list(BODY25.limbs) == limbs
    assert [2 * BODY25_RELEASED.limbs.index(limb) for limb in limbs] == channels
    for skeleton in (BODY25, BODY25_RELEASED):
        assert {skeleton.limbs[limb] for limb in skeleton.extending_limbs} == {(2, 17), (5, 18)}


def test_mpi_is_as_documented() -> None:
    parts = 'HeadTop Neck RShoulder RElbow RWrist LShoulder LElbow LWrist RHip RKnee RAnkle LHip LKnee LAnkle Chest'
    assert [_openpose_name(name) for name in MPI15.keypoints] == parts.split()
    assert list(MPI15.limbs) == [
        (0, 1), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (1, 14), (14, 8), (8, 9), (9, 10), (14, 11), (11, 12),
        (12, 13),
    ]  # fmt: skip


def test_hands_are_five_chains_from_the_wrist() -> None:
    chains = [[limb for limb in HAND21.limbs if limb[1] in range(first, first + 4)] for first in (1, 5, 9, 13, 17)]
    for first, chain in zip((1, 5, 9, 13, 17), chains, strict=True):
        assert chain == [(0, first), (first, first + 1), (first + 1, first + 2), (first + 2, first + 3)]
    assert len(HAND21.limbs) == 20


def test_faces_are_mirrored_as_300_w_s() -> None:
    """The published table of mirrored landmarks, which counts from 1."""
    pairs = [
        (1, 17), (2, 16), (3, 15), (4, 14), (5, 13), (6, 12), (7, 11), (8, 10), (18, 27), (19, 26), (20, 25), (21, 24),
        (22, 23), (32, 36), (33, 35), (37, 46), (38, 45), (39, 44), (40, 43), (41, 48), (42, 47), (49, 55), (50, 54),
        (51, 53), (62, 64), (61, 65), (68, 66), (59, 57), (60, 56),
    ]  # fmt: skip
    expected = list(range(68))
    for a, b in pairs:
        expected[a - 1], expected[b - 1] = b - 1, a - 1
    assert FACE68.flip_indices == expected
    assert FACE70.flip_indices == [*expected, 69, 68]


def test_sigmas_are_cocos() -> None:
    np.testing.assert_allclose(COCO17.sigmas, Params(iouType='keypoints').kpt_oks_sigmas)


def test_conversion_follows_the_originals_tables() -> None:
    keypoints = np.arange(34.0).reshape(1, 17, 2) + 1
    converted, visible = convert_keypoints(keypoints, np.ones((1, 17)), COCO17, OPENPOSE18)
    for index, source in enumerate(FROM_COCO):
        expected = keypoints[0, list(source) if isinstance(source, tuple) else [source]].mean(axis=0)
        np.testing.assert_allclose(converted[0, index], expected)
    assert visible.all()
    back, _ = convert_keypoints(converted, visible, OPENPOSE18, COCO17)
    np.testing.assert_allclose(back[0], converted[0, TO_COCO])
    np.testing.assert_allclose(back, keypoints)


@pytest.mark.parametrize('missing', ['left_shoulder', 'right_shoulder'])
def test_no_neck_without_both_shoulders(missing: str) -> None:
    visible = np.ones((1, 17))
    visible[0, COCO17.keypoints.index(missing)] = 0
    keypoints, visible = convert_keypoints(np.ones((1, 17, 2)), visible, COCO17, OPENPOSE18)
    neck = OPENPOSE18.keypoints.index('neck')
    assert visible[0, neck] == 0
    assert (keypoints[0, neck] == 0).all()


def test_part_that_the_source_lacks_is_missing() -> None:
    keypoints, visible = convert_keypoints(np.ones((2, 10, 2)), np.ones((2, 10)), FLIC10, COCO17)
    assert visible.sum() == 2 * 10
    assert (keypoints[visible == 0] == 0).all()


@pytest.mark.parametrize('skeleton', ALL, ids=lambda skeleton: skeleton.name)
def test_mirroring_twice_is_nothing(skeleton: Skeleton) -> None:
    flip, limb_flip = np.array(skeleton.flip_indices), np.array(skeleton.limb_flip_indices)
    assert (flip[flip] == np.arange(len(flip))).all()
    assert (limb_flip[limb_flip] == np.arange(len(limb_flip))).all()
    for limb, mirrored, sign in zip(skeleton.limbs, limb_flip, skeleton.limb_flip_signs, strict=True):
        assert tuple(flip[list(limb)])[::sign] == skeleton.limbs[mirrored]


@pytest.mark.parametrize('skeleton', ALL, ids=lambda skeleton: skeleton.name)
def test_mmpose_reads_the_metainfo(skeleton: Skeleton) -> None:
    parsed = parse_pose_metainfo(skeleton.metainfo())
    assert parsed['num_keypoints'] == len(skeleton.keypoints)
    assert [tuple(link) for link in parsed['skeleton_links']] == list(skeleton.limbs)
    assert parsed['flip_indices'] == skeleton.flip_indices
    np.testing.assert_allclose(parsed['sigmas'], skeleton.sigmas)


@pytest.mark.parametrize(
    ('keypoints', 'limbs', 'sigmas', 'complaint'),
    [
        (('nose', 'nose'), ((0, 1),), (0.1, 0.1), 'twice'),
        (('nose', 'neck'), ((0, 2),), (0.1, 0.1), 'limbs'),
        (('nose', 'neck'), ((0, 1),), (0.1,), 'sigmas'),
        (('nose', 'left_eye'), ((0, 1),), (0.1, 0.1), 'left_eye'),
    ],
)
def test_impossible_skeletons_are_refused(keypoints: tuple, limbs: tuple, sigmas: tuple, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Skeleton('thing', keypoints, limbs, sigmas)


def test_skeletons_by_their_dotted_name() -> None:
    assert get_skeleton('classicpose.skeletons.COCO17') is COCO17
    for wrong in ('COCO17', 'classicpose.skeletons.COCO18', 'classicpose.skeletons.np', 'no.such.module.X'):
        with pytest.raises(ValueError, match='skeleton|Skeleton'):
            get_skeleton(wrong)


@pytest.mark.parametrize('skeleton', ALL, ids=lambda skeleton: skeleton.name)
def test_the_way_through_mmpose_metainfo_and_back(skeleton: Skeleton) -> None:
    found = skeleton_of(parse_pose_metainfo(skeleton.metainfo()))
    assert (found.name, found.keypoints, found.limbs) == (skeleton.name, skeleton.keypoints, skeleton.limbs)
    np.testing.assert_allclose(found.sigmas, skeleton.sigmas, rtol=1e-6)


@pytest.mark.parametrize('factor', [0.1, 10])
def test_sigmas_ten_times_off_are_doubtful(factor: float) -> None:
    assert not any(map(doubtful_sigmas, ALL))
    for skeleton in (COCO17, OPENPOSE18, FLIC10, LSP14):
        wrong = replace(skeleton, sigmas=tuple(factor * sigma for sigma in skeleton.sigmas))
        assert 'ten times off' in doubtful_sigmas(wrong)
