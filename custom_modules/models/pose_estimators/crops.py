"""Square crops of images, turned and mirrored at will, cut out on the device.

Convention: image and crop coordinates are (x, y) with integers at pixel centres. A crop of n pixels and side s around
c has its pixel u at image position c + A ((u + 0.5) / n - 0.5), A = s * rotation * mirror.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

# Samples a pixel along x and y; crops are mostly coarser than the image.
_OVERSAMPLING = 2


class Crops(NamedTuple):
    """M crops of each of B images: center (B, M, 2) in image pixels, linear (B, M, 2, 2) the matrix A."""

    center: torch.Tensor
    linear: torch.Tensor

    def to_image(self, points: torch.Tensor, size: int) -> torch.Tensor:
        """(B, M, K, 2) from the crops' pixels to their images'."""
        return ((points + 0.5) / size - 0.5) @ self.linear.mT + self.center[:, :, None]

    def from_image(self, points: torch.Tensor, size: int) -> torch.Tensor:
        """(B, M, K, 2), or (B, 1, K, 2) for all crops, from the images' pixels to the crops'."""
        inside = torch.linalg.solve(self.linear, (points - self.center[:, :, None]).mT).mT
        return (inside + 0.5) * size - 0.5

    def cut(self, images: torch.Tensor, size: int) -> torch.Tensor:
        """(B, C, H, W) to (B, M, C, size, size), bilinear, zero outside the images."""
        batch, channels, height, width = images.shape
        count = self.center.shape[1]
        fine = size * _OVERSAMPLING
        steps = (torch.arange(fine, dtype=self.linear.dtype, device=images.device) + 0.5) / fine - 0.5
        grid = torch.stack(torch.meshgrid(steps, steps, indexing='xy'), dim=-1).reshape(-1, 2)
        points = grid @ self.linear.mT + self.center[:, :, None]
        # grid_sample has -1 and 1 at the outer edges of the first and last pixel.
        points = (2 * points + 1) / points.new_tensor([width, height]) - 1
        points = points.reshape(batch, count * fine, fine, 2).to(images.dtype)
        crops = F.grid_sample(images, points, mode='bilinear', padding_mode='zeros', align_corners=False)
        crops = F.avg_pool2d(crops.reshape(batch * channels, count, fine, fine), _OVERSAMPLING)
        return crops.reshape(batch, channels, count, size, size).transpose(1, 2)


def square_crops(
    center: torch.Tensor, side: torch.Tensor, angle: torch.Tensor | None = None, mirrored: torch.Tensor | None = None
) -> Crops:
    """Crops of squares that may be rotated and mirrored.

    They are around ``center`` (B, M, 2) with ``side`` (B, M) in image pixels, ``angle`` (B, M) in radians, and
    ``mirrored`` (B, M) bool.
    """
    angle = torch.zeros_like(side) if angle is None else angle
    sign = torch.ones_like(side) if mirrored is None else 1 - 2 * mirrored.to(side.dtype)
    cosine, sine = side * angle.cos(), side * angle.sin()
    linear = torch.stack([cosine * sign, -sine, sine * sign, cosine], dim=-1).unflatten(-1, (2, 2))
    return Crops(center, linear)
