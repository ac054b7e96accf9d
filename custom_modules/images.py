"""Image files, read whole or refused."""

from __future__ import annotations

import cv2
import numpy as np

from .errors import UserError

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
# Some cameras append data of their own behind the end marker.
_JPEG_TAIL = 4096


def read_image(path: str, upright: bool = False) -> np.ndarray:
    """The image in a file, (H, W, 3) uint8 BGR.

    Args:
        upright: turned as its EXIF data say; by default as the annotators saw it, who ignored them, as COCO does.

    Raises:
        UserError: when the file is missing, truncated or no image.
    """
    try:
        with open(path, 'rb') as file:
            data = file.read()
    except OSError as error:
        raise UserError(f'image {path} cannot be read ({error.strerror}); check data_root and data_prefix') from error
    return decode_image(data, path, upright)


def decode_image(data: bytes, name: str, upright: bool = False) -> np.ndarray:
    """The image in a file's bytes, see :func:`read_image`; ``name`` is for errors."""
    if data.startswith(_JPEG_START) and _JPEG_END not in data[-_JPEG_TAIL:]:
        raise UserError(f'image {name} is a truncated JPEG; copy or download it again')
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    if image is None:
        raise UserError(f'image {name} is not a readable image; copy or download it again, or remove it')
    return image
