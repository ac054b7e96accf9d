from .deeppose_label import DeepPoseLabel
from .part_affinity_field import PartAffinityField

__all__ = ['DeepPoseLabel', 'PartAffinityField']
