"""What `make demo` shows: people in photographs and in a video, then a small OpenPose that learns before your eyes.

First the trained model that comes with the repository finds people in the sample photographs and follows them through a
short video made of one. Then a small network learns from synthetic people, is tested on images it has not seen, and
draws what it found there, all through the other tools.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIG = REPOSITORY / 'configs/demo/openpose_generated.py'
SAMPLES = REPOSITORY / 'docs/samples'
MODEL = 'openpose_lite'
FRAMES, FPS = 24, 8


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Find people in photographs and a video; train a small OpenPose.')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='folder for all output (default: %(default)s)')
    part = parser.add_mutually_exclusive_group()
    part.add_argument('--no-training', action='store_true', help='only find people, without PyTorch')
    part.add_argument('--no-people', action='store_true', help='only train')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    work_dir = Path(args.work_dir)
    if not args.no_people:
        find_people(work_dir)
    if not args.no_training:
        train(work_dir)


def find_people(work_dir: Path) -> None:
    """Photographs and a video, drawn and as OpenPose's JSON."""
    started = time.time()
    people, json_files = work_dir / 'people', work_dir / 'json'
    video = work_dir / 'pan.mp4'
    write_pan(SAMPLES / 'baseball_1888.jpg', video)
    photographs = sorted(SAMPLES.glob('*.jpg'))
    run('predict.py', MODEL, *photographs, video, '--tracking', '--out-dir', people, '--write_json', json_files)
    print(f'\nPeople in {len(photographs)} photographs and a video, {time.time() - started:.0f} s: {people}')
    print(f"The same as OpenPose's JSON: {json_files}\n")


def write_pan(photograph: Path, video: Path) -> None:
    """A camera that moves over a photograph, from its top to its bottom and closer."""
    # After parsing, so that --help and a mistyped option answer at once.
    sys.path.insert(0, str(REPOSITORY))
    import cv2

    from classicpose.images import read_image
    from classicpose.writers.video import VideoFile

    image = read_image(str(photograph))
    height, width = image.shape[:2]
    with VideoFile(video, FPS) as file:
        for number in range(FRAMES):
            share = number / (FRAMES - 1)
            # The window shrinks to nine tenths, and slides by what it leaves free.
            scale = 1 - 0.1 * share
            left, top = round((1 - scale) * width * share), round((1 - scale) * height * share)
            window = image[top : top + round(scale * height), left : left + round(scale * width)]
            file.write(cv2.resize(window, (width // 2 * 2, height // 2 * 2), interpolation=cv2.INTER_LINEAR))


def train(work_dir: Path) -> None:
    """A small network on synthetic people: data, training, test, images of what it found."""
    os.environ['CLASSICPOSE_DATA'] = str(work_dir / 'data')
    images, metrics = work_dir / 'images', work_dir / 'metrics.json'
    started = time.time()
    run('generate_data.py', work_dir / 'data/generated', '--train', 2000, '--val', 200)
    run('train.py', CONFIG, '--work-dir', work_dir)
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    run('test.py', CONFIG, checkpoint, '--work-dir', work_dir, '--out', metrics, '--show-dir', images, '--show-maps')

    ap = json.loads(metrics.read_text())['coco/AP']
    minutes = (time.time() - started) / 60
    print(f'\nA network that learnt from synthetic people, {minutes:.1f} minutes with its data and its test.')
    print(f'COCO AP on 200 synthetic images it has not seen: {ap:.3f}')
    print(f'People, heatmaps and affinity fields it found: {images}')
    print(f'Losses, images and the network in TensorBoard: .venv/bin/tensorboard --logdir {work_dir}')


def run(tool: str, *args: object) -> None:
    """Run one of the tools; its errors are its own to report."""
    command = [sys.executable, str(REPOSITORY / 'tools' / tool), *map(str, args)]
    print('\n$', 'python', f'tools/{tool}', *map(str, args), flush=True)
    status = subprocess.run(command).returncode
    if status:
        sys.exit(status)


if __name__ == '__main__':
    main()
