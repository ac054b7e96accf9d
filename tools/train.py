"""Train the model of a config file.

python tools/train.py configs/openpose_coco.py
torchrun --nproc-per-node 4 tools/train.py configs/openpose_coco.py --launcher pytorch
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train the model of a config file.')
    parser.add_argument('config', help='a Python config file, for example configs/openpose_coco.py')
    parser.add_argument('--work-dir', help='where checkpoints and logs go (default: work_dirs/<name of the config>)')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='continue from this checkpoint, or without a value from the latest one in the work dir',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision: faster, in less memory')
    parser.add_argument('--no-validate', action='store_true', help='do not validate during training')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example train_dataloader.batch_size=4',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors
    from custom_modules.engine import launch

    with report_errors():
        launch.train(
            args.config,
            work_dir=args.work_dir,
            resume=args.resume,
            amp=args.amp,
            validate=not args.no_validate,
            options=args.cfg_options,
            launcher=args.launcher,
        )


if __name__ == '__main__':
    main()
