"""Write the built-in data: images of synthetic people in the format and layout of COCO or FLIC.

python tools/generate_data.py data/drawn --train 2000 --val 200
python tools/generate_data.py data/drawn_flic --format flic --train 4000 --val 1000
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Write images of synthetic people with keypoints, in the format and layout of COCO or FLIC.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument('out_dir', help='a new or empty folder, or generated data, which is replaced')
    parser.add_argument('--format', choices=('coco', 'flic'), default='coco', help='dataset to imitate')
    parser.add_argument('--train', type=int, default=2000, metavar='N', help='training images; people for flic')
    parser.add_argument('--val', type=int, default=200, metavar='N', help='validation images; test people for flic')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=argparse.SUPPRESS,
        metavar=('W', 'H'),
        help='width and height in pixels (default: 256 256, for flic 360 240)',
    )
    parser.add_argument('--seed', type=int, default=0, help='another seed gives other images')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors
    from classicpose.progress import Meter
    from custom_modules.datasets.synthetic.coco import generate_coco
    from custom_modules.datasets.synthetic.flic import generate_flic

    options = {'seed': args.seed}
    if 'size' in args:
        options['size'] = tuple(args.size)
    started = time.perf_counter()
    with report_errors(), Meter('images', unit='images') as meter:
        options['progress'] = lambda done, total: meter.step(done, total=total)
        if args.format == 'flic':
            count = generate_flic(args.out_dir, args.train, args.val, **options)
        else:
            generate_coco(args.out_dir, args.train, args.val, **options)
            count = args.train + args.val
    seconds = time.perf_counter() - started
    print(f'{args.out_dir}: {count} images in {seconds:.1f} s, {count / seconds:.0f} images/s')


if __name__ == '__main__':
    main()
