"""Networks as ONNX files: out and in."""
