from .loading import LoadPicture
from .openpose import CropAroundPerson, ResizeToHeight

__all__ = ['CropAroundPerson', 'LoadPicture', 'ResizeToHeight']
