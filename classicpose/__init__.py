"""People out of images: OpenPose's affinity fields and DeepPose's cascade, from ONNX files, without PyTorch.

>>> from classicpose import Predictor
>>> people = Predictor('openpose_lite')('photo.jpg')
"""

from .inference import People, Predictor

__version__ = '0.2.0'

__all__ = ['People', 'Predictor']
