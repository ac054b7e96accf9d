from .openpose_head import OpenPoseHead
from .part_affinity_head import PartAffinityHead

__all__ = ['OpenPoseHead', 'PartAffinityHead']
