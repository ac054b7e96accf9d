from __future__ import annotations

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS

from ...errors import UserError

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
# Some cameras append data of their own behind the end marker.
_JPEG_TAIL = 4096


@TRANSFORMS.register_module()
class LoadPicture(BaseTransform):
    """Read ``img_path`` into ``img`` (H, W, 3), uint8, BGR, and set ``img_shape`` and ``ori_shape`` (H, W).

    Unlike MMPose's LoadImage it refuses broken files: OpenCV fills the missing part of a truncated JPEG with grey and
    says nothing.

    Raises:
        UserError: when the file is missing, truncated or no picture.
    """

    def transform(self, results: dict) -> dict:
        image = read_picture(results['img_path'])
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results


def read_picture(path: str, upright: bool = False) -> np.ndarray:
    """The picture in a file, (H, W, 3) uint8 BGR.

    Args:
        upright: turned as its EXIF data say; by default as the annotators saw it, who ignored them, as COCO does.

    Raises:
        UserError: when the file is missing, truncated or no picture.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except OSError as error:
        raise UserError(f'picture {path} cannot be read ({error.strerror}); check data_root and data_prefix') from error
    return decode_picture(data, path, upright)


def decode_picture(data: bytes, name: str, upright: bool = False) -> np.ndarray:
    """The picture in a file's bytes, see :func:`read_picture`; ``name`` is for errors."""
    if data.startswith(_JPEG_START) and _JPEG_END not in data[-_JPEG_TAIL:]:
        raise UserError(f'picture {name} is a truncated JPEG; copy or download it again')
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise UserError(f'picture {name} is not a readable picture; copy or download it again, or remove it')
    return image
