"""Label the people of photographs with MoveNet, as a COCO annotation file to train on.

python -m projects.movenet_labels.label_images data/photographs/images --finder movenet_multipose.onnx \\
    --refiner movenet_thunder.onnx --out data/photographs/person_keypoints.json
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from classicpose.errors import UserError, make_folder, report_errors
from classicpose.files import write_whole
from classicpose.images import read_image
from classicpose.inference import Predictor
from classicpose.inference.frames import PICTURE_ENDINGS
from classicpose.networks.session import open_session, run_session
from classicpose.skeletons import COCO17, convert_keypoints

from .labelling import Network, annotate, label

_FINDER, _REFINER = (512, 6 * 56), (256, 17 * 3)  # an input's side, and how many numbers answer it


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Label the people of photographs with MoveNet, as a COCO annotation file to train on. '
        'Called again after an interruption, it continues.'
    )
    parser.add_argument('folder', type=Path, help='folder of the photographs; subfolders are ignored')
    parser.add_argument('--finder', required=True, metavar='FILE.onnx', help='MoveNet Multipose')
    parser.add_argument('--refiner', required=True, metavar='FILE.onnx', help='MoveNet Thunder')
    parser.add_argument('--out', required=True, type=Path, metavar='FILE.json', help='the annotation file')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    with report_errors():
        paths = _photographs(args.folder)
        finder, refiner = _open(args.finder, *_FINDER), _open(args.refiner, *_REFINER)
        others = Predictor('openpose_lite', batch_size=1)
        progress = args.out.with_name(f'{args.out.name}.unfinished.jsonl')
        entries = list(_entries(paths, functools.partial(_entry, finder, refiner, others), progress))
        contents = _annotation_file(entries)
        if not contents['images']:
            raise UserError(f'{args.folder}: nobody was found with certainty in {len(paths)} photographs')
        write_whole(args.out, lambda path: path.write_text(json.dumps(contents)))
        progress.unlink()
        people = sum(not annotation['iscrowd'] for annotation in contents['annotations'])
        print(f'{args.out}: {people} people in {len(contents["images"])} of {len(paths)} photographs')


def _photographs(folder: Path) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_ENDINGS)
    except OSError as error:
        raise UserError(f'{folder} is no folder of photographs ({error.strerror})') from error
    if not paths:
        raise UserError(f'{folder} has no photographs; subfolders are ignored')
    return paths


def _open(path: str, side: int, values: int) -> Network:
    """One of MoveNet's networks, tried on a black image."""
    session = open_session(path)

    def network(image: np.ndarray) -> np.ndarray:
        return run_session(session, image[None].astype(np.int32))[0]

    try:
        answer = network(np.zeros((side, side, 3), np.uint8)).size
    except Exception as error:  # onnxruntime's errors share no class of their own
        answer, reason = None, error
    else:
        reason = None
    if answer != values:
        raise UserError(
            f'{path} does not return {values} numbers for a (1, {side}, {side}, 3) int32 image: give MoveNet '
            'Multipose as --finder and MoveNet Thunder as --refiner, see projects/movenet_labels/README.md'
        ) from reason
    return network


def _entries(paths: list[Path], entry_of: Callable[[Path], dict], progress: Path) -> Iterator[dict]:
    """Every photograph's image and annotations, one line of ``progress`` each; what is there is not made again."""
    try:
        make_folder(progress.parent)
        with progress.open('a+b') as file:
            file.seek(0)
            lines = [line for line in file if line.endswith(b'\n')]  # the last one may be cut
            file.truncate(sum(map(len, lines)))
            done = {entry['image']['file_name']: entry for entry in map(json.loads, lines)}
            for number, path in enumerate(paths, 1):
                if path.name not in done:
                    done[path.name] = entry_of(path)
                    file.write(json.dumps(done[path.name]).encode() + b'\n')
                    file.flush()
                yield done[path.name]
                if number % 100 == 0 or number == len(paths):
                    print(f'{number} of {len(paths)} photographs', file=sys.stderr)
    except OSError as error:
        raise UserError(f'{progress} cannot be written ({error.strerror}): give another --out') from error


def _entry(finder: Network, refiner: Network, predict: Predictor, path: Path) -> dict:
    try:
        image = read_image(str(path))
    except UserError as error:
        print(f'left out: {error}', file=sys.stderr)
        return dict(image=dict(file_name=path.name), annotations=None)
    height, width = image.shape[:2]
    people = label(finder, refiner, np.ascontiguousarray(image[..., ::-1]))
    found = predict(image)
    others = np.dstack(convert_keypoints(found.keypoints, found.keypoint_scores, found.skeleton, COCO17))
    return dict(
        image=dict(file_name=path.name, height=height, width=width),
        annotations=annotate(people, list(others), height, width),
    )


def _annotation_file(entries: list[dict]) -> dict:
    """In COCO's format, without the photographs that have no annotations."""
    images, annotations = [], []
    for entry in entries:
        if not entry['annotations']:
            continue
        images.append(dict(entry['image'], id=len(images) + 1))
        annotations += [
            dict(annotation, id=number, image_id=len(images))
            for number, annotation in enumerate(entry['annotations'], len(annotations) + 1)
        ]
    category = dict(id=1, name='person', keypoints=list(COCO17.keypoints), skeleton=[])
    return dict(images=images, annotations=annotations, categories=[category])


if __name__ == '__main__':
    main()
