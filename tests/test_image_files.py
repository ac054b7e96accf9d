"""Images of every kind come in one layout, or are refused in a sentence."""

from __future__ import annotations

import io
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, features

from classicpose.errors import UserError
from classicpose.images import as_image, decode_image, is_animated, read_image

BGR = np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)
RGB = np.ascontiguousarray(BGR[..., ::-1])
GRAY = BGR[..., 0]
ALPHA = np.full((6, 8, 1), 77, np.uint8)


@pytest.mark.parametrize(
    'value',
    [
        BGR,
        np.concatenate([BGR, ALPHA], axis=2),
        Image.fromarray(RGB),
        Image.fromarray(np.concatenate([RGB, ALPHA], axis=2)),
        torch.from_numpy(RGB).permute(2, 0, 1),
        torch.from_numpy(np.concatenate([RGB, ALPHA], axis=2)).permute(2, 0, 1),
    ],
)
def test_colours(value: object) -> None:
    np.testing.assert_array_equal(as_image(value), BGR)


@pytest.mark.parametrize(
    'value', [GRAY, GRAY[..., None], Image.fromarray(GRAY), torch.from_numpy(GRAY), torch.from_numpy(GRAY)[None]]
)
def test_gray(value: object) -> None:
    np.testing.assert_array_equal(as_image(value), np.dstack([GRAY] * 3))


def test_a_pillow_image_is_turned_as_its_exif_data_say() -> None:
    image = Image.fromarray(RGB)
    image.getexif()[0x0112] = 6  # to be turned clockwise
    data = io.BytesIO()
    image.save(data, 'PNG', exif=image.getexif())
    np.testing.assert_array_equal(as_image(Image.open(data)), cv2.rotate(BGR, cv2.ROTATE_90_CLOCKWISE))


@pytest.mark.parametrize(
    ('value', 'complaint'),
    [
        (BGR / 255, 'an image of float64 numbers: .* scale it'),
        (torch.zeros(3, 6, 8), 'an image of float32 numbers'),
        (BGR[:0], r'an image of shape \(0, 8, 3\)'),
        (BGR[..., :2], r'an image of shape \(6, 8, 2\)'),
        (torch.zeros(6, 8, 3, dtype=torch.uint8), r'an image of shape \(6, 8, 3\)'),
        (BGR[None, None], r'an image of shape'),
        (Image.new('RGB', (0, 5)), r'an image of size \(0, 5\)'),
        (dict(image=BGR), 'a dict is no image'),
        (None, 'a NoneType is no image'),
    ],
)
def test_what_is_no_image(value: object, complaint: str) -> None:
    with pytest.raises(UserError, match=complaint):
        as_image(value)


@pytest.mark.parametrize('kind', ['gif', 'avif'])
def test_files_that_only_pillow_reads(kind: str, tmp_path: Path) -> None:
    if kind == 'avif' and not features.check('avif'):
        pytest.skip('this Pillow does not read AVIF')
    image = Image.fromarray(np.full((32, 48, 3), (200, 40, 90), np.uint8))
    path = tmp_path / f'still.{kind}'
    image.save(path)
    assert not is_animated(str(path))
    read = read_image(str(path))
    assert read.shape == (32, 48, 3)
    assert abs(read.astype(int) - (90, 40, 200)).max() < 10
    frames = [Image.fromarray(np.full((32, 48, 3), grey, np.uint8)) for grey in (0, 99, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert is_animated(str(path))


def test_broken_files_are_named() -> None:
    data = io.BytesIO()
    Image.fromarray(RGB).save(data, 'GIF')
    for name, broken in (('half.gif', data.getvalue()[:20]), ('text.heic', b'text'), ('empty.png', b'')):
        with pytest.raises(UserError, match=f'image {name} is not a readable image'):
            decode_image(broken, name)
    with pytest.raises(UserError, match='cannot be read'):
        read_image('name\0with zero')


@pytest.fixture(scope='module')
def photograph() -> bytes:
    """A JPEG with a preview, as cameras write it, and restart markers."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8))
    preview = io.BytesIO()
    image.resize((40, 30)).save(preview, 'JPEG')
    data = io.BytesIO()
    image.save(data, 'JPEG', quality=90, restart_marker_rows=1)
    segment = b'\xff\xe1' + (len(preview.getvalue()) + 2).to_bytes(2, 'big') + preview.getvalue()
    return data.getvalue()[:2] + segment + data.getvalue()[2:]


@pytest.mark.parametrize('progressive', [False, True])
def test_anything_may_stand_behind_a_jpeg(progressive: bool, photograph: bytes) -> None:
    """As the film of a motion photo does."""
    if progressive:
        data = io.BytesIO()
        Image.open(io.BytesIO(photograph)).save(data, 'JPEG', progressive=True)
        photograph = data.getvalue()
    whole = decode_image(photograph, 'whole.jpg')
    for seed in range(20):
        np.testing.assert_array_equal(
            decode_image(photograph + random.Random(seed).randbytes(200_000), 'motion.jpg'), whole
        )
    np.testing.assert_array_equal(decode_image(photograph + b'\xff\xd8' + bytes(5000), 'two.jpg'), whole)


def test_a_jpeg_is_truncated_wherever_it_ends_early(photograph: bytes) -> None:
    """Its preview, which has an end of its own, is no help."""
    preview_end = photograph.index(b'\xff\xd9') + 2
    for length in (
        preview_end + 3,
        preview_end + 2000,
        len(photograph) // 2,
        len(photograph) - 200,
        len(photograph) - 2,
    ):
        with pytest.raises(UserError, match=r'half\.jpg is a truncated JPEG'):
            decode_image(photograph[:length], 'half.jpg')
