"""Videos as browsers record them: WebM that tells neither its rate nor its duration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np

from classicpose.video import capture_of
from classicpose.writers.video import VideoFile

STAMPS = tuple(1000 * number // 30 + 7 * number * number % 17 for number in range(60))
"""Milliseconds of 60 frames in two seconds, unevenly, as a browser has time."""

_UNKNOWN = bytes([0x01] + [0xFF] * 7)  # size


def recorded_by_a_browser(path: Path, images: Iterable[np.ndarray], stamps: Sequence[int] = STAMPS) -> Path:
    """Write images (H, W, 3) as VP8 frames at the times ``stamps``, in milliseconds, behind a header of RFC 9559."""
    encoded = path.with_name(f'{path.stem}_encoded.webm')
    with VideoFile(encoded) as video:
        for image in images:
            video.write(image)
    with capture_of(str(encoded), (cv2.CAP_PROP_FORMAT, -1)) as capture:
        frames = [capture.read()[1].tobytes() for _ in range(video.written)]
    encoded.unlink()
    height, width = image.shape[:2]
    kind = {'42f7': 1, '42f2': 4, '42f3': 8, '4282': b'webm', '4287': 2, '4285': 2}
    track = {'d7': 1, '73c5': 1, '83': 1, '86': b'V_VP8', 'e0': _element({'b0': width, 'ba': height})}
    header = {'1549a966': _element({'2ad7b1': 1_000_000}), '1654ae6b': _element({'ae': _element(track)})}
    blocks = b''.join(
        _element({'a3': b'\x81' + stamp.to_bytes(2, 'big') + (b'\x00' if stamp else b'\x80') + frame})
        for stamp, frame in zip(stamps, frames, strict=True)
    )
    cluster = bytes.fromhex('1f43b675') + _UNKNOWN + _element({'e7': 0}) + blocks
    path.write_bytes(
        _element({'1a45dfa3': _element(kind)})
        + bytes.fromhex('18538067') + _UNKNOWN + _element(header) + cluster
    )  # fmt: skip
    return path


def _element(contents: dict[str, int | bytes]) -> bytes:
    """Elements of EBML, each its number, its size and its value."""
    values = {key: value if isinstance(value, bytes) else value.to_bytes(4, 'big') for key, value in contents.items()}
    return b''.join(
        bytes.fromhex(key) + (1 << 56 | len(value)).to_bytes(8, 'big') + value for key, value in values.items()
    )


def variable_rate(path: Path, images: Sequence[np.ndarray]) -> Path:
    """Write images as an mp4 whose first half has 30 frames a second and whose second half has 10."""
    height, width = images[0].shape[:2]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 30, (width, height))
    for image in images:
        video.write(image)
    video.release()
    data = bytearray(path.read_bytes().replace(b'edts', b'free'))  # that would end it after its first duration
    place = data.index(b'stts')  # which frames last how long: a table, at first of one row of numbers of 4 bytes
    step = int.from_bytes(data[place + 16 : place + 20], 'big')
    half = len(images) // 2
    rows = (2, half, step, len(images) - half, 3 * step)
    data[place + 8 : place + 20] = b''.join(number.to_bytes(4, 'big') for number in rows)
    for box in (b'moov', b'trak', b'mdia', b'minf', b'stbl', b'stts'):
        place = data.index(box) - 4
        data[place : place + 4] = (int.from_bytes(data[place : place + 4], 'big') + 8).to_bytes(4, 'big')
    path.write_bytes(data)
    return path
