"""The datasets of a config, read as far as they can be read, checked and described."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.dataset import BaseDataset
from mmpose.registry import DATASETS

from classicpose.errors import UserError
from classicpose.skeletons import Skeleton, doubtful_sigmas, lacking_limbs

from ..annotations import complete
from ..coco import BottomUpCocoDataset
from ..top_down import TopDownCocoDataset
from .coco import ERROR, WARNING, Findings, check_coco
from .people import People, annotated_skeleton, labelled_per_image, people_of_coco, people_of_dataset, richest_images

SPLITS = ('train', 'val', 'test')


@dataclass(eq=False)
class Inspection:
    """A dataset of a config.

    Attributes:
        splits: those that use it.
        dataset: not necessarily loaded: its file may be too broken.
        people: None where the annotation file cannot be read.
        samples: how many the dataset has, None where it does not load.
    """

    splits: list[str]
    dataset: BaseDataset
    people: People | None = None
    samples: int | None = None
    findings: Findings = field(default_factory=Findings)


def find_datasets(cfg: Config) -> list[tuple[list[str], ConfigDict]]:
    """The config's datasets, each once, with the splits that use it.

    The datasets within a concatenated or repeated one stand alone.

    Raises:
        UserError: when the config has no dataset.
    """
    found: list[tuple[list[str], ConfigDict]] = []
    for split in SPLITS:
        for leaf in _leaves((cfg.get(f'{split}_dataloader') or {}).get('dataset') or {}):
            # The pipeline does not matter here, and building it might load networks.
            dataset = ConfigDict(leaf, pipeline=[], lazy_init=True)
            users = next((users for users, other in found if other == dataset), None)
            if users is None:
                found.append(([split], dataset))
            elif split not in users:
                users.append(split)
    if not found:
        raise UserError(
            f'{cfg.filename} has no dataset in any of {", ".join(f"{split}_dataloader" for split in SPLITS)}'
        )
    return found


def _leaves(dataset: dict) -> Iterator[dict]:
    if 'datasets' in dataset or 'dataset' in dataset:
        for member in dataset.get('datasets', [dataset.get('dataset')]):
            yield from _leaves(member)
    elif dataset:
        yield dataset


def inspect_dataset(splits: list[str], config: ConfigDict) -> Inspection:
    """Read a dataset of :func:`find_datasets` and check its annotations, as far as they are in COCO's format.

    Raises:
        UserError: when the annotation file does not exist or may not be read.
    """
    dataset = DATASETS.build(config)
    result = Inspection(splits, dataset)
    path = Path(dataset.ann_file)
    if not path.is_file():
        raise UserError(
            f'annotation file {path} {"is a folder" if path.is_dir() else "does not exist"}; put the dataset there, or '
            'point data_root or the environment variable CLASSICPOSE_DATA at it'
        )
    contents, mistakes = None, UserError
    if path.suffix == '.json':
        mistakes = Exception  # what a loader raises on a malformed file, nobody can foretell
        try:
            contents = json.loads(path.read_bytes())
        except OSError as error:
            raise UserError(f'annotation file {path} cannot be read ({error.strerror})') from error
        except ValueError as error:
            result.findings.add(ERROR, 'files that are not readable JSON, copy or download again', f'{path} ({error})')
            return result
    if isinstance(contents, dict):
        skeleton = annotated_skeleton(dataset)
        names = skeleton.keypoints
        masked = 'train' in splits and dataset.data_mode == 'bottomup'
        completing = isinstance(dataset, BottomUpCocoDataset | TopDownCocoDataset)
        derived = complete(contents) if completing else ()
        result.findings = check_coco(contents, names, evaluated=splits != ['train'] and not completing, masked=masked)
        result.findings.add(WARNING, 'fields that annotations lack, derived from the others', *derived)
        doubt = doubtful_sigmas(skeleton)
        if doubt:
            result.findings.add(WARNING, doubt, skeleton.name)
        if dataset.data_mode == 'bottomup' and (lack := lacking_limbs(getattr(dataset, 'skeleton', skeleton))):
            result.findings.add(ERROR, lack, skeleton.name)
        result.people = people_of_coco(contents, names, dataset.data_prefix['img'])
        if not result.people.labelled.any():
            result.findings.add(ERROR, 'annotation files without a labelled keypoint', path)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the COCO API reports its steps
            dataset.full_init()
        result.samples = len(dataset)
        if result.people is None:
            result.people = people_of_dataset(dataset)
        if config.get('indices') is not None:
            taken = (dataset.get_data_info(index)['img_path'] for index in range(len(dataset)))
            result.people = result.people._replace(taken=frozenset(taken))
    except mistakes as error:
        reason = str(error) if isinstance(error, UserError) else f'{type(error).__name__}: {error}'
        result.findings.add(ERROR, 'datasets that do not load', ' '.join(reason.split()))
    return result


def drawn_skeleton(inspection: Inspection) -> Skeleton:
    """The body model to draw the people with: only points where the file's keypoints are not the config's."""
    skeleton, names = annotated_skeleton(inspection.dataset), inspection.people.keypoint_names
    if len(skeleton.keypoints) == len(names):
        return skeleton
    return Skeleton('points', tuple(str(index) for index in range(len(names))), (), (1.0,) * len(names))


def report(inspection: Inspection, top: int) -> list[str]:
    """The lines that describe a dataset's people, and the ``top`` images with the most labelled keypoints."""
    people = inspection.people
    single = ~people.crowds
    posed = single & people.labelled.any(axis=1)
    per_image = np.bincount(people.owners[single], minlength=len(people.images))
    areas = people.areas[single]
    shares = [('small', areas < 32**2), ('medium', (areas >= 32**2) & (areas <= 96**2)), ('large', areas > 96**2)]
    lines = [_line('images', len(people.images)), _line('people', single.sum())]
    if people.complete:
        unposed = single.sum() - posed.sum()
        lines[0] += f'  {np.sum(per_image == 0):,} of them without people'
        lines += [
            _line('  with keypoints', posed.sum(), _percent(posed.sum(), single.sum())),
            _line('  without keypoints', unposed, _percent(unposed, single.sum())),
            _line('crowds', people.crowds.sum()),
        ]
    if people.left_out:
        lines.append(_line('malformed, left out', people.left_out))
    if inspection.samples is not None:
        lines.append(_line('samples', inspection.samples, f'of {type(inspection.dataset).__name__}'))
    lines += [
        _line('people an image', '', _quartiles(per_image)),
        _line('box height, pixels', '', _quartiles(people.boxes[single, 3])),
        _line('area', '', ', '.join(f'{name} {_percent(m.sum(), len(areas)).strip()}' for name, m in shares)),
        '',
        *_joint_lines(people, posed),
    ]
    rich = richest_images(people, top)
    if len(rich):
        lines += ['', f'  {"most labelled keypoints":<24}{"people":>8}']
        counts = labelled_per_image(people)
        lines += [f'  {counts[place]:>24,}{per_image[place]:>8,}  {people.names[place]}' for place in rich]
    return lines


def _joint_lines(people: People, posed: np.ndarray) -> Iterator[str]:
    kinds = [('labelled', people.keypoints[posed][..., 2] > 0)]
    if people.hidden_told:
        kinds.append(('visible', people.keypoints[posed][..., 2] == 2))
    yield f'  {"joint":<20}' + ''.join(f'{name:>10}{"":9}' for name, _ in kinds) + 'of people with keypoints'
    for joint, name in enumerate(people.keypoint_names):
        counts = [table[:, joint].sum() for _, table in kinds]
        yield f'  {name:<20}' + ''.join(f'{count:>10,} {_percent(count, posed.sum())}' for count in counts)


def _line(what: str, value: object, note: str = '') -> str:
    value = value if isinstance(value, str) else f'{value:,}'
    return f'  {what:<20}{value:>10}  {note}'.rstrip()


def _percent(count: int, whole: int) -> str:
    return f'{100 * count / whole:6.1f} %' if whole else '     - %'


def _quartiles(values: np.ndarray) -> str:
    if not len(values):
        return '-'
    low, first, middle, third, high = np.percentile(values, [0, 25, 50, 75, 100])
    return f'{low:.0f} to {high:.0f}, quartiles {first:.0f} {middle:.0f} {third:.0f}'
