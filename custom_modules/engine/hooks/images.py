"""Images of what a model predicts, while it is validated and tested."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from classicpose.images import read_image
from classicpose.paf import image_to_map_matrix
from classicpose.skeletons import Skeleton, skeleton_of
from classicpose.visualization.people_and_maps import draw_heatmaps, draw_pafs, draw_people, side_by_side

from ..wrapping import unwrapped

# Of the panels that validation shows, in pixels: at full size they would fill the event files.
_PANEL_HEIGHT = 320


@HOOKS.register_module(name=['PredictionImageHook', 'PictureHook'])
class PredictionImageHook(Hook):
    """Draw predictions: on files while testing, for the visualizer while validating.

    Testing writes ``<stem of the image>.jpg`` with all people found in the image so far (a
    top-down model's people come one by one). In distributed testing each process writes what it
    tested, so only a single process draws all people of a top-down model together.

    Validation adds panels called ``val_<stem of the image>``, people beside their maps.

    Args:
        interval: validation shows the first prediction and then one in this many.
        out_dir: the folder in which testing writes; without it, testing writes nothing.
        draw_maps: testing also writes ``<stem>_heatmaps.jpg`` and ``<stem>_pafs.jpg``, of the maps that the predictions
            have in ``pred_fields``.
        score_threshold: keypoints with scores up to this are not drawn.
    """

    def __init__(
        self,
        interval: int = 50,
        out_dir: str | None = None,
        draw_maps: bool = False,
        score_threshold: float = 0.05,
    ) -> None:
        self.interval = interval
        self.out_dir = out_dir
        self.draw_maps = draw_maps
        self.score_threshold = score_threshold
        self._panel_names = _Names()

    def before_val(self, runner: Runner) -> None:
        self._skeleton = _find_skeleton(runner.model, runner.val_loop.dataloader.dataset)
        self._seen = 0

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[PoseDataSample] | None = None,
    ) -> None:
        # Only the main process has the visualizer's back-ends.
        if not is_main_process():
            return
        for sample in outputs:
            if self._seen % self.interval == 0:
                self._show(runner, sample)
            self._seen += 1

    def _show(self, runner: Runner, sample: PoseDataSample) -> None:
        image = read_image(sample.img_path)
        people = draw_people(image, *_people(sample), self._skeleton, self.score_threshold)
        images = dict(people=people, **_draw_maps(image, sample))
        # Without a slash, for which LocalVisBackend would need a folder.
        name = self._panel_names.get(_identity(sample), f'val_{Path(sample.img_path).stem}')
        panel = cv2.cvtColor(side_by_side(images, _PANEL_HEIGHT), cv2.COLOR_BGR2RGB)
        runner.visualizer.add_image(name, panel, step=runner.iter)

    def before_test(self, runner: Runner) -> None:
        self._skeleton = _find_skeleton(runner.model, runner.test_loop.dataloader.dataset)
        self._file_names = _Names()
        self._people_by_image: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[PoseDataSample] | None = None,
    ) -> None:
        if self.out_dir is None:
            return
        for sample in outputs:
            self._write_people(sample)
            if self.draw_maps:
                self._write_maps(sample)

    def _write_people(self, sample: PoseDataSample) -> None:
        path = sample.img_path
        found = self._people_by_image.setdefault(path, [])
        found.append(_people(sample))
        keypoints, scores = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        image = draw_people(read_image(path), keypoints, scores, self._skeleton, self.score_threshold)
        self._write(image, path, Path(path).stem)

    def _write_maps(self, sample: PoseDataSample) -> None:
        image = read_image(sample.img_path)
        for kind, drawing in _draw_maps(image, sample).items():
            name = f'{Path(sample.img_path).stem}_{kind}'
            self._write(drawing, (kind, *_identity(sample)), name)

    def _write(self, image: np.ndarray, key: Hashable, name: str) -> None:
        name = self._file_names.get(key, name)
        mmcv.imwrite(image, str(Path(self.out_dir, f'{name}.jpg')))


class _Names:
    """Names that are as wished, or end in a number where somebody else has the wished one."""

    def __init__(self) -> None:
        self._owners: dict[str, Hashable] = {}

    def get(self, owner: Hashable, wish: str) -> str:
        """The same name whenever the same owner asks."""
        numbered = (f'{wish}_{number}' for number in itertools.count(2))
        candidates = itertools.chain([wish], numbered)
        return next(name for name in candidates if self._owners.setdefault(name, owner) == owner)


def _identity(sample: PoseDataSample) -> tuple[str, str]:
    """What tells a prediction from others: its image and, in top-down data, its person."""
    # Bottom-up data has a list of people's ids, which cannot be hashed.
    return sample.img_path, str(sample.get('id'))


def _find_skeleton(model: nn.Module, dataset: object) -> Skeleton:
    """The body model that the head predicts, or else the dataset's."""
    head = getattr(unwrapped(model), 'head', None)
    skeleton = getattr(head, 'skeleton', None)
    if skeleton is not None:
        return skeleton
    return skeleton_of(dataset.metainfo)


def _people(sample: PoseDataSample) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints (P, K, 2) in image pixels and their scores (P, K)."""
    people = sample.pred_instances
    return _to_numpy(people.keypoints), _to_numpy(people.keypoint_scores)


def _draw_maps(image: np.ndarray, sample: PoseDataSample) -> dict[str, np.ndarray]:
    """Images of those of ``heatmaps`` and ``pafs`` that a prediction comes with."""
    fields = sample.get('pred_fields', {})
    images = {}
    if 'heatmaps' in fields:
        heatmaps = _to_numpy(fields.heatmaps)
        images['heatmaps'] = draw_heatmaps(image, heatmaps, _matrix(sample, heatmaps))
    if 'pafs' in fields:
        pafs = _to_numpy(fields.pafs)
        images['pafs'] = draw_pafs(image, pafs, _matrix(sample, pafs))
    return images


def _matrix(sample: PoseDataSample, maps: np.ndarray) -> np.ndarray:
    map_size = (maps.shape[2], maps.shape[1])
    return image_to_map_matrix(sample.input_size, sample.input_scale, sample.input_center, map_size)


def _to_numpy(values: Tensor | np.ndarray) -> np.ndarray:
    return values.float().cpu().numpy() if isinstance(values, Tensor) else values
