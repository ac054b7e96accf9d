from .deeppose_label import DeepPoseLabel
from .part_affinity_field import PartAffinityField
from .pose_machine_heatmap import PoseMachineHeatmap

__all__ = ['DeepPoseLabel', 'PartAffinityField', 'PoseMachineHeatmap']
