from .coco import BottomUpCocoDataset
from .flic import FlicDataset
from .lsp import LspDataset
from .top_down import TopDownCocoDataset
from .transforms import CropAroundPerson, LoadIntactImage, ResizeToHeight

__all__ = [
    'BottomUpCocoDataset', 'CropAroundPerson', 'FlicDataset', 'LoadIntactImage', 'LspDataset', 'ResizeToHeight',
    'TopDownCocoDataset',
]  # fmt: skip
