"""Networks that describe themselves, and how each kind gets from images to keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..errors import UserError
from ..paf import DecodeSettings, decode_people, flip_maps
from .description import BOTTOM_UP, CASCADE, Description, read_description
from .scales import scaled_inputs, unscaled_maps
from .session import Arrays, open_session, run_session
from .single_person import DECODERS, probable, unmirrored
from .windows import Window, cut_out, normalised, resized

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


# What OpenPose's flag of this name changes, as far as our decoders have it.
_MAXIMIZED = dict(peak_threshold=0.02, paf_threshold=0.01, pass_ratio=0.75, min_parts=2, min_score=0.05)


@dataclass(frozen=True)
class BottomUpSettings:
    """How a bottom-up network looks at an image, as far as it is not to be as it was exported or configured.

    Args:
        net_resolution: (w, h) that an image is fitted into before the network sees it, -1 for any, as OpenPose's
            option. The aspect is kept, the size padded to the stride.
        scale_number, scale_gap: look at so many sizes, each smaller than the one before by this share of the first,
            and average their maps.
        maximize_positives: lower thresholds: more people are found, and more of what is found is wrong.
        decoding: (name, value) pairs of :class:`~classicpose.paf.DecodeSettings` to change.
        maps: also return the network's maps.
        candidates: also return all peaks of each keypoint.

    Raises:
        UserError: when the smallest of the scales is no size.
    """

    net_resolution: tuple[int, int] | None = None
    scale_number: int | None = None
    scale_gap: float = 0.25
    maximize_positives: bool = False
    decoding: Sequence[tuple[str, float]] = ()
    maps: bool = False
    candidates: bool = False

    def __post_init__(self) -> None:
        if self.scales is not None and (not self.scales or self.scales[-1] <= 0):
            raise UserError(
                f'scale_number {self.scale_number} with scale_gap {self.scale_gap} ends at a size of '
                f'{self.scales[-1:]}: lower one of them'
            )

    @property
    def scales(self) -> tuple[float, ...] | None:
        """Factors of the input's size to look at; None for those that are configured."""
        if self.scale_number is None:
            return None
        return tuple(1 - index * self.scale_gap for index in range(self.scale_number))

    def changed(self) -> list[str]:
        """The names of the settings that are not the defaults."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]

    def decoder(self, settings: DecodeSettings) -> DecodeSettings:
        """How maps are decoded, where ``settings`` are the network's own."""
        settings = replace(settings, **dict(self.decoding))
        lowest = _MAXIMIZED if self.maximize_positives else {}
        return replace(settings, **{name: min(value, getattr(settings, name)) for name, value in lowest.items()})


@dataclass(frozen=True)
class Sample:
    """What a network is shown of an image.

    ``inputs`` (3, H, W), an array or a tensor, and what else its estimator needs to know.
    """

    inputs: Any
    known: Any


@dataclass(frozen=True)
class Found:
    """What an estimator finds in a sample.

    Attributes:
        keypoints: (P, K, 2) in the image's pixels, anywhere where a keypoint was not found; P is 1 for a single
            person.
        keypoint_scores: (P, K), 0 where a keypoint was not found.
        scores: (P,) of the people of a bottom-up network; None for a single person, who has a box's.
        heatmaps, pafs: the maps, if they were asked for.
        window: of the maps.
    """

    keypoints: np.ndarray
    keypoint_scores: np.ndarray
    scores: np.ndarray | None = None
    heatmaps: np.ndarray | None = None
    pafs: np.ndarray | None = None
    window: Window | None = None


class Estimator(Protocol):
    """A network that is ready to predict.

    Attributes:
        bottom_up: whether it finds several people by itself.
        skeleton: of the people.
        net_resolution: (w, h) that images are fitted into, -1 for any; None for single-person networks.
        stride, settings: of a bottom-up network's maps, and how they are decoded.
    """

    bottom_up: bool

    def prepare(self, image: np.ndarray, boxes: np.ndarray) -> list[Sample]:
        """What it is to see of an image (H, W, 3) uint8 BGR: all of it, or the (N, 5) boxes of its people."""

    def predict(self, samples: Sequence[Sample]) -> list[Found]:
        """What is found in samples of one size."""


class _OnnxEstimator:
    """A network of a file, and its description."""

    def __init__(self, session: InferenceSession, described: Description) -> None:
        self._session = session
        self._described = described
        self.skeleton = described.skeleton
        self.bottom_up = described.kind == BOTTOM_UP
        self.net_resolution: tuple[int, int] | None = None

    def _normalised(self, image: np.ndarray) -> np.ndarray:
        return normalised(image, self._described.channels, self._described.mean, self._described.std)

    def _run(self, *inputs: np.ndarray) -> Arrays:
        return run_session(self._session, *inputs)


class AffinityEstimator(_OnnxEstimator):
    """Bottom-up: heatmaps and part affinity fields of the full image."""

    def __init__(self, session: InferenceSession, described: Description, settings: BottomUpSettings) -> None:
        super().__init__(session, described)
        decoder = {name: value for name, value in described.decoder.items() if name not in ('codec', 'stride')}
        unknown = set(decoder) - {field.name for field in fields(DecodeSettings)}
        if unknown:
            raise ValueError(f'unknown decoder settings {sorted(unknown)}')
        self.stride = float(described.decoder['stride'])
        self.settings = settings.decoder(DecodeSettings(**decoder))
        self._window = {name: described.window[name] for name in ('height', 'width', 'stride')}
        if settings.net_resolution is not None:
            width, height = (None if size == -1 else size for size in settings.net_resolution)
            self._window.update(width=width, height=height)
        self.net_resolution = tuple(self._window[name] or -1 for name in ('width', 'height'))
        self._scales = settings.scales or tuple(described.test['scales'])
        self._flip = described.test['flip']
        self._maps = settings.maps or settings.candidates

    def prepare(self, image: np.ndarray, boxes: np.ndarray) -> list[Sample]:
        """The image, resized."""
        small, window = resized(image, **self._window)
        return [Sample(self._normalised(small), window)]

    def predict(self, samples: Sequence[Sample]) -> list[Found]:
        """The people that the maps of each image show."""
        heatmaps, pafs = self._predict_maps(np.stack([sample.inputs for sample in samples]))
        return [self._found(*maps, sample.known) for *maps, sample in zip(heatmaps, pafs, samples, strict=True)]

    def _predict_maps(self, inputs: np.ndarray) -> Arrays:
        """(B, K + 1, H, W) and (B, 2 L, H, W), means over scales and mirror images."""
        stride = int(self.stride)
        grid = tuple(size // stride for size in inputs.shape[2:])
        views = []
        for scale in self._scales:
            scaled = scaled_inputs(inputs, scale, stride)
            seen = [self._run(scaled)]
            if self._flip:
                seen.append(flip_maps(*self._run(scaled[..., ::-1]), self.skeleton))
            views += [tuple(unscaled_maps(maps, scale, grid) for maps in pair) for pair in seen]
        if len(views) == 1:
            return views[0]
        return tuple(sum(maps) / len(views) for maps in zip(*views, strict=True))

    def _found(self, heatmaps: np.ndarray, pafs: np.ndarray, window: Window) -> Found:
        keypoints, keypoint_scores, scores = decode_people(heatmaps, pafs, self.skeleton, self.stride, self.settings)
        maps = dict(heatmaps=heatmaps, pafs=pafs, window=window) if self._maps else {}
        return Found(window.to_image(keypoints), keypoint_scores, scores, **maps)


class SinglePersonEstimator(_OnnxEstimator):
    """One person in each box."""

    def __init__(self, session: InferenceSession, described: Description, path: str | Path) -> None:
        super().__init__(session, described)
        self._decoder = described.decoder
        if len(self._decoder) < 2 or self._decoder['codec'] not in DECODERS or not described.window:
            raise UserError(
                f'{path} was trained with {self._decoder["codec"]} or a preparation of images that is not known '
                'without its config: give the config before the file'
            )
        self._size = tuple(described.window['size'])
        self._padding = described.window['padding']
        self._flip, self._shift = described.test['flip'], described.test['shift']

    def prepare(self, image: np.ndarray, boxes: np.ndarray) -> list[Sample]:
        """A crop of each box."""
        crops = [cut_out(image, box[:4], self._size, self._padding) for box in boxes]
        return [Sample(self._normalised(crop), window) for crop, window in crops]

    def predict(self, samples: Sequence[Sample]) -> list[Found]:
        """The person in each crop."""
        inputs = np.stack([sample.inputs for sample in samples])
        outputs = probable(self._run(inputs), self._decoder)
        if self._flip:
            mirrored = probable(self._run(inputs[..., ::-1]), self._decoder)
            mirrored = unmirrored(mirrored, self._decoder, self.skeleton.flip_indices, self._shift)
            outputs = tuple((own + other) * np.float32(0.5) for own, other in zip(outputs, mirrored, strict=True))
        decode = DECODERS[self._decoder['codec']]
        return [
            Found(sample.known.to_image(keypoints[None]), keypoint_scores[None])
            for sample, keypoints, keypoint_scores in zip(samples, *decode(outputs, self._decoder), strict=True)
        ]


class CascadeEstimator(_OnnxEstimator):
    """One person in each box of the full image; the file looks again, closer."""

    def prepare(self, image: np.ndarray, boxes: np.ndarray) -> list[Sample]:
        """The image, once for each box."""
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype=np.float32)
        return [Sample(planes, box[:4].astype(np.float32)) for box in boxes]

    def predict(self, samples: Sequence[Sample]) -> list[Found]:
        """Where the last stage sees the joints."""
        images, boxes = (np.stack(values) for values in zip(*((one.inputs, one.known) for one in samples), strict=True))
        stages, scores = self._run(images, boxes)
        return [Found(keypoints[None], own[None]) for keypoints, own in zip(stages[-1], scores, strict=True)]


_OUTPUTS = {BOTTOM_UP: ['heatmaps', 'pafs'], CASCADE: ['stage_keypoints', 'keypoint_scores']}


def open_estimator(path: str | Path, settings: BottomUpSettings | None = None, device: str | None = None) -> Estimator:
    """The network of an ONNX file that tools/export_onnx.py wrote, ready to predict.

    Raises:
        UserError: when the file is missing, broken or without a description, or the device is not available.
    """
    session = open_session(path, device=device)
    described = read_description(session.get_modelmeta().custom_metadata_map, path)
    _check_fit(session, described, path)
    try:
        if described.kind == BOTTOM_UP:
            return AffinityEstimator(session, described, settings or BottomUpSettings())
        if described.kind == CASCADE:
            return CascadeEstimator(session, described)
        return SinglePersonEstimator(session, described, path)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f'{path}: its description is broken ({error}); export it again') from error


def _check_fit(session: InferenceSession, described: Description, path: str | Path) -> None:
    """The outputs' names and channels must be those of the kind and the skeleton."""
    names = [value.name for value in session.get_outputs()]
    expected = _OUTPUTS.get(described.kind, names)
    if names != expected:
        raise UserError(f'{path}: its outputs are {names}, its description names {expected}: export it again')
    keypoints, limbs = len(described.skeleton.keypoints), len(described.skeleton.limbs)
    channels = dict(
        heatmaps=(1, (keypoints, keypoints + 1)),
        pafs=(1, (2 * limbs,)),
        stage_keypoints=(2, (keypoints,)),
        keypoint_scores=(1, (keypoints,)),
        coordinates=(1, (keypoints,)),
        simcc_x=(1, (keypoints,)),
        simcc_y=(1, (keypoints,)),
    )
    for value in session.get_outputs():
        axis, allowed = channels.get(value.name, (0, ()))
        if len(value.shape) <= axis or (allowed and value.shape[axis] not in allowed):
            raise UserError(
                f'{path} describes another skeleton than its network has: {described.skeleton.name} with {keypoints} '
                f'keypoints and {limbs} limbs, but {value.name} of {value.shape}; export it again'
            )
