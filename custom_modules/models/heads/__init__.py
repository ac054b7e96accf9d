from .batch_heads import BatchHeatmapHead, BatchRegressionHead, BatchRLEHead, BatchRTMCCHead, BatchSimCCHead
from .confident_simcc_head import ConfidentRTMCCHead
from .openpose_2019_head import OpenPose2019Head
from .openpose_head import OpenPoseHead
from .part_affinity_head import PartAffinityHead
from .pose_machine_head import PoseMachineHead
from .residual_part_affinity_head import ResidualPartAffinityHead

__all__ = [
    'BatchHeatmapHead', 'BatchRLEHead', 'BatchRTMCCHead', 'BatchRegressionHead', 'BatchSimCCHead', 'ConfidentRTMCCHead',
    'OpenPose2019Head', 'OpenPoseHead', 'PartAffinityHead', 'PoseMachineHead', 'ResidualPartAffinityHead',
]  # fmt: skip
