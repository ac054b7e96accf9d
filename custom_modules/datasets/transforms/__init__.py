from .hands import MirrorLeftHand
from .loading import LoadIntactImage
from .openpose import CropAroundPerson, ResizeToHeight

__all__ = ['CropAroundPerson', 'LoadIntactImage', 'MirrorLeftHand', 'ResizeToHeight']
