from .coco import BottomUpCocoDataset
from .flic import FlicDataset
from .hands_and_faces import HandOrFaceDataset
from .lsp import LspDataset
from .top_down import TopDownCocoDataset
from .transforms import CropAroundPerson, LoadIntactImage, MirrorLeftHand, ResizeToHeight

__all__ = [
    'BottomUpCocoDataset', 'CropAroundPerson', 'FlicDataset', 'HandOrFaceDataset', 'LoadIntactImage', 'LspDataset',
    'MirrorLeftHand', 'ResizeToHeight', 'TopDownCocoDataset',
]  # fmt: skip
