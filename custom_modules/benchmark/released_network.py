"""Networks exported to ONNX by projects that keep the released OpenPose's channels, for real maps to decode."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18, OPENPOSE18_RELEASED


class ReleasedNetwork:
    """A public network as an ONNX file, in the form that tf-pose-estimation exports.

    Images are (1, H, W, 3) float32, BGR, 0 to 255, resized without keeping their aspect; maps are (1, H / s, W / s,
    57): 18 keypoints and the background, then 19 fields in the released order.

    Attributes:
        size: (W, H) of its input.
        stride: s, input pixels a cell.

    Raises:
        UserError: for a file that is missing or has other inputs and outputs.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        import onnxruntime  # half a second that only its users pay

        if not Path(path).is_file():
            raise UserError(f'network {path} does not exist; give an .onnx file')
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
        except Exception as error:  # onnxruntime's errors share no class of their own
            raise UserError(f'{path} is not a network that onnxruntime can load; copy it again') from error
        shapes = [self._session.get_inputs()[0].shape, self._session.get_outputs()[0].shape]
        if any(len(shape) != 4 for shape in shapes) or shapes[0][3] != 3 or shapes[1][3] != 57:
            raise UserError(f'{path} maps {shapes[0]} to {shapes[1]}, not (1, H, W, 3) to (1, H / s, W / s, 57)')
        self.size = (shapes[0][2], shapes[0][1])
        self.stride = shapes[0][1] / shapes[1][1]

    def maps(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The image's (H, W, 3) uint8 BGR heatmaps (19, h, w), and fields (38, h, w) in OPENPOSE18's order."""
        inputs = cv2.resize(image, self.size).astype(np.float32)[None]
        (output,) = self._session.run(None, {self._session.get_inputs()[0].name: inputs})
        maps = output[0].transpose(2, 0, 1)
        order = [OPENPOSE18_RELEASED.limbs.index(limb) for limb in OPENPOSE18.limbs]
        fields = maps[19:].reshape(len(order), 2, *maps.shape[1:])[order]
        return np.ascontiguousarray(maps[:19]), fields.reshape(-1, *maps.shape[1:])

    def to_image(self, keypoints: np.ndarray, image: np.ndarray) -> np.ndarray:
        """(..., 2) from input pixels to the image's."""
        factor = np.array(image.shape[1::-1]) / self.size
        return (keypoints + 0.5) * factor - 0.5
