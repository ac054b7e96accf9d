"""Keypoints of one hand or face <-> the heatmaps of a convolutional pose machine."""

from __future__ import annotations

import cv2
import numpy as np
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS

from classicpose.paf import gaussian_heatmaps
from classicpose.skeletons import Skeleton, get_skeleton


@KEYPOINT_CODECS.register_module()
class PoseMachineHeatmap(BaseKeypointCodec):
    """A map for each keypoint and one for the background. A keypoint is the maximum of its map, enlarged to the input.

    The grid is that of ``PartAffinityField``: the centre of cell g lies at input pixel s * g + s / 2 - 0.5.

    Args:
        input_size: (w, h) of the network's input, in pixels.
        heatmap_size: (W, H) of its maps, in cells.
        skeleton: the keypoints of the hand or face.
        sigma: the standard deviation of the Gaussians, in input pixels.
    """

    label_mapping_table = dict(keypoint_weights='keypoint_weights')
    field_mapping_table = dict(heatmaps='heatmaps')

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        skeleton: Skeleton | str,
        sigma: float = 7.0,
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.heatmap_size = tuple(heatmap_size)
        self.skeleton = get_skeleton(skeleton)
        self.sigma = sigma

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Heatmaps of one hand or face, background last, and the weights of its keypoints.

        ``heatmaps`` (K + 1, H, W) and ``keypoint_weights`` (1, K), 0 for keypoints that are not labelled or lie
        outside, of keypoints (1, K, 2) in input pixels.
        """
        visible = np.ones(keypoints.shape[:2]) if keypoints_visible is None else keypoints_visible
        inside = ((keypoints >= -0.5) & (keypoints < np.array(self.input_size) - 0.5)).all(axis=-1)
        weights = ((visible > 0) & inside).astype(np.float32)
        stride = self.input_size[0] / self.heatmap_size[0]
        maps = gaussian_heatmaps(keypoints, weights, size=self.heatmap_size, stride=stride, sigma=self.sigma)
        return dict(heatmaps=maps, keypoint_weights=weights)

    def decode(self, encoded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Keypoints (1, K, 2) in input pixels and their maps' values there (1, K), 0 where these are negative."""
        count = len(self.skeleton.keypoints)
        places, scores = np.zeros((1, count, 2), np.float32), np.zeros((1, count), np.float32)
        for index, small in enumerate(encoded[:count]):
            enlarged = cv2.resize(small, self.input_size, interpolation=cv2.INTER_CUBIC)
            row, column = np.unravel_index(enlarged.argmax(), enlarged.shape)
            places[0, index] = column, row
            scores[0, index] = max(enlarged[row, column], 0)
        return places, scores
