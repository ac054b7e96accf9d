"""Draw what a cascade predicted: people from best to worst, every joint's way through the stages, PDJ curves.

python tools/test.py CONFIG CHECKPOINT --dump predictions.pkl
python tools/show_cascade.py predictions.pkl images
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw what a cascade predicted: people from best to worst, the stages of each joint, PDJ curves.'
    )
    parser.add_argument('predictions', help='the file that tools/test.py --dump wrote; a pickle, so only your own')
    parser.add_argument('out_dir', help='folder for best_to_worst.jpg, movements.jpg and pdj.png')
    parser.add_argument('--people', type=int, default=16, metavar='N', help='people on a sheet (default: %(default)s)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    import cv2

    from classicpose.errors import make_folder, report_errors
    from custom_modules.visualization import cascades

    with report_errors():
        samples = cascades.read_predictions(args.predictions)
        folder = make_folder(args.out_dir)
        cv2.imwrite(str(folder / 'best_to_worst.jpg'), cascades.draw_best_to_worst(samples, args.people))
        cv2.imwrite(str(folder / 'movements.jpg'), cascades.draw_movements(samples, args.people))
        cascades.plot_curves(samples, folder / 'pdj.png')
    print(f'{folder}: best_to_worst.jpg, movements.jpg, pdj.png')
    exchanged = cascades.exchanged_sides(samples)
    print(f'{exchanged.sum()} of {len(exchanged)} people fit their labels with left and right exchanged')
    print('PDJ@0.1 / 0.2 of the half of the joints with the higher scores, and of the others')
    for kind, halves in cascades.pdj_by_score(samples).items():
        higher, lower = (' / '.join(f'{100 * share:.1f}' for share in half) for half in halves)
        print(f'{kind}: {higher}, {lower}')


if __name__ == '__main__':
    main()
