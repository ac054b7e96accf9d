from __future__ import annotations

from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from classicpose.errors import UserError
from classicpose.images import read_image

from ..image_cache import ImageCache


@TRANSFORMS.register_module(name=['LoadIntactImage', 'LoadPicture'])
class LoadIntactImage(BaseTransform):
    """Read ``img_path`` into ``img`` (H, W, 3), uint8, BGR, and set ``img_shape`` and ``ori_shape`` (H, W).

    An ``img`` that is there already, as MMPose's inference has it, stays.

    Unlike MMPose's LoadImage it refuses broken files: OpenCV fills the missing part of a truncated JPEG with grey
    and says nothing.

    Args:
        cache: keep decoded images in at most this much memory, in GiB, for all of a loader's processes together. From
            the second epoch on they are copied instead of decoded. 0 keeps none.

    Raises:
        UserError: when the file is missing, truncated or no image; when there is not as much memory as ``cache``.
    """

    def __init__(self, cache: float = 0.0) -> None:
        if not isinstance(cache, (int, float)) or cache is True or not cache >= 0:
            raise UserError(f'cache is how many GiB of decoded images LoadIntactImage keeps, 0 for none; not {cache!r}')
        self._read = ImageCache(cache).read if cache else read_image

    def transform(self, results: dict) -> dict:
        """Add ``img``, ``img_shape`` and ``ori_shape``."""
        if 'img' not in results:
            results['img'] = self._read(results['img_path'])
        results.setdefault('img_path', '')
        results['img_shape'] = results['ori_shape'] = results['img'].shape[:2]
        return results
