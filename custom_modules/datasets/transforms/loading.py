from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...images import read_image


@TRANSFORMS.register_module(name=['LoadIntactImage', 'LoadPicture'])
class LoadIntactImage(BaseTransform):
    """Read ``img_path`` into ``img`` (H, W, 3), uint8, BGR, and set ``img_shape`` and ``ori_shape`` (H, W).

    Unlike MMPose's LoadImage it refuses broken files: OpenCV fills the missing part of a truncated JPEG with grey
    and says nothing.

    Raises:
        UserError: when the file is missing, truncated or no image.
    """

    def transform(self, results: dict) -> dict:
        """Add ``img``, ``img_shape`` and ``ori_shape``."""
        image = read_image(results['img_path'])
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results
