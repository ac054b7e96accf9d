"""Joints relative to the centre of their box, as DeepPose normalises them."""

from __future__ import annotations

import numpy as np
from mmpose.codecs import RegressionLabel
from mmpose.registry import KEYPOINT_CODECS

# Of a box's size, from its top left corner.
_CENTER = 0.5


@KEYPOINT_CODECS.register_module()
class DeepPoseLabel(RegressionLabel):
    """Coordinates divided by the box's size, the origin at its centre: -0.5 to 0.5 inside (Toshev and Szegedy 2014).

    MMPose's RegressionLabel has the origin at the top left. Here the output zero is the middle of the crop, so in a
    cascade's later stages zero repeats the previous stage's prediction. Joints outside the crop have weight zero. The
    crop's pixels reach from -0.5 to its size less 0.5.

    Args:
        input_size: (w, h) of the crop, in pixels.
    """

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """``keypoint_labels`` (N, K, 2) and ``keypoint_weights`` (N, K) of keypoints (N, K, 2) in the crop's pixels."""
        visible = np.ones(keypoints.shape[:2]) if keypoints_visible is None else keypoints_visible
        shares = (keypoints + 0.5) / self.input_size
        inside = ((shares >= 0) & (shares < 1)).all(axis=-1)
        return dict(
            keypoint_labels=(shares - _CENTER).astype(np.float32),
            keypoint_weights=((visible > 0) & inside).astype(np.float32),
        )

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (N, K, 2) in the crop's pixels, and scores (N, K), all 1."""
        keypoints, scores = super().decode(encoded + _CENTER)
        return keypoints - 0.5, scores
