"""Draw what the network of a config file is fed: augmented images, keypoints, targets.

python tools/browse_dataset.py configs/openpose_coco.py --out-dir images
python tools/browse_dataset.py configs/deeppose_flic_resnet18.py --out-dir images --count 4 --sheet
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Draw the training samples of a config file as its pipeline makes them: images, keypoints, targets.'
    )
    parser.add_argument('config', help='a Python config file, for example configs/openpose_coco.py')
    parser.add_argument('--out-dir', required=True, metavar='DIR', help='folder for <index>_<name of the image>.jpg')
    parser.add_argument('--split', choices=('train', 'val', 'test'), default='train', help='default: %(default)s')
    parser.add_argument('--count', type=int, default=16, metavar='N', help='how many samples (default: %(default)s)')
    parser.add_argument('--seed', type=int, default=0, help='another seed gives other samples and augmentations')
    parser.add_argument('--sheet', action='store_true', help='one sheet.jpg with all samples, not a file for each')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example train_dataloader.dataset.pipeline.1.rotation=0',
    )
    args = parser.parse_args()
    if args.count < 1:
        parser.error(f'--count {args.count}: give at least 1')
    if args.seed < 0:
        parser.error(f'--seed {args.seed}: give 0 or more')
    return args


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors

    with report_errors():
        browse(args)


def browse(args: argparse.Namespace) -> None:
    import numpy as np
    from mmengine.registry import init_default_scope

    from classicpose.errors import UserError, make_folder
    from custom_modules.configuration.explain import explained_config_errors
    from custom_modules.configuration.loading import load_config
    from custom_modules.engine.browser import Browser
    from custom_modules.visualization.samples import contact_sheet

    cfg = load_config(args.config, args.cfg_options)
    if not cfg.get(f'{args.split}_dataloader') or not cfg.get('model'):
        raise UserError(f'{args.config} has no {args.split}_dataloader or no model')
    if cfg.get('default_scope'):
        init_default_scope(cfg.default_scope)
    with explained_config_errors(cfg):
        browser = Browser(cfg, args.split)
        folder = make_folder(args.out_dir)
        # A larger count shows the same samples first.
        chosen = np.random.default_rng(args.seed).permutation(len(browser))[: args.count]
        drawn = (browser.draw(int(index), args.seed) for index in chosen)
        if args.sheet:
            write(folder / 'sheet.jpg', contact_sheet([image for _, image in drawn]))
        else:
            for name, image in drawn:
                write(folder / f'{name}.jpg', image)
    print(f'{folder}: {len(chosen)} of {len(browser)} samples')


def write(path: Path, image: object) -> None:
    import cv2

    from classicpose.errors import UserError

    if not cv2.imwrite(str(path), image):
        raise UserError(f'cannot write {path}')


if __name__ == '__main__':
    main()
