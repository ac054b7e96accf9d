"""From an uploaded file and the page's controls to people, drawings and files: the predictor and the writers at work.

Nothing here knows gradio.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import UserError, message_of
from ..images import check_image_size
from ..inference.frames import VIDEO_ENDINGS, Frames, open_frames
from ..inference.predictor import Predictor
from ..inference.run import run
from ..people import People
from ..skeletons import OPENPOSE18
from ..video import open_video
from ..writers.base import Writer
from ..writers.coco_json import CocoResults
from ..writers.images import RenderedImages, RenderedVideo
from ..writers.maps import MapImages
from ..writers.openpose_json import OpenPoseJson, own_layout
from ..writers.tables import WideTable
from ..writers.video import browsers_ending

MOST_PIXELS = 64_000_000
"""Of an uploaded image; a phone's have up to 50 million."""

MOST_VIDEO_PIXELS = 9_000_000
"""Of a video's frame: 4K."""

MOST_FRAMES = 1_800
"""So many frames of a video are looked at: a minute of a phone's."""

# The slider's lowest position.
_EVERYBODY = 0


@dataclass(frozen=True)
class Settings:
    """The page's controls.

    Args:
        model: what :class:`Predictor` is called with: a name of the zoo, config and checkpoint, or an exported network.
        peak_threshold, paf_threshold, min_score: see :class:`~classicpose.paf.DecodeSettings`; only for bottom-up
            networks, like the scales and the maps.
        render_threshold: lowest score drawn.
        number_people_max: 0 for everybody.
        flip: look at the mirrored image, too; networks that are configured to do so always do.
        scale_number, scale_gap: see :class:`Predictor`; 1 leaves the scales as configured.
        maps: also draw the heatmaps and fields.
        smoothing: filter a video's keypoints over time.
    """

    model: tuple[str, ...]
    peak_threshold: float
    paf_threshold: float
    min_score: float
    render_threshold: float = 0.05
    number_people_max: int = _EVERYBODY
    flip: bool = False
    scale_number: int = 1
    scale_gap: float = 0.25
    maps: bool = False
    smoothing: bool = False


@dataclass
class Results:
    """What the page shows of an image or a video.

    Attributes:
        rendering: the drawn image or video.
        maps: the drawn heatmaps and fields, where they were asked for.
        downloads: the files about the people.
        table: rows of person, frames that it is in, means of its score and of the number of its keypoints.
        summary: in one line.
    """

    rendering: Path
    maps: list[Path]
    downloads: list[Path]
    table: list[list]
    summary: str


@lru_cache(maxsize=2)
def load(model: tuple[str, ...], **settings: object) -> Predictor:
    """A predictor, kept while no more than another one is used.

    Raises:
        UserError: as :class:`Predictor`.
    """
    return Predictor(*model, **settings)


def look_at(upload: str | Path, settings: Settings, folder: Path) -> Results:
    """Find the people in an uploaded image or video.

    Args:
        folder: empty, for the results' files.

    Raises:
        UserError: when the file is broken or too large, or the model cannot be loaded; names the file without its
            folder, which means nothing to a visitor.
    """
    try:
        return _look_at(Path(upload), settings, folder)
    except UserError as error:
        raise UserError(message_of(error).replace(str(upload), Path(upload).name)) from error


def _look_at(upload: Path, settings: Settings, folder: Path) -> Results:
    is_video = upload.suffix.lower() in VIDEO_ENDINGS
    if is_video:
        _check_video_size(upload)
    else:
        check_image_size(upload, MOST_PIXELS)
    frames = open_frames(upload, frame_last=MOST_FRAMES - 1)
    predictor = _predictor(settings, is_video)
    name, table = upload.stem, _PeopleTable()
    rendering = folder / f'{name}_rendered{browsers_ending() if is_video else ".png"}'
    writers = [
        table,
        RenderedVideo(rendering, frames.fps, settings.render_threshold)
        if is_video
        else RenderedImages(folder, settings.render_threshold),
        WideTable(folder / f'{name}.csv', predictor.skeleton),
    ]
    # What has none of a person's keypoints is in the CSV alone.
    if set(predictor.skeleton.keypoints) & set(OPENPOSE18.keypoints):
        writers.append(OpenPoseJson(folder / 'openpose', own_layout(predictor.skeleton)))
        writers.append(CocoResults(folder / f'{name}_coco.json'))
    if _with_maps(settings, predictor, is_video):
        writers.append(MapImages(folder / 'maps'))
    count = run(predictor, frames, writers, tracking=is_video, smoothing=is_video and settings.smoothing)
    return Results(
        rendering=rendering,
        maps=sorted((folder / 'maps').glob('*')),
        downloads=[*_openpose_files(folder / 'openpose', name), *sorted(folder.glob('*.json')), *folder.glob('*.csv')],
        table=table.rows(),
        summary=_summary(len(table.scores), count, frames),
    )


def _predictor(settings: Settings, is_video: bool) -> Predictor:
    """The chosen model with the controls as far as they concern it."""
    chosen: dict = dict(options=('model.test_cfg.flip_test=True',)) if settings.flip else {}
    if settings.number_people_max != _EVERYBODY:
        chosen.update(number_people_max=settings.number_people_max)
    plain = load(settings.model)
    if plain.bottom_up:
        own = plain.decoding
        thresholds = {name: getattr(settings, name) for name in ('peak_threshold', 'paf_threshold', 'min_score')}
        changed = {name: value for name, value in thresholds.items() if value != getattr(own, name)}
        if changed:
            chosen.update(decoding=tuple(changed.items()))
        if settings.scale_number > 1:
            chosen.update(scale_number=settings.scale_number, scale_gap=settings.scale_gap)
        if _with_maps(settings, plain, is_video):
            chosen.update(maps=True)
    return load(settings.model, **chosen) if chosen else plain


def _with_maps(settings: Settings, predictor: Predictor, is_video: bool) -> bool:
    return settings.maps and predictor.bottom_up and not is_video


def _check_video_size(path: Path) -> None:
    width, height = open_video(str(path)).size
    if width * height > MOST_VIDEO_PIXELS:
        raise UserError(
            f'video {path} has {width} x {height} pixels, more than {MOST_VIDEO_PIXELS / 1e6:g} million; '
            'make it smaller'
        )


def _openpose_files(folder: Path, name: str) -> Sequence[Path]:
    """The one file, or an archive of a video's."""
    files = list(folder.glob('*'))
    if len(files) < 2:
        return files
    return [Path(shutil.make_archive(str(folder.parent / f'{name}_openpose'), 'zip', folder))]


def _summary(people: int, count: int, frames: Frames) -> str:
    found = f'{people} {"person" if people == 1 else "people"}'
    if not frames.videos:
        return found
    total = max((open_video(video.path).length or 0) for video in frames.videos.values())  # not of the chosen frames
    cut = f'; only the first {MOST_FRAMES} frames were looked at' if count == MOST_FRAMES < total else ''
    return f'{found} in {count} frames{cut}'


@dataclass
class _PeopleTable(Writer):
    """Collects, as the other writers write, a row a person: one of an image, one track of a video.

    Attributes:
        scores, keypoints: by the person's number, its scores and how many of its keypoints were found.
    """

    scores: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    keypoints: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        for number, score, keypoint_scores in zip(people.numbers, people.scores, people.keypoint_scores, strict=True):
            self.scores[int(number)].append(float(score))
            self.keypoints[int(number)].append(int((keypoint_scores > 0).sum()))

    def rows(self) -> list[list]:
        """Person, frames, mean score, mean number of keypoints."""
        return [
            [number, len(scores), round(float(np.mean(scores)), 3), round(float(np.mean(self.keypoints[number])), 1)]
            for number, scores in sorted(self.scores.items())
        ]
