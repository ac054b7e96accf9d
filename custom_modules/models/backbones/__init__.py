from .deeppose_alexnet import DeepPoseAlexNet
from .efficientnet_lite import EfficientNetLite
from .openpose_vgg import OpenPoseVGG, PoseMachineVGG
from .simplepose_net import SimplePoseNet

__all__ = ['DeepPoseAlexNet', 'EfficientNetLite', 'OpenPoseVGG', 'PoseMachineVGG', 'SimplePoseNet']
