from .openpose_head import OpenPoseHead
from .part_affinity_head import PartAffinityHead
from .residual_part_affinity_head import ResidualPartAffinityHead

__all__ = ['OpenPoseHead', 'PartAffinityHead', 'ResidualPartAffinityHead']
