"""Images from files and from memory, whole and in one layout or refused."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import re
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING

import cv2
import numpy as np

from .errors import UserError

if TYPE_CHECKING:
    from PIL import Image

_JPEG_START, _JPEG_END = b'\xff\xd8', b'\xff\xd9'
# A JPEG's markers, but those that stand for a byte 0xff, restart the coding or have no length.
_JPEG_MARKER = re.compile(rb'\xff+([^\x00\x01\xd0-\xd8\xff])', re.DOTALL)
# Bytes; no format packs more than a thousand pixels' bytes into one.
_SURELY_SMALL = 2**18
# What Pillow raises about files that are no images, or broken ones.
_PILLOW_ERRORS = (OSError, SyntaxError, ValueError)
_KNOWN = 'an image is (H, W, 3) uint8 BGR, a Pillow image, or a (3, H, W) uint8 RGB tensor; gray and alpha may be, too'


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
    except (OSError, ValueError) as error:  # the latter for a name with a zero byte
        reason = getattr(error, 'strerror', None) or error
        remedy = 'give the path of an image' if upright else 'check data_root and data_prefix'
        raise UserError(f'image {path!s} cannot be read ({reason}); {remedy}') from error
    return decode_image(data, path, upright)


def decode_image(data: bytes, name: str, upright: bool = False) -> np.ndarray:
    """The image in a file's bytes, see :func:`read_image`; ``name`` is for errors."""
    if data.startswith(_JPEG_START) and not (data.endswith(_JPEG_END) or _has_jpeg_end(data)):
        raise UserError(f'image {name} is a truncated JPEG; copy or download it again')
    _check_size(data, name)
    flags = cv2.IMREAD_COLOR if upright else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags) if data else None
    except cv2.error as error:  # more pixels than OpenCV takes
        raise UserError(f'image {name} cannot be decoded ({_one_line(error)}); make it smaller or remove it') from error
    if image is None:
        image = _decoded_by_pillow(data, name, upright)
    return image


def _has_jpeg_end(data: bytes) -> bool:
    """Whether a JPEG's own end marker is there; those of its previews do not count, and anything may stand behind it.

    Segments of parameters are stepped over by their lengths, pixels by a search for the next marker.
    """
    place = len(_JPEG_START)
    while marker := _JPEG_MARKER.search(data, place):
        if marker[1] == _JPEG_END[1:]:
            return True
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], 'big')
    return False


def _check_size(data: bytes, name: str) -> None:
    """Refuse, before it is decoded, an image of more pixels than Pillow takes for harmless."""
    if len(data) < _SURELY_SMALL:
        return
    pillow = _pillow()
    with warnings.catch_warnings(), contextlib.suppress(*_PILLOW_ERRORS):
        warnings.simplefilter('ignore', pillow.DecompressionBombWarning)
        try:
            pillow.open(io.BytesIO(data)).close()
        except pillow.DecompressionBombError as error:
            most = 2 * pillow.MAX_IMAGE_PIXELS / 1e6
            raise UserError(f'image {name} has more than {most:.0f} megapixels: make it smaller or cut it') from error


def _decoded_by_pillow(data: bytes, name: str, upright: bool) -> np.ndarray:
    """GIF, AVIF and HEIC, as far as the installed Pillow knows them."""
    pillow = _pillow()
    try:
        with pillow.open(io.BytesIO(data)) as image:
            return _of_pillow(image, upright)
    except (*_PILLOW_ERRORS, pillow.DecompressionBombError) as error:
        raise UserError(_unreadable(name)) from error


def _unreadable(name: str) -> str:
    hint = '; for HEIC: pip install pillow-heif' if name.lower().endswith(('.heic', '.heif')) else ''
    return f'image {name} is not a readable image; copy or download it again, or remove it{hint}'


def check_image_size(path: str | os.PathLike, most_pixels: int) -> None:
    """Look at an image file's first bytes alone, as a small file may hold an enormous image.

    Raises:
        UserError: when it has more pixels, or is no image that Pillow knows.
    """
    pillow = _pillow()
    try:
        with pillow.open(path) as image:
            width, height = image.size
    except pillow.DecompressionBombError as error:
        raise UserError(
            f'image {path} has far more than {most_pixels / 1e6:g} million pixels; make it smaller'
        ) from error
    except _PILLOW_ERRORS as error:
        raise UserError(_unreadable(str(path))) from error
    if width * height > most_pixels:
        raise UserError(
            f'image {path} has {width} x {height} pixels, more than {most_pixels / 1e6:g} million; make it smaller'
        )


def is_animated(path: str) -> bool:
    """Whether a file is an image of several frames, as far as Pillow can tell."""
    pillow = _pillow()
    try:
        with pillow.open(path) as image:
            return getattr(image, 'is_animated', False)
    except (*_PILLOW_ERRORS, pillow.DecompressionBombError):
        return False


def as_image(value: object) -> np.ndarray:
    """An image in memory as (H, W, 3) uint8 BGR.

    Args:
        value: an array (H, W), (H, W, 1), (H, W, 3) BGR or (H, W, 4) BGRA; a Pillow image, turned as its EXIF data say;
            or a tensor as torchvision's (1, H, W), (3, H, W) RGB or (4, H, W) RGBA. Numbers are uint8.

    Raises:
        UserError: for anything else, empty ones and numbers that are no uint8 among them.
    """
    if is_pillow_image(value):
        return _of_pillow(value, upright=True)
    rgb = hasattr(value, 'detach')  # a tensor, without importing PyTorch for it
    array = value.detach().cpu().numpy() if rgb else value
    if not isinstance(array, np.ndarray):
        raise UserError(f'a {type(value).__name__} is no image: {_KNOWN}')
    if array.dtype != np.uint8:
        raise UserError(f'an image of {array.dtype} numbers: {_KNOWN}; scale it to 0 to 255 and convert it')
    if rgb and array.ndim == 3:
        array = array.transpose(1, 2, 0)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        raise UserError(f'an image of shape {tuple(value.shape)}: {_KNOWN}')
    channels = array[..., :3] if array.shape[2] > 1 else array.repeat(3, axis=2)
    return np.ascontiguousarray(channels[..., ::-1] if rgb else channels)


def is_pillow_image(value: object) -> bool:
    """Whether something is an image of Pillow's, which is not imported for it."""
    return 'PIL.Image' in sys.modules and isinstance(value, sys.modules['PIL.Image'].Image)


@functools.cache
def _pillow() -> ModuleType:
    """Pillow's module of images, which few images need; with HEIC, which iPhones take, where that is installed."""
    from PIL import Image

    with contextlib.suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()
    return Image


def _of_pillow(image: Image.Image, upright: bool) -> np.ndarray:
    from PIL import ImageOps

    rgb = (ImageOps.exif_transpose(image) if upright else image).convert('RGB')
    if not all(rgb.size):
        raise UserError(f'an image of size {rgb.size}: {_KNOWN}')
    return np.ascontiguousarray(np.asarray(rgb)[..., ::-1])


def _one_line(error: Exception) -> str:
    return ' '.join(str(error).split())[:200]
