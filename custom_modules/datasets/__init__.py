from .batches import TargetBatch, target_batch_collate
from .coco import BottomUpCocoDataset
from .combined import BottomUpPeopleDataset, CombinedSkeletonDataset
from .flic import FlicDataset
from .hands_and_faces import FaceDataset, HandDataset, HandOrFaceDataset
from .lsp import LspDataset
from .samplers import SameSizeBatchSampler
from .top_down import TopDownCocoDataset
from .transforms import CropAroundPerson, IgnoreOutsidePeople, LoadIntactImage, MirrorLeftHand, ResizeToHeight

__all__ = [
    'BottomUpCocoDataset', 'BottomUpPeopleDataset', 'CombinedSkeletonDataset', 'CropAroundPerson', 'FaceDataset',
    'FlicDataset', 'HandDataset', 'HandOrFaceDataset', 'IgnoreOutsidePeople', 'LoadIntactImage', 'LspDataset',
    'MirrorLeftHand', 'ResizeToHeight', 'SameSizeBatchSampler', 'TargetBatch', 'TopDownCocoDataset',
    'target_batch_collate',
]  # fmt: skip
