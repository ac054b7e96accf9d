"""From images to people with any trained model: load once, call as often as you like."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.models import BottomupPoseEstimator
from mmpose.structures import PoseDataSample
from PIL import Image

from ..configuration.explain import explained_config_errors
from ..configuration.loading import load_config
from ..configuration.skeleton import find_skeleton
from ..datasets.transforms import ResizeToHeight
from ..errors import UserError
from ..images import as_image, read_image
from ..paf import image_to_map_matrix, part_candidates
from ..people import People, boxes_around
from .boxes import full_image
from .frames import Frame
from .hands_and_faces import PartNetwork
from .model import load_model, pick_device, steps_after_loading
from .zoo import find_model

# What OpenPose's flag of this name changes, as far as our decoders have it.
_MAXIMIZED = dict(peak_threshold=0.02, paf_threshold=0.01, pass_ratio=0.75, min_parts=2, min_score=0.05)


class Predictor:
    """A trained model and the test pipeline of its config.

    >>> predict = Predictor('openpose_lite')
    >>> people = predict('street.jpg')
    >>> people.keypoints, people.keypoint_scores

    Args:
        config: the config that the model was trained with; without a checkpoint the name of a model of the zoo.
        checkpoint: its weights (.pth), or the network as exported by tools/export_onnx.py (.onnx).
        boxes: for single-person networks, where these are: maps a :class:`Frame` to (N, 5) x1, y1, x2, y2, score;
            by default :func:`full_image`.
        device: 'cpu', 'cuda', ...; by default a GPU where there is one.
        batch_size: images, or for single-person networks their boxes, at a time.
        options: ``key=value`` settings that override the config.
        net_resolution: (w, h) that an image is fitted into before the network sees it, -1 for any, as OpenPose's
            option; only for bottom-up networks. The aspect is kept, the size padded to the stride.
        scale_number, scale_gap: look at so many sizes, each smaller than the one before by this share of the first,
            and average their maps; only for bottom-up networks.
        maximize_positives: lower thresholds: more people are found, and more of what is found is wrong; only for
            bottom-up networks.
        number_people_max: keep only so many people an image, those with the best scores.
        maps: also return the network's maps; only for bottom-up networks.
        candidates: also return all peaks of each keypoint; only for bottom-up networks.
        hand, face: networks that look at everybody's hands and faces, see :attr:`People.parts`.

    Attributes:
        bottom_up: whether the network finds several people by itself.
        skeleton: of the people.
        net_resolution: (w, h) that images are fitted into, -1 for any; None for single-person networks.
        parts: the keys of :attr:`People.parts`.

    Raises:
        UserError: when a file is missing, broken or of another model, or the model cannot do what is asked for.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        boxes: Callable[[Frame], np.ndarray] | None = None,
        device: str | torch.device | None = None,
        batch_size: int = 8,
        options: Sequence[str] = (),
        net_resolution: tuple[int, int] | None = None,
        scale_number: int | None = None,
        scale_gap: float = 0.25,
        maximize_positives: bool = False,
        number_people_max: int | None = None,
        maps: bool = False,
        candidates: bool = False,
        hand: PartNetwork | None = None,
        face: PartNetwork | None = None,
    ) -> None:
        if checkpoint is None:
            config, checkpoint = find_model(str(config))
        cfg = load_config(config, options)
        self._explained = functools.partial(explained_config_errors, cfg)
        with self._explained():
            init_default_scope(cfg.get('default_scope') or 'mmpose')
            self._model = load_model(cfg, checkpoint).to(pick_device(device)).eval()
        self.bottom_up = isinstance(self._model, BottomupPoseEstimator)
        bottom_up_only = dict(
            net_resolution=net_resolution is not None,
            scale_number=scale_number is not None,
            maximize_positives=maximize_positives,
            heatmaps=maps,
            part_candidates=candidates,
        )
        if not self.bottom_up and any(bottom_up_only.values()):
            names = ', '.join(name for name, given in bottom_up_only.items() if given)
            raise UserError(f'{config} is a single-person network: leave out {names}')
        if self.bottom_up and boxes is not None:
            raise UserError(f'{config} is a network that finds people by itself: leave out boxes')
        with self._explained():
            self.skeleton = find_skeleton(self._model, cfg)
            self._metainfo = parse_pose_metainfo(self.skeleton.metainfo())
            steps = steps_after_loading(cfg.test_dataloader.dataset.pipeline, net_resolution)
            self._transform = Compose(steps)
        resizing = [step for step in steps if isinstance(step, ResizeToHeight)]
        self.net_resolution = (resizing[0].width or -1, resizing[0].height or -1) if resizing else None
        if scale_number is not None:
            self._model.test_cfg['scales'] = _scales(scale_number, scale_gap)
        if maximize_positives:
            codec = self._model.head.decoder
            lower = {name: min(value, getattr(codec.settings, name)) for name, value in _MAXIMIZED.items()}
            codec.settings = replace(codec.settings, **lower)
        self._part_networks = [network for network in (hand, face) if network is not None]
        for network in self._part_networks:
            network.check(self.skeleton)
        self.parts = tuple(name for network in self._part_networks for name in network.names)
        self._maps, self._candidates = maps, candidates
        if maps or candidates:
            self._model.test_cfg['output_maps'] = True
        self._boxes = boxes or full_image
        self._batch_size = batch_size
        self._number_people_max = number_people_max

    def __call__(self, images: object) -> People | Iterator[People]:
        """The people in an image, or those in each of several.

        Args:
            images: an image, see :func:`as_image`, or the path of its file; or any iterable of images, which is read
                as far as the results are, an array or tensor of four axes too.

        Raises:
            UserError: when a file is missing or broken.
        """
        single = isinstance(images, (str, Path, Frame, Image.Image)) or getattr(images, 'ndim', 4) < 4
        if single or not isinstance(images, Iterable):
            return next(self(iter([images])))
        frames = map(_as_frame, images, itertools.count())
        return (people for _, people in self.stream(frames))

    def stream(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, People]]:
        """Each frame and its people, in order, as soon as a batch is full."""
        waiting: list[tuple[Frame, list[dict]]] = []
        count, shape = 0, None
        for frame in frames:
            samples = self._samples(frame)
            # In a batch, images of different sizes would be padded, and their results depend on their company.
            if waiting and shape != _shape(samples):
                yield from self._people_of(waiting)
                waiting, count = [], 0
            waiting.append((frame, samples))
            count, shape = count + max(len(samples), 1), _shape(samples)
            if count >= self._batch_size:
                yield from self._people_of(waiting)
                waiting, count = [], 0
        yield from self._people_of(waiting)

    def _samples(self, frame: Frame) -> list[dict]:
        """What the model is to see of an image: all of it, or the box of each person."""
        size = frame.image.shape[:2]
        shared = dict(self._metainfo, img=frame.image, img_path=frame.path, img_shape=size, ori_shape=size, img_id=0)
        if self.bottom_up:
            inputs = [dict(shared, id=0)]
        else:
            inputs = [
                dict(shared, id=number, category_id=1, bbox=box[None, :4], bbox_score=box[4:].astype(np.float32))
                for number, box in enumerate(self._boxes(frame).astype(np.float32))
            ]
        with self._explained():
            return list(map(self._transform, inputs))

    def _people_of(self, waiting: list[tuple[Frame, list[dict]]]) -> Iterator[tuple[Frame, People]]:
        samples = [sample for _, samples in waiting for sample in samples]
        results: list[PoseDataSample] = []
        for start in range(0, len(samples), self._batch_size):
            with torch.inference_mode(), self._explained():
                results += self._model.test_step(pseudo_collate(samples[start : start + self._batch_size]))
        position, found = 0, []
        for frame, own in waiting:
            found.append((frame, self._people(frame, results[position : position + len(own)])))
            position += len(own)
        for network in self._part_networks:
            network.add_to([frame.image for frame, _ in found], [people for _, people in found])
        yield from found

    def _people(self, frame: Frame, results: list[PoseDataSample]) -> People:
        count = len(self.skeleton.keypoints)
        keypoints = _stacked(results, 'keypoints', (count, 2))
        keypoint_scores = _stacked(results, 'keypoint_scores', (count,))
        if self.bottom_up:
            scores = _stacked(results, 'bbox_scores', ())
            boxes = boxes_around(keypoints, keypoint_scores > 0).astype(np.float32)
        else:
            boxes = _stacked(results, 'bboxes', (4,), of='gt_instances')
            scores = _stacked(results, 'bbox_scores', (), of='gt_instances') * keypoint_scores.mean(axis=1)
        best = np.arange(len(scores))
        if self._number_people_max is not None:
            best = np.sort(np.argsort(-scores, kind='stable')[: self._number_people_max])
        people = People(
            name=frame.name,
            image_size=(frame.image.shape[1], frame.image.shape[0]),
            skeleton=self.skeleton,
            keypoints=keypoints[best],
            keypoint_scores=keypoint_scores[best],
            scores=scores[best],
            boxes=boxes[best],
            path=frame.path,
            frame_number=frame.number,
        )
        if self._maps or self._candidates:
            self._add_maps(people, results[0])
        return people

    def _add_maps(self, people: People, result: PoseDataSample) -> None:
        fields = result.pred_fields
        heatmaps, pafs = fields.heatmaps.float().cpu().numpy(), fields.pafs.float().cpu().numpy()
        if self._candidates:
            codec = self._model.head.decoder
            people.candidates = part_candidates(heatmaps, self.skeleton, codec.stride, codec.settings)
            scale, center = np.array(result.input_scale), np.array(result.input_center)
            for rows in people.candidates:
                rows[:, :2] = rows[:, :2] / result.input_size * scale + center - scale / 2
        if self._maps:
            people.heatmaps, people.pafs = heatmaps, pafs
            size = heatmaps.shape[:0:-1]
            people.image_to_map = image_to_map_matrix(result.input_size, result.input_scale, result.input_center, size)


def _scales(number: int, gap: float) -> tuple[float, ...]:
    scales = tuple(1 - index * gap for index in range(number))
    if not scales or scales[-1] <= 0:
        raise UserError(
            f'scale_number {number} with scale_gap {gap} ends at a size of {scales[-1:]}: lower one of them'
        )
    return scales


def _shape(samples: list[dict]) -> torch.Size | None:
    return samples[0]['inputs'].shape if samples else None


def _as_frame(image: object, number: int) -> Frame:
    if isinstance(image, Frame):
        return image
    if isinstance(image, (str, Path)):
        return Frame(read_image(str(image), upright=True), Path(image).stem, str(image), None, str(image))
    return Frame(image=as_image(image), name=f'{number:012d}', path='', number=number, source='')


def _stacked(
    results: list[PoseDataSample], name: str, shape: tuple[int, ...], of: str = 'pred_instances'
) -> np.ndarray:
    """(P, ...) float32, a field of all results' people."""
    values = [result.get(of)[name] for result in results]
    arrays = [np.asarray(value.cpu() if isinstance(value, torch.Tensor) else value, np.float32) for value in values]
    return np.concatenate([np.empty((0, *shape), np.float32), *arrays])
