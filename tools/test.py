"""Score a trained model.

python tools/test.py configs/openpose_coco.py work_dirs/openpose_coco/epoch_60.pth
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Score a trained model on the test set of its config file.')
    parser.add_argument('config', help='the config file the model was trained with')
    parser.add_argument('checkpoint', help='the .pth file')
    parser.add_argument('--work-dir', help='where logs go (default: work_dirs/<name of the config>)')
    parser.add_argument('--out', metavar='JSON', help='write the metrics to this file')
    parser.add_argument('--dump', metavar='PKL', help='write all predictions to this file')
    parser.add_argument('--show-dir', metavar='DIR', help='draw the predictions into this folder')
    parser.add_argument(
        '--show-maps',
        action='store_true',
        help='with --show-dir: also draw the heatmaps and fields',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example test_dataloader.batch_size=4',
    )
    parser.add_argument('--launcher', choices=('none', 'pytorch', 'slurm', 'mpi'), default='none')
    args = parser.parse_args()
    if args.show_maps and not args.show_dir:
        parser.error('--show-maps needs --show-dir')
    return args


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors
    from custom_modules.engine import launch

    with report_errors():
        launch.test(
            args.config,
            args.checkpoint,
            work_dir=args.work_dir,
            out=args.out,
            dump=args.dump,
            show_dir=args.show_dir,
            show_maps=args.show_maps,
            options=args.cfg_options,
            launcher=args.launcher,
        )


if __name__ == '__main__':
    main()
