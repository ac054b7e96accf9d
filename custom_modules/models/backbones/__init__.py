from .deeppose_alexnet import DeepPoseAlexNet
from .openpose_vgg import OpenPoseVGG

__all__ = ['DeepPoseAlexNet', 'OpenPoseVGG']
