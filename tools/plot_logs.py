"""Draw the losses and metrics of runs, and tell the best epoch of each.

python tools/plot_logs.py work_dirs/openpose_coco
python tools/plot_logs.py work_dirs/deeppose_flic_resnet18 --keys loss pdj/wrist@0.1 --out wrists.png
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Draw the curves in MMEngine's logs, runs over one another, and print the best epoch of each run."
    )
    parser.add_argument(
        'logs', nargs='+', metavar='WORK_DIR_OR_JSON', help='work dirs of tools/train.py, or scalars.json files'
    )
    parser.add_argument('--out', default='curves.png', metavar='PNG', help='the image (default: %(default)s)')
    parser.add_argument(
        '--keys',
        nargs='+',
        default=[],
        metavar='KEY',
        help='what to draw (default: loss, and the metric by which the best checkpoint is kept)',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import UserError, make_folder, report_errors
    from custom_modules.visualization import curves

    with report_errors():
        out = Path(args.out)
        if out.suffix.lower() != '.png' or out.is_dir():
            raise UserError(f'--out {out}: give the name of a .png file')
        runs = [run for path in dict.fromkeys(args.logs) for run in curves.read_runs(path)]
        curves.panels(runs, args.keys)  # before a folder is made
        make_folder(out.parent)
        curves.plot_runs(runs, out, args.keys)
        print(curves.table(runs))
        print(out)


if __name__ == '__main__':
    main()
