"""Trained networks from ONNX files that describe themselves: NumPy, OpenCV and ONNX Runtime, no PyTorch.

:class:`classicpose.inference.Predictor` takes such a file where it takes a config and a checkpoint.
"""
