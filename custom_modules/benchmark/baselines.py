"""Public projects, run from their own source folders, to compare speed and results with."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18, OPENPOSE18_RELEASED


def find(named: Sequence[str], what: str) -> dict[str, Callable]:
    """From NAME=FOLDER to what makes each project's function: 'targets' or 'decode'.

    Raises:
        UserError: for a name that is not known, a project that cannot do it or a folder without its files.
    """
    found = {}
    for entry in named:
        name, _, folder = entry.partition('=')
        if (name, what) not in _MAKERS:
            known = sorted(known for known, task in _MAKERS if task == what)
            raise UserError(f'--baseline {entry}: {what} knows {", ".join(known)}, given as NAME=FOLDER')
        module, maker = _MAKERS[name, what]
        if not Path(folder, *module.split('.')).with_suffix('.py').is_file():
            raise UserError(
                f'--baseline {entry}: {folder} has no {module.replace(".", "/")}.py; give its source folder'
            )
        found[name] = lambda folder=folder, module=module, maker=maker: maker(_module(folder, module))
    return found


def _module(folder: str, name: str) -> types.ModuleType:
    sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(f'{folder}: {name} cannot be imported ({error})') from error
    finally:
        sys.path.remove(folder)


def _lightweight_targets(module: types.ModuleType) -> Callable:
    dataset = module.CocoTrainDataset.__new__(module.CocoTrainDataset)
    dataset._stride, dataset._sigma, dataset._paf_thickness = 8, 7, 1
    image = np.empty((368, 368, 3), np.uint8)

    def encode(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        first, *others = ([[x, y, 1] for x, y in person.tolist()] for person in people)
        label = dict(keypoints=first, processed_other_annotations=[dict(keypoints=other) for other in others])
        sample = dict(label=label, image=image)
        return dataset._generate_keypoint_maps(sample), dataset._generate_paf_maps(sample)

    return encode


def _lightweight_decode(module: types.ModuleType) -> Callable:
    """As its demo does: maps enlarged four times."""

    def decode(heatmaps: np.ndarray, pafs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heatmaps, pafs = (
            cv2.resize(maps.transpose(1, 2, 0), (0, 0), fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
            for maps in (heatmaps, _released_order(pafs))
        )
        total, by_part = 0, []
        for part in range(18):
            total += module.extract_keypoints(heatmaps[:, :, part], by_part, total)
        people, candidates = module.group_keypoints(by_part, pafs)
        keypoints, scores = np.zeros((len(people), 18, 2)), np.zeros((len(people), 18))
        for index, person in enumerate(people):
            parts = np.flatnonzero(person[:18] >= 0)
            chosen = candidates[person[parts].astype(int)]
            keypoints[index, parts] = (chosen[:, :2] + 0.5) * 2 - 0.5
            scores[index, parts] = chosen[:, 2]
        return keypoints, scores

    return decode


def _realtime_targets(modules: types.ModuleType) -> Callable:
    fields = importlib.import_module('lib.datasets.paf')

    def encode(people: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        heatmaps, pafs = np.zeros((46, 46, 19)), np.zeros((46, 46, 38))
        for part in range(18):
            for person in people:
                heatmaps[:, :, part] = modules.putGaussianMaps(person[part], heatmaps[:, :, part], 7.0, 46, 46, 8)
        heatmaps[:, :, 18] = np.maximum(1 - heatmaps[:, :, :18].max(axis=2), 0)
        for limb, (start, end) in enumerate(OPENPOSE18.limbs):
            count = np.zeros((46, 46), dtype=np.uint32)
            channels = slice(2 * limb, 2 * limb + 2)
            for person in people:
                pafs[:, :, channels], count = fields.putVecMaps(
                    person[start], person[end], pafs[:, :, channels], count, 46, 46, 8
                )
        return heatmaps, pafs

    return encode


def _realtime_decode(module: types.ModuleType) -> Callable:
    """Its compiled way, `paf_to_pose_cpp`."""
    config = types.SimpleNamespace(
        MODEL=types.SimpleNamespace(DOWNSAMPLE=8, NUM_KEYPOINTS=18), TEST=types.SimpleNamespace(THRESH_HEATMAP=0.1)
    )

    def decode(heatmaps: np.ndarray, pafs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.array(heatmaps.shape[:0:-1]) * 8
        people = module.paf_to_pose_cpp(
            np.ascontiguousarray(heatmaps.transpose(1, 2, 0)),
            np.ascontiguousarray(_released_order(pafs).transpose(1, 2, 0)),
            config,
        )
        keypoints, scores = np.zeros((len(people), 18, 2)), np.zeros((len(people), 18))
        for index, person in enumerate(people):
            for part, found in person.body_parts.items():
                keypoints[index, part] = np.array([found.x, found.y]) * size
                scores[index, part] = found.score
        return keypoints, scores

    return decode


def _released_order(pafs: np.ndarray) -> np.ndarray:
    order = [OPENPOSE18.limbs.index(limb) for limb in OPENPOSE18_RELEASED.limbs]
    return pafs.reshape(len(order), 2, *pafs.shape[1:])[order].reshape(pafs.shape)


def _name_scipys_old_modules() -> None:
    """scipy.ndimage.filters and .morphology, which newer versions have dropped."""
    for name in ('filters', 'morphology'):
        sys.modules.setdefault(f'scipy.ndimage.{name}', ndimage)


_name_scipys_old_modules()
_MAKERS = {
    ('lightweight', 'targets'): ('datasets.coco', _lightweight_targets),
    ('lightweight', 'decode'): ('modules.keypoints', _lightweight_decode),
    ('realtime', 'targets'): ('lib.datasets.heatmap', _realtime_targets),
    ('realtime', 'decode'): ('lib.utils.paf_to_pose', _realtime_decode),
}
