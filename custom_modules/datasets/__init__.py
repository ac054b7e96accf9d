from .coco import BottomUpCocoDataset
from .flic import FlicDataset
from .lsp import LspDataset
from .top_down import TopDownCocoDataset
from .transforms import CropAroundPerson, LoadPicture, ResizeToHeight

__all__ = [
    'BottomUpCocoDataset', 'CropAroundPerson', 'FlicDataset', 'LoadPicture', 'LspDataset', 'ResizeToHeight',
    'TopDownCocoDataset',
]  # fmt: skip
