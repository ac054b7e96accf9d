"""Crops against cv2.warpAffine, and points against the pixels they name."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from custom_modules.models.pose_estimators.crops import square_crops


def smooth_image(seed: int = 0, size: tuple[int, int] = (90, 120)) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 100, (*size, 3)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 6)


def crops_of(*rows: tuple[float, float, float, float, bool]) -> object:
    """Of (x, y, side, angle, mirrored), one image."""
    table = torch.tensor(rows, dtype=torch.float64)[None]
    return square_crops(table[..., :2], table[..., 2], table[..., 3], table[..., 4] > 0)


@pytest.mark.parametrize('mirrored', [False, True])
@pytest.mark.parametrize('angle', [0.0, 0.6, -2.0])
def test_crops_agree_with_opencv(angle: float, mirrored: bool) -> None:
    image = smooth_image()
    crops = crops_of((60.3, 41.7, 40.0, angle, mirrored), (30.0, 50.5, 32.0, angle, mirrored))
    cut = crops.cut(torch.from_numpy(image).permute(2, 0, 1)[None].double(), 32)
    assert cut.shape == (1, 2, 3, 32, 32)
    for index in range(2):
        corners = torch.tensor([[0.0, 0.0], [31.0, 0.0], [0.0, 31.0]], dtype=torch.float64)
        inside = crops.to_image(corners[None, None].expand(1, 2, 3, 2), 32)[0, index].numpy().astype(np.float32)
        matrix = cv2.getAffineTransform(inside, corners.numpy().astype(np.float32))
        expected = cv2.warpAffine(image, matrix, (32, 32), flags=cv2.INTER_LINEAR)
        np.testing.assert_allclose(cut[0, index].permute(1, 2, 0).numpy(), expected, atol=1.0)


def test_points_there_and_back() -> None:
    crops = crops_of((60.3, 41.7, 40.0, 0.4, False), (10.0, 5.0, 17.0, -1.0, True))
    points = torch.rand(1, 2, 7, 2, dtype=torch.float64) * 100
    torch.testing.assert_close(crops.from_image(crops.to_image(points, 24), 24), points)
    own = torch.rand(1, 1, 5, 2, dtype=torch.float64) * 100
    torch.testing.assert_close(crops.to_image(crops.from_image(own, 24), 24), own.expand(1, 2, 5, 2))


def test_the_centre_and_a_corner_by_hand() -> None:
    """Of 10 pixels, side 20, around (50, 30): the middle lies between pixels 4 and 5, pixel 0 is 9 to the left."""
    crops = crops_of((50, 30, 20, 0, False), (50, 30, 20, 0, True))
    points = torch.tensor([[4.5, 4.5], [0.0, 9.0]], dtype=torch.float64)
    straight, mirrored = crops.to_image(points.expand(1, 2, 2, 2), 10)[0]
    assert straight.tolist() == [[50, 30], [41, 39]]
    assert mirrored.tolist() == [[50, 30], [59, 39]]


def test_outside_the_image_is_zero() -> None:
    crops = crops_of((0.0, 0.0, 20.0, 0.0, False))
    cut = crops.cut(torch.ones(1, 1, 40, 40, dtype=torch.float64), 10)[0, 0, 0]
    assert (cut[:4] == 0).all()
    assert (cut[:, :4] == 0).all()
    torch.testing.assert_close(cut[6:, 6:], torch.ones(4, 4, dtype=torch.float64))


def test_every_image_has_its_own_crops() -> None:
    images = torch.stack([torch.full((1, 20, 20), value) for value in (1.0, 2.0)])
    crops = square_crops(torch.full((2, 3, 2), 10.0), torch.full((2, 3), 6.0))
    cut = crops.cut(images, 4)
    assert cut.shape == (2, 3, 1, 4, 4)
    torch.testing.assert_close(cut, images[:, None, :, :4, :4].expand(2, 3, 1, 4, 4))
