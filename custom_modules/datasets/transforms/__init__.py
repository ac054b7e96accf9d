from .hands import MirrorLeftHand
from .loading import LoadIntactImage
from .openpose import CropAroundPerson, IgnoreOutsidePeople, ResizeToHeight

__all__ = ['CropAroundPerson', 'IgnoreOutsidePeople', 'LoadIntactImage', 'MirrorLeftHand', 'ResizeToHeight']
