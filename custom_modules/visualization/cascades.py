"""What a cascade did, from the predictions that ``tools/test.py --dump`` wrote: images and PDJ curves."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from classicpose.errors import UserError
from classicpose.images import read_image
from classicpose.skeletons import FLIC10, LSP14, Skeleton
from classicpose.visualization.people_and_maps import draw_people, side_by_side

from ..metrics import pdj, torso_diameters

# Published PDJ@0.2 on FLIC, observer-centric.
_RECORDS = {
    'elbow': {'DeepPose 2014': 0.923, 'CPM 2016': 0.976},
    'wrist': {'DeepPose 2014': 0.820, 'CPM 2016': 0.950},
}
_CURVE = np.arange(51) / 100
_THRESHOLDS = 0.1, 0.2
_TILE_HEIGHT = 240
# Around a person, as a share of the joints' extent.
_MARGIN = 0.25
_STAGE_COLORS = ((80, 80, 255), (60, 200, 255), (80, 220, 80), (255, 160, 60))  # BGR, first stage to last


def read_predictions(path: str | Path) -> list[dict]:
    """The samples of a ``--dump`` file that hold a cascade's predictions.

    The file is a pickle: read only your own.

    Raises:
        UserError: when the file is missing, is no such file, or holds predictions of another kind of model.
    """
    try:
        with open(path, 'rb') as file:
            samples = pickle.load(file)
        if not all('stage_keypoints' in sample['pred_instances'] for sample in samples) or not samples:
            raise UserError(f'{path} holds no predictions of a cascade; write it with tools/test.py CONFIG CKPT --dump')
    except OSError as error:
        raise UserError(f'predictions {path} cannot be read ({error.strerror})') from error
    except (pickle.UnpicklingError, EOFError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f'{path} is not a file of predictions; write it with tools/test.py CONFIG CKPT --dump'
        ) from error
    return samples


def gather(samples: Sequence[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of all stages (S, N, K, 2) and the truth (N, K, 2), NaN where unlabelled, in image pixels."""
    stages = np.concatenate([np.asarray(sample['pred_instances']['stage_keypoints']) for sample in samples])
    truth = np.concatenate([np.asarray(sample['gt_instances']['keypoints']) for sample in samples])
    visible = np.concatenate([np.asarray(sample['gt_instances']['keypoints_visible']) for sample in samples])
    return stages.transpose(1, 0, 2, 3).astype(np.float64), np.where(visible[..., None] > 0, truth, np.nan)


def _body_model(samples: Sequence[dict]) -> Skeleton:
    """FLIC's or LSP's, by the number of keypoints.

    Raises:
        UserError: when they are neither's.
    """
    count = np.asarray(samples[0]['gt_instances']['keypoints']).shape[1]
    known = {len(skeleton.keypoints): skeleton for skeleton in (FLIC10, LSP14)}
    if count not in known:
        raise UserError(f"predictions of {count} keypoints: only FLIC's 10 and LSP's 14 can be drawn")
    return known[count]


def exchanged_sides(samples: Sequence[dict]) -> np.ndarray:
    """(N,) bool: people whose labels disagree with the last stage as if left and right had been exchanged.

    That is where the labelled joints with a side lie more than 0.4 torso diameters from the prediction on average, and,
    exchanged, less than half as far.
    """
    stages, truth = gather(samples)
    skeleton = _body_model(samples)
    flipped = list(skeleton.flip_indices)
    sided = np.array(flipped) != np.arange(len(flipped))
    own, other = (
        np.nanmean(np.linalg.norm(stages[-1] - labels, axis=-1)[:, sided], axis=1) / torso_diameters(truth, skeleton)
        for labels in (truth, truth[:, flipped])
    )
    return (own > 0.4) & (other < own / 2)


def draw_best_to_worst(samples: Sequence[dict], count: int = 16) -> np.ndarray:
    """A sheet of ``count`` people evenly spread from the best to the worst: truth, prediction, the mean error."""
    stages, truth = gather(samples)
    skeleton = _body_model(samples)
    errors = np.nanmean(np.linalg.norm(stages[-1] - truth, axis=-1), axis=1)
    order = np.argsort(errors)
    chosen = order[np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int)]
    tiles = []
    for index in chosen:
        image, region = _person(samples[index], stages[-1, index], truth[index])
        drawn = [
            _cut(draw_people(image, person[None], np.isfinite(person[None, :, 0]).astype(float), skeleton), region)
            for person in (truth[index], stages[-1, index])
        ]
        tiles.append(side_by_side({'truth': drawn[0], f'{errors[index]:.1f} px': drawn[1]}, _TILE_HEIGHT))
    return _sheet(tiles, columns=4)


def draw_movements(samples: Sequence[dict], count: int = 12) -> np.ndarray:
    """A sheet of the people whom the later stages moved most: every joint's way from stage to stage, truth as rings."""
    stages, truth = gather(samples)
    moved = np.linalg.norm(stages[-1] - stages[0], axis=-1).mean(axis=1) / torso_diameters(truth, _body_model(samples))
    tiles = []
    for index in np.argsort(-np.nan_to_num(moved))[:count]:
        image, region = _person(samples[index], stages[:, index].reshape(-1, 2), truth[index])
        for joint in range(truth.shape[1]):
            if np.isfinite(truth[index, joint]).all():
                cv2.circle(image, _pixel(truth[index, joint]), 6, (255, 255, 255), 1, cv2.LINE_AA)
            way = [_pixel(position) for position in stages[:, index, joint]]
            for start, end in zip(way[:-1], way[1:], strict=True):
                cv2.line(image, start, end, (255, 255, 255), 1, cv2.LINE_AA)
            for position, color in zip(way, _STAGE_COLORS, strict=False):
                cv2.circle(image, position, 3, color, -1, cv2.LINE_AA)
        tiles.append(side_by_side({f'moved {moved[index]:.2f} torsos': _cut(image, region)}, _TILE_HEIGHT))
    return _sheet(tiles, columns=4)


def plot_curves(samples: Sequence[dict], path: str | Path) -> None:
    """PDJ over its threshold for each kind of joint, left and right averaged, a line a stage, to a PNG."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    stages, truth = gather(samples)
    skeleton = _body_model(samples)
    curves = [pdj(stage, truth, torso_diameters(truth, skeleton), _CURVE) for stage in stages]
    kinds = _kinds(skeleton)
    figure, axes = pyplot.subplots(1, len(kinds), figsize=(3.2 * len(kinds), 3.4), sharey=True, squeeze=False)
    for axis, (kind, members) in zip(axes[0], kinds.items(), strict=True):
        for number, curve in enumerate(curves, start=1):
            values = np.nanmean(curve[:, members], axis=1)
            axis.plot(_CURVE, values, label=f'stage {number}: {values[20]:.3f}')
        for name, record in _RECORDS.get(kind, {}).items() if skeleton is FLIC10 else ():
            axis.axhline(record, linestyle=':', color='grey', linewidth=0.8)
            axis.text(0.5, record, f'{name} at 0.2', fontsize=6, ha='right', va='bottom', color='grey')
        axis.set(title=kind, xlabel='share of the torso diameter', xlim=(0, 0.5), ylim=(0, 1))
        axis.legend(fontsize=7, title='PDJ@0.2', title_fontsize=7, loc='lower right')
    axes[0][0].set_ylabel('PDJ')
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def pdj_by_score(samples: Sequence[dict]) -> dict[str, np.ndarray]:
    """(2, T) by kind of joint, and of all: PDJ@0.1 and 0.2 of the half with the higher scores, then of the other."""
    stages, truth = gather(samples)
    skeleton = _body_model(samples)
    scores = np.concatenate([np.asarray(sample['pred_instances']['keypoint_scores']) for sample in samples])
    errors = np.linalg.norm(stages[-1] - truth, axis=-1) / torso_diameters(truth, skeleton)[:, None]
    table = {}
    for kind, members in (_kinds(skeleton) | dict(all=range(truth.shape[1]))).items():
        labelled = np.isfinite(errors[:, members])
        order = np.argsort(-scores[:, members][labelled], kind='stable')
        halves = np.array_split(errors[:, members][labelled][order], 2)
        table[kind] = np.array([[(half <= threshold).mean() for threshold in _THRESHOLDS] for half in halves])
    return table


def _kinds(skeleton: Skeleton) -> dict[str, list[int]]:
    """The joints, left and right together."""
    kinds: dict[str, list[int]] = {}
    for index, name in enumerate(skeleton.keypoints):
        kinds.setdefault(name.split('_', 1)[-1], []).append(index)
    return kinds


def _person(sample: dict, *keypoints: np.ndarray) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """A copy of the sample's image, and the region (left, top, right, bottom) around the keypoints."""
    image = read_image(sample['img_path']).copy()
    points = np.concatenate(keypoints)
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    margin = _MARGIN * (high - low).max()
    height, width = image.shape[:2]
    left, top = np.clip(low - margin, 0, [width - 2, height - 2]).astype(int)
    right, bottom = np.clip(high + margin, [left + 1, top + 1], [width, height]).astype(int)
    return image, (left, top, right, bottom)


def _cut(image: np.ndarray, region: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = region
    return image[top:bottom, left:right]


def _pixel(position: np.ndarray) -> tuple[int, int]:
    return tuple(int(value) for value in np.clip(np.round(position), -10_000, 10_000))


def _sheet(tiles: Sequence[np.ndarray], columns: int) -> np.ndarray:
    width = max(tile.shape[1] for tile in tiles)
    tiles = [cv2.copyMakeBorder(tile, 2, 2, 0, width - tile.shape[1] + 4, cv2.BORDER_CONSTANT) for tile in tiles]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    return np.vstack([np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)])
