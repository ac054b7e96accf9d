"""What `make demo` shows: a small OpenPose learns from scratch on synthetic people.

Draws the data, trains, tests on images it has not seen, and draws what it found there, all through the other tools.
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


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train, test and draw a small OpenPose on synthetic people.')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='where everything goes (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    work_dir = Path(parse_args().work_dir)
    os.environ['CLASSICPOSE_DATA'] = str(work_dir / 'data')
    images, metrics = work_dir / 'images', work_dir / 'metrics.json'

    run('generate_data.py', work_dir / 'data/generated', '--train', 5000, '--val', 200)
    started = time.time()
    run('train.py', CONFIG, '--work-dir', work_dir)
    minutes = (time.time() - started) / 60
    checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
    run('test.py', CONFIG, checkpoint, '--work-dir', work_dir, '--out', metrics, '--show-dir', images, '--show-maps')

    ap = json.loads(metrics.read_text())['coco/AP']
    print(f'\nTrained in {minutes:.1f} minutes. COCO AP on 200 drawn images it has not seen: {ap:.3f}')
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
