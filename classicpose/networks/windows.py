"""What of an image a network sees, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import UserError

# Outside the image the original network sees mid-grey.
_BORDER = (128, 128, 128)
# Of a network's input. An image that is twenty times as wide as high has 3 megapixels at a height of 368.
_MOST_PIXELS = 2**24


@dataclass(frozen=True)
class Window:
    """Where a network's input lies in an image.

    Convention, as MMPose's: ``x_image = x_input / size * scale + center - scale / 2``.

    Attributes:
        size: (w, h) of the input.
        scale: (w, h) of the window, in image pixels.
        center: (x, y) of its centre, in image pixels.
    """

    size: tuple[int, int]
    scale: np.ndarray
    center: np.ndarray

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """(..., 2) of the input's pixels to the image's."""
        return points / self.size * self.scale + self.center - 0.5 * self.scale


def resized(image: np.ndarray, height: int | None, width: int | None, stride: int) -> tuple[np.ndarray, Window]:
    """A full image for a network, its aspect kept, padded at the right and below to multiples of the stride.

    Args:
        image: (H, W, 3) uint8.
        height, width: of the resized image; None for any. With both the image fits into them.

    Raises:
        UserError: when the network would see more pixels than any memory takes.
    """
    old_size = np.array(image.shape[1::-1])
    limits = zip((width, height), old_size, strict=True)
    ratio = min(new / old for new, old in limits if new is not None)
    new_size = np.maximum(np.round(old_size * ratio), 1).astype(int)
    if new_size.prod() > _MOST_PIXELS:
        raise UserError(
            f'an image of {old_size[0]}x{old_size[1]} would be {new_size[0]}x{new_size[1]} for the network, more than '
            f'{_MOST_PIXELS / 2**20:.0f} megapixels: cut it, or give a smaller net_resolution'
        )
    small = cv2.resize(image, tuple(new_size.tolist()), interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC)
    right, below = (-new_size % stride).tolist()
    small = cv2.copyMakeBorder(small, 0, below, 0, right, cv2.BORDER_CONSTANT, value=_BORDER)
    # cv2.resize matches the areas of pixels: x_new + 0.5 = (x_old + 0.5) * factor.
    factor = new_size / old_size
    size = new_size + (right, below)
    scale = size / factor
    return small, Window(tuple(size.tolist()), scale, scale / 2 + 0.5 / factor - 0.5)


def cut_out(image: np.ndarray, box: np.ndarray, size: tuple[int, int], padding: float) -> tuple[np.ndarray, Window]:
    """A box's surroundings at a network's size, as MMPose's GetBBoxCenterScale and TopdownAffine cut them.

    Args:
        image: (H, W, 3) uint8.
        box: (4,) x1, y1, x2, y2; it is widened or heightened to the aspect of ``size``.
        size: (w, h) of the input.
        padding: factor by which the box is enlarged.
    """
    box = box.astype(np.float32)
    width, height = (box[2:] - box[:2]) * np.float32(padding)
    center = (box[2:] + box[:2]) * np.float32(0.5)
    aspect = size[0] / size[1]
    scale = np.array([width, width / aspect] if width > height * aspect else [height * aspect, height])
    warp = cv2.getAffineTransform(_corners(center, scale[0]), _corners(np.array(size) * 0.5, size[0]))
    return cv2.warpAffine(image, warp, size, flags=cv2.INTER_LINEAR), Window(size, scale, center)


def _corners(center: np.ndarray, width: float) -> np.ndarray:
    """(3, 2) the centre, the middle of the left side, and the point below that by as much."""
    half = width * 0.5
    return np.float32([center, center + (-half, 0), center + (-half, half)])


def normalised(image: np.ndarray, channels: str, mean: tuple[float, ...], std: tuple[float, ...]) -> np.ndarray:
    """An image (H, W, 3) BGR of 0 to 255 as a network's input (3, H, W) float32."""
    ordered = image[..., ::-1] if channels == 'RGB' else image
    planes = np.ascontiguousarray(ordered.transpose(2, 0, 1), dtype=np.float32)
    planes -= np.float32(mean)[:, None, None]
    planes /= np.float32(std)[:, None, None]
    return planes
