from .coco import BottomUpCocoDataset
from .transforms import CropAroundPerson, LoadPicture, ResizeToHeight

__all__ = ['BottomUpCocoDataset', 'CropAroundPerson', 'LoadPicture', 'ResizeToHeight']
