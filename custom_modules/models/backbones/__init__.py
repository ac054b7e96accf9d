from .openpose_vgg import OpenPoseVGG

__all__ = ['OpenPoseVGG']
