"""The one definition of every body model: keypoint names, limbs, mirror pairs, sigmas and colours.

Datasets take their MMPose metainfo from here, codecs their channels, heads their widths, decoders and drawings their
limbs. An order of keypoints or limbs is written down nowhere else.
"""

from .bodies import (
    BODY25,
    BODY25_RELEASED,
    COCO17,
    COCO23,
    FEET6,
    FLIC10,
    LSP14,
    MPI15,
    OPENPOSE18,
    OPENPOSE18_RELEASED,
)
from .hands_and_faces import FACE68, FACE70, HAND21
from .skeleton import (
    Skeleton,
    convert_keypoints,
    doubtful_sigmas,
    get_skeleton,
    known_keypoints,
    lacking_limbs,
    observer_centric,
    seen_from_behind,
    skeleton_of,
)

__all__ = [
    'BODY25', 'BODY25_RELEASED', 'COCO17', 'COCO23', 'FACE68', 'FACE70', 'FEET6', 'FLIC10', 'HAND21', 'LSP14', 'MPI15',
    'OPENPOSE18', 'OPENPOSE18_RELEASED', 'Skeleton', 'convert_keypoints', 'doubtful_sigmas', 'get_skeleton',
    'known_keypoints', 'lacking_limbs', 'observer_centric', 'seen_from_behind', 'skeleton_of',
]  # fmt: skip
