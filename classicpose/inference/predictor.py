"""From images to people with any trained model: load once, call as often as you like."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..images import as_image, is_pillow_image, read_image
from ..networks.estimators import BottomUpSettings, Found, Sample
from ..paf import image_to_map_matrix, part_candidates
from ..people import People, boxes_around
from .boxes import BoxesOfPeople, full_image
from .frames import VIDEO_ENDINGS, Frame, is_image
from .hands_and_faces import PartNetwork
from .loading import load_estimator

if TYPE_CHECKING:
    import torch


class Predictor:
    """A trained model, ready to find people.

    >>> predict = Predictor('openpose_lite')
    >>> people = predict('street.jpg')
    >>> people.keypoints, people.keypoint_scores

    Args:
        config: the model's config. Without a checkpoint: the name of a model of the zoo, or an .onnx file that
            tools/export_onnx.py wrote, which needs no PyTorch.
        checkpoint: the weights (.pth), or the network that tools/export_onnx.py exported (.onnx).
        boxes: the source of a single-person network's boxes: the name or .onnx file of a bottom-up network, or a
            function from a ``Frame`` to (N, 5) x1, y1, x2, y2, score. The default is the full image.
        device: 'cpu', 'cuda', ...; by default a GPU if there is one.
        batch_size: the number of images, or of a single-person network's boxes, at a time.
        options: ``key=value`` settings that override the config.
        number_people_max: keep this many people of an image, those with the best scores.
        hand: a network for everybody's hands, see ``People.parts``.
        face: a network for everybody's faces.
        settings: the settings of a bottom-up network, see ``BottomUpSettings``:
            ``net_resolution``, ``scale_number``, ``maximize_positives``, ``maps``, ...

    Attributes:
        bottom_up: whether the network finds several people by itself.
        skeleton: the people's body model.
        net_resolution: images are fitted into this (w, h), -1 for any; None for single-person networks.
        decoding: the decoder's settings; None for single-person networks.
        parts: the keys of ``People.parts``.

    Raises:
        UserError: when a file is missing, broken or of another model, or the model does not support a setting.
    """

    def __init__(
        self,
        config: str | Path,
        checkpoint: str | Path | None = None,
        *,
        boxes: str | Path | Callable[[Frame], np.ndarray] | None = None,
        device: str | torch.device | None = None,
        batch_size: int = 8,
        options: Sequence[str] = (),
        number_people_max: int | None = None,
        hand: PartNetwork | None = None,
        face: PartNetwork | None = None,
        **settings: Any,
    ) -> None:
        asked = BottomUpSettings(**settings)
        self._estimator = load_estimator(config, checkpoint, asked, device, options)
        self.bottom_up = self._estimator.bottom_up
        self.skeleton = self._estimator.skeleton
        self.net_resolution = self._estimator.net_resolution
        if not self.bottom_up and asked.changed():
            raise UserError(f'{config} is a single-person network: leave out {", ".join(asked.changed())}')
        if self.bottom_up and boxes is not None:
            raise UserError(f'{config} is a network that finds people by itself: leave out boxes')
        self.decoding = self._estimator.settings if self.bottom_up else None
        self._part_networks = [network for network in (hand, face) if network is not None]
        for network in self._part_networks:
            network.check(self.skeleton)
        self.parts = tuple(name for network in self._part_networks for name in network.names)
        self._maps, self._candidates = asked.maps, asked.candidates
        self._boxes = self._boxes_by(boxes or full_image, device)
        self._batch_size = batch_size
        self._number_people_max = number_people_max

    def _boxes_by(
        self, boxes: str | Path | Callable[[Frame], np.ndarray], device: str | torch.device | None
    ) -> Callable[[Frame], np.ndarray]:
        if callable(boxes):
            return boxes
        predictor = Predictor(boxes, device=device)
        if not predictor.bottom_up:
            raise UserError(f'boxes {boxes}: this is a single-person network; name a bottom-up network')
        return BoxesOfPeople(predictor, self.skeleton)

    def __call__(self, images: object) -> People | Iterator[People]:
        """The people in an image, or those in each of several.

        Args:
            images: an image, see ``as_image``, or the path of its file; or any iterable of images, which is read
                as far as the results are, an array or tensor of four axes too.

        Raises:
            UserError: when a file is missing or broken.
        """
        single = isinstance(images, (str, Path, Frame)) or is_pillow_image(images) or getattr(images, 'ndim', 4) < 4
        if single or not isinstance(images, Iterable):
            return next(self(iter([images])))
        frames = map(_as_frame, images, itertools.count())
        return (people for _, people in self.stream(frames))

    def stream(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, People]]:
        """Each frame and its people, in order, as soon as a batch is full."""
        waiting: list[_Prepared] = []
        count, shape = 0, None
        for frame in frames:
            prepared = self._prepared(frame)
            # In a batch, images of different sizes would be padded, and their results depend on their company.
            if waiting and shape != prepared.shape:
                yield from self._people_of(waiting)
                waiting, count = [], 0
            waiting.append(prepared)
            count, shape = count + max(len(prepared.samples), 1), prepared.shape
            if count >= self._batch_size:
                yield from self._people_of(waiting)
                waiting, count = [], 0
        yield from self._people_of(waiting)

    def _prepared(self, frame: Frame) -> _Prepared:
        boxes = np.empty((0, 5)) if self.bottom_up else self._boxes(frame)
        boxes = boxes.astype(np.float32)
        return _Prepared(frame, boxes, self._estimator.prepare(frame.image, boxes))

    def _people_of(self, waiting: list[_Prepared]) -> Iterator[tuple[Frame, People]]:
        samples = [sample for prepared in waiting for sample in prepared.samples]
        results: list[Found] = []
        for start in range(0, len(samples), self._batch_size):
            results += self._estimator.predict(samples[start : start + self._batch_size])
        remaining = iter(results)
        found = [
            (prepared.frame, self._people(prepared, list(itertools.islice(remaining, len(prepared.samples)))))
            for prepared in waiting
        ]
        for network in self._part_networks:
            network.add_to([frame.image for frame, _ in found], [people for _, people in found])
        yield from found

    def _people(self, prepared: _Prepared, results: list[Found]) -> People:
        frame, count = prepared.frame, len(self.skeleton.keypoints)
        keypoints = _joined([result.keypoints for result in results], (count, 2))
        keypoint_scores = _joined([result.keypoint_scores for result in results], (count,))
        keypoints[keypoint_scores == 0] = 0  # guesses are for COCO's AP alone
        if self.bottom_up:
            scores = _joined([result.scores for result in results], ())
            boxes = boxes_around(keypoints, keypoint_scores > 0).astype(np.float32)
        else:
            boxes = prepared.boxes[:, :4]
            scores = prepared.boxes[:, 4] * keypoint_scores.mean(axis=1)
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
            time=frame.time,
        )
        if self._maps or self._candidates:
            self._add_maps(people, results[0])
        return people

    def _add_maps(self, people: People, found: Found) -> None:
        window = found.window
        if self._candidates:
            estimator = self._estimator
            people.candidates = part_candidates(found.heatmaps, self.skeleton, estimator.stride, estimator.settings)
            for rows in people.candidates:
                rows[:, :2] = window.to_image(rows[:, :2])
        if self._maps:
            people.heatmaps, people.pafs = found.heatmaps, found.pafs
            size = found.heatmaps.shape[:0:-1]
            people.image_to_map = image_to_map_matrix(window.size, window.scale, window.center, size)


@dataclass(frozen=True)
class _Prepared:
    """An image, its boxes (N, 5) and what the network is to see of it."""

    frame: Frame
    boxes: np.ndarray
    samples: list[Sample]

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Of the samples."""
        return tuple(self.samples[0].inputs.shape) if self.samples else None


def _as_frame(image: object, number: int) -> Frame:
    if isinstance(image, Frame):
        return image
    if isinstance(image, (str, Path)):
        path = str(image)
        if os.path.isdir(path) or '://' in path or path.lower().endswith(VIDEO_ENDINGS) and not is_image(path):
            raise UserError(
                f'{path} is not an image: give classicpose.inference.frames.open_frames({path!r}), which is all its '
                'images'
            )
        return Frame(read_image(path, upright=True), Path(path).stem, path, None, path)
    return Frame(image=as_image(image), name=f'{number:012d}', path='', number=number, source='')


def _joined(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """(P, ...) float32, the people of all results."""
    return np.concatenate([np.empty((0, *shape), np.float32), *arrays]).astype(np.float32, copy=False)
