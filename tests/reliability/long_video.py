"""Predict a long video and watch the memory.

python tests/reliability/long_video.py --frames 50000
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

_SETTLED = 500  # frames


def main() -> None:
    parser = argparse.ArgumentParser(description='Predict a long video and watch the memory.')
    parser.add_argument('--frames', type=int, default=50_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memory = predict(Path(folder), args.frames)
    settled, highest = memory[_SETTLED], max(memory[_SETTLED:])
    print(
        f'{len(memory)} frames: {settled / 2**20:.0f} MB after {_SETTLED}, {highest / 2**20:.0f} MB at most after that'
    )
    sys.exit(highest - settled > 50 * 2**20)


def predict(folder: Path, frames: int) -> list[int]:
    """Bytes in memory at each frame of a generated video, tracked and written as a table and a video."""
    from classicpose.inference.frames import open_frames
    from classicpose.inference.predictor import Predictor
    from classicpose.inference.run import run
    from classicpose.writers.images import RenderedVideo
    from classicpose.writers.tables import WideTable
    from classicpose.writers.video import VideoFile
    from reliability.mutations import make_inputs, train_once

    os.chdir(folder)
    make_inputs(folder)
    train_once(folder)
    with VideoFile(folder / 'long.mp4', 25) as video:
        for number in range(frames):
            video.write(np.full((64, 64, 3), number % 256, np.uint8))
    video = open_frames(folder / 'long.mp4')
    predictor = Predictor('tiny.py', 'last.pth')
    memory = _Memory()
    writers = [WideTable(folder / 'out.csv', predictor.skeleton), RenderedVideo(folder / 'out.mp4', 25, 0.05), memory]
    count = run(predictor, video, writers, tracking=True)
    assert count == len(memory.bytes) == frames
    return memory.bytes


class _Memory:
    """A writer that notes the process's memory."""

    def __init__(self) -> None:
        self.bytes: list[int] = []

    def __enter__(self) -> _Memory:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, *_: object) -> None:
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        self.bytes.append(pages * resource.getpagesize())


if __name__ == '__main__':
    main()
