"""Describe the datasets of a config, and find what is wrong with them.

python tools/inspect_data.py configs/openpose_coco.py
python tools/inspect_data.py configs/openpose_coco.py --split train --images images
"""

from __future__ import annotations

import argparse
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from mmengine.config import ConfigDict

    from custom_modules.datasets.checks.coco import Finding, Findings
    from custom_modules.datasets.checks.report import Inspection


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Describe the people in a config's datasets, and find what is wrong with them.",
        epilog='Exit status: 0 with warnings at most; 1 with errors, which break or silently falsify training or '
        'evaluation; 2 when the config or an annotation file cannot be read.',
    )
    parser.add_argument('config', help='a config file')
    parser.add_argument('--split', choices=('train', 'val', 'test'), help='which dataset (default: all)')
    parser.add_argument(
        '--top', type=int, default=10, metavar='N', help='images with the most keypoints (default: %(default)s)'
    )
    parser.add_argument('--images', '--pictures', metavar='DIR', help='draw the people of these images into a folder')
    parser.add_argument(
        '--no-images', '--no-pictures', action='store_true', help='do not open all images to check them'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example train_dataloader.dataset.data_root=data/mine/',
    )
    args = parser.parse_args()
    if args.top < 0:
        parser.error('--top must not be negative')
    return args


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors

    with report_errors():
        findings = inspect_data(args)
    errors = sum(finding.grade == 'error' for finding in findings)
    print(f'kinds of errors: {errors}, of warnings: {len(findings) - errors}')
    sys.exit(1 if errors else 0)


def inspect_data(args: argparse.Namespace) -> list[Finding]:
    """Print everything but the summary."""
    from classicpose.errors import UserError, make_folder
    from custom_modules.configuration.explain import explained_config_errors
    from custom_modules.configuration.loading import load_config
    from custom_modules.datasets.checks.coco import ERROR, Findings
    from custom_modules.datasets.checks.report import find_datasets, inspect_dataset

    cfg = load_config(args.config, args.cfg_options)
    datasets = find_datasets(cfg)
    asked = [entry for entry in datasets if args.split in (None, *entry[0])]
    if not asked:
        raise UserError(f'{args.config} has no dataset in {args.split}_dataloader')
    folder = args.images and make_folder(args.images)
    inspections, absent = [], Findings()
    with explained_config_errors(cfg):
        for splits, config in asked:
            try:
                inspections.append(inspect_dataset(splits, config))
            except UserError as error:
                if len(asked) == 1:
                    raise
                absent.add(ERROR, 'datasets that cannot be read', f'{", ".join(splits)} ({error})')
        between = compare(inspections, [entry for entry in datasets if entry not in asked])
    findings = list(absent)
    if findings:
        show_findings(absent)
    for inspection in inspections:
        findings += show(inspection, args.top, folder, open_them=not args.no_images)
    if len(datasets) > 1:
        print('between the splits')
        findings += show_findings(between)
    return findings


def compare(inspections: list[Inspection], rest: list[tuple[list[str], ConfigDict]]) -> Findings:
    """Look for training images in the other splits; ``rest`` are datasets to compare with that nobody asked for."""
    from classicpose.errors import UserError
    from custom_modules.datasets.checks.coco import WARNING, Findings
    from custom_modules.datasets.checks.images import check_shared
    from custom_modules.datasets.checks.report import inspect_dataset

    findings, others = Findings(), []
    incomparable = 'datasets that could not be compared with the others'
    for splits, config in rest:
        try:
            others.append(inspect_dataset(splits, config))
        except UserError as error:
            findings.add(WARNING, incomparable, f'{", ".join(splits)} ({error})')
    unread = [inspection for inspection in inspections + others if inspection.people is None]
    findings.add(WARNING, incomparable, *(', '.join(inspection.splits) for inspection in unread))
    for first, second in itertools.product(inspections + others, repeat=2):
        evaluated = [split for split in second.splits if split != 'train']
        wanted = 'train' in first.splits and evaluated and (first in inspections or second in inspections)
        if wanted and first not in unread and second not in unread:
            findings.update(check_shared(first.people, second.people, f'train and {", ".join(evaluated)}'))
    return findings


def show(inspection: Inspection, top: int, folder: Path | None, *, open_them: bool) -> list[Finding]:
    """Print what is in a dataset and what is wrong with it, and draw into the folder, if any."""
    from custom_modules.datasets.checks.images import check_images
    from custom_modules.datasets.checks.report import report

    people, findings = inspection.people, inspection.findings
    print(f'{", ".join(inspection.splits)}: {inspection.dataset.ann_file}')
    if people is not None:
        print(*report(inspection, top), '', sep='\n')
        if folder:
            draw_images(inspection, top, folder)
        findings.update(check_images(people, open_them=open_them))
    return show_findings(findings)


def show_findings(findings: Findings) -> list[Finding]:
    found = list(findings)
    print(*(f'  {finding}' for finding in found or ['nothing wrong found']), '', sep='\n')
    return found


def draw_images(inspection: Inspection, top: int, folder: Path) -> None:
    """Write the images with the most labelled keypoints, the people drawn, in that order by name."""
    import cv2

    from classicpose.errors import UserError
    from classicpose.images import read_image
    from classicpose.visualization.people_and_maps import draw_people
    from custom_modules.datasets.checks.people import richest_images
    from custom_modules.datasets.checks.report import drawn_skeleton

    people = inspection.people
    for rank, place in enumerate(richest_images(people, top), start=1):
        try:
            image = read_image(people.images[place])
        except UserError as error:
            print(f'  not drawn: {error}')
            continue
        keypoints = people.keypoints[people.owners == place]
        drawn = draw_people(image, keypoints[..., :2], keypoints[..., 2], drawn_skeleton(inspection))
        path = folder / f'{inspection.splits[0]}_{rank:02d}_{Path(people.names[place]).stem}.jpg'
        if not cv2.imwrite(str(path), drawn):
            raise UserError(f'image {path} cannot be written; is the disk full?')


if __name__ == '__main__':
    main()
