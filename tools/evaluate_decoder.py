"""Score decoders on the real maps of an exported network.

python tools/evaluate_decoder.py data/paf_maps/mobilenet_v2_small_1x368x432.onnx data/coco --decoder default lightweight
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Score decoders by COCO AP on the maps that an exported OpenPose network makes of real images.'
    )
    parser.add_argument('network', help='an .onnx file with the channels of the released OpenPose')
    parser.add_argument('coco', help="a folder in COCO's layout")
    parser.add_argument('--split', choices=('train', 'val'), default='val', help='which images (default: val)')
    parser.add_argument('--decoder', nargs='+', default=['default'], metavar='NAME', help='one or several, by name')
    parser.add_argument(
        '--set',
        nargs='+',
        default=[],
        metavar='SETTING=V1,V2',
        help='score the default with other values of a setting, one at a time, for example peak_threshold=0.02,0.05; '
        'to tune, on --split train',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors

    with report_errors():
        evaluate(args)


def evaluate(args: argparse.Namespace) -> None:
    import numpy as np

    from classicpose.images import read_image
    from classicpose.paf import decode_people
    from classicpose.progress import tracked
    from classicpose.skeletons import COCO17, OPENPOSE18
    from custom_modules.benchmark.released_network import ReleasedNetwork
    from custom_modules.datasets.annotations import load_annotation_file

    settings = settings_to_score(args)
    network = ReleasedNetwork(args.network)
    annotations = Path(args.coco, f'annotations/person_keypoints_{args.split}2017.json')
    entries = load_annotation_file(str(annotations), COCO17)['images']
    people = {name: [] for name in settings}
    seconds = dict.fromkeys(settings, 0.0)
    for entry in tracked(entries, 'images', len(entries)):
        image = read_image(str(Path(args.coco, f'{args.split}2017', entry['file_name'])))
        maps = network.maps(image)
        for name, values in settings.items():
            started = time.perf_counter()
            keypoints, scores, instance_scores = decode_people(*maps, OPENPOSE18, network.stride, values)
            seconds[name] += time.perf_counter() - started
            keypoints = np.where(keypoints.any(axis=-1, keepdims=True), network.to_image(keypoints, image), 0)
            found = dict(keypoints=keypoints, keypoint_scores=scores, bbox_scores=instance_scores)
            people[name].append(dict(id=[], img_id=entry['id'], pred_instances=found, gt_instances={}))

    print(f'{"decoder":>30}     AP   AP50   AP75     AR  ms an image')
    for name in settings:
        metrics = score(annotations, people[name])
        numbers = '  '.join(f'{100 * metrics[key]:5.1f}' for key in ('AP', 'AP .5', 'AP .75', 'AR'))
        print(f'{name:>30}  {numbers}  {1e3 * seconds[name] / len(entries):12.2f}')


def settings_to_score(args: argparse.Namespace) -> dict:
    """What to score by the name to print."""
    from ast import literal_eval
    from dataclasses import fields, replace

    from classicpose.errors import UserError
    from classicpose.paf import DECODERS

    unknown = [name for name in args.decoder if name not in DECODERS]
    if unknown:
        raise UserError(f'--decoder {unknown[0]}: choose from {", ".join(DECODERS)}')
    settings = {name: DECODERS[name] for name in args.decoder}
    known = [field.name for field in fields(DECODERS['default'])]
    for entry in args.set:
        name, _, values = entry.partition('=')
        if name not in known or not values:
            raise UserError(f'--set {entry}: give SETTING=VALUE with a setting of {", ".join(known)}')
        for value in values.split(','):
            try:
                parsed = literal_eval(value)
            except (ValueError, SyntaxError):
                parsed = value
            settings[f'{name}={value}'] = replace(DECODERS['default'], **{name: parsed})
    return settings


def score(annotations: Path, samples: list[dict]) -> dict[str, float]:
    import contextlib
    import io

    from classicpose.skeletons import OPENPOSE18
    from custom_modules.metrics import BodyCocoMetric

    with contextlib.redirect_stdout(io.StringIO()):
        metric = BodyCocoMetric(ann_file=str(annotations))
        metric.dataset_meta = dict(dataset_name=OPENPOSE18.name)
        metric.process([], samples)
        return {name.removeprefix('coco/'): value for name, value in metric.evaluate(len(samples)).items()}


if __name__ == '__main__':
    main()
