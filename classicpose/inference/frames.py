"""The images to look at: files, folders, patterns, videos, cameras and URLs as one sequence of frames."""

from __future__ import annotations

import glob
import http.client
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NoReturn

import numpy as np

from ..errors import UserError
from ..images import decode_image, is_animated, read_image
from ..people import image_number
from ..video import Video, open_video

PICTURE_ENDINGS = ('.avif', '.bmp', '.heic', '.heif', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp')
VIDEO_ENDINGS = ('.avi', '.flv', '.gif', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.ts', '.webm', '.wmv')

_TIMEOUT = 20  # seconds without an answer


@dataclass
class Frame:
    """One image to look at.

    Attributes:
        image: (H, W, 3) uint8 BGR, upright: turned as the EXIF data or the video's metadata say.
        name: the beginning of the names of output files: ``street`` for ``street.jpg``, ``walk_000000000012`` for frame
            12 of the video ``walk.mp4``.
        path: the image's or video's file or URL, or a camera's index.
        number: the number of a video's frame, from 0; None for an image.
        source: the input as the user gave it; for an image in a folder, the folder.
        time: the time of a video's frame, in seconds from the video's beginning; None if it is not known.
    """

    image: np.ndarray
    name: str
    path: str
    number: int | None
    source: str
    time: float | None = None


@dataclass(frozen=True)
class _Item:
    """An image or a video; a video's ``name`` is how the names of its frames begin."""

    path: str
    name: str
    source: str
    video: Video | None = None
    data: bytes | None = None  # what an image's URL gave


class Frames:
    """The frames of all inputs, one input after another, each time it is iterated over. Made by :func:`open_frames`.

    Attributes:
        length: the number of frames, as the videos' files state it; None with a camera or a stream.
        names: by the path of each image, its frame's ``name``; by a video's, how those of its frames begin.
        videos: each :class:`Video` by its path, which is its frames' ``path``.
        numbered: whether the numbers at the ends of the frames' names tell all frames apart; also where no name has
            one.
        is_video: whether the only input is a video, camera or stream. ``fps`` (None where it is not told) and ``size``
            are that one's then, else None.
    """

    def __init__(self, items: Sequence[_Item], unreadable: list[UserError] | None) -> None:
        self._items = items
        self._unreadable = unreadable
        self.names = {item.path: item.name for item in items}
        self.videos = {item.path: item.video for item in items if item.video}
        lengths = [item.video.length if item.video else 1 for item in items]
        self.length = None if None in lengths else sum(lengths)
        self.is_video = len(items) == len(self.videos) == 1
        self.numbered = self.is_video or not self.videos and _tell_apart([image_number(item.name) for item in items])
        self.fps = items[0].video.fps if self.is_video else None
        self.size = items[0].video.size if self.is_video else None

    def __iter__(self) -> Iterator[Frame]:
        for item in self._items:
            if item.video:
                for number, time, image in item.video.frames():
                    yield Frame(image, f'{item.name}_{number:012d}', item.path, number, item.source, time)
                continue
            try:
                image = _read(item)
            except UserError as error:
                if self._unreadable is None:
                    raise
                self._unreadable.append(error)
            else:
                yield Frame(image, item.name, item.path, None, item.source)


def _tell_apart(numbers: Sequence[int | None]) -> bool:
    return set(numbers) == {None} or None not in numbers and len(set(numbers)) == len(numbers)


def open_frames(
    inputs: str | os.PathLike | Sequence[str | os.PathLike],
    frame_first: int = 0,
    frame_last: int | None = None,
    frame_step: int = 1,
    unreadable: list[UserError] | None = None,
) -> Frames:
    """Find all inputs and look into each video, so that mistakes come to light before any work.

    Args:
        inputs: image or video files; folders, for the images in them (not in their subfolders) in natural order,
            ``2.jpg`` before ``10.jpg``; patterns like ``clips/*.mp4``; camera indices like ``0`` (a folder of that name
            is ``./0``); http and https URLs of images and videos, and those of streams, as ``rtsp://camera/live``.
        frame_first: number, from 0, of the first frame to deliver of each video and of each folder's
            or pattern's images.
        frame_last: number of the last one, itself included; None for all.
        frame_step: from one delivered frame's number to the next one's.
        unreadable: a list for the errors of images that cannot be read, which are skipped. Without it the first of
            them is raised while iterating.

    Raises:
        UserError: when an input is missing, empty, of no known kind or broken, when there is no frame to deliver, or
            when two frames would have the same name.
    """
    if frame_first < 0 or frame_step < 1 or (frame_last is not None and frame_last < frame_first):
        raise UserError(
            f'no frames from {frame_first} to {frame_last} in steps of {frame_step}: '
            'the first is at least 0, the last not before it and the step at least 1'
        )
    chosen = slice(frame_first, None if frame_last is None else frame_last + 1, frame_step)
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    items = [item for source in given for item in _find(os.fspath(source), chosen)]
    if not items:
        raise UserError('no input: give images, folders, videos, a camera index or URLs')
    _check_names(items)
    return Frames(items, unreadable)


def _find(source: str, chosen: slice) -> list[_Item]:
    """The images and videos that an input stands for."""
    if source.isdecimal():
        return [_Item(source, f'camera{source}', source, open_video(source, chosen))]
    scheme, mark, address = source.partition('://')
    if mark and re.fullmatch('[A-Za-z][A-Za-z0-9+.-]*', scheme) and not os.path.exists(source):
        return [_find_url(f'{scheme.lower()}://{address}', chosen)]
    if os.path.isdir(source):
        try:
            files = [entry.path for entry in os.scandir(source) if entry.is_file()]
        except OSError as error:
            raise UserError(f'folder {source} cannot be read: {error.strerror}') from error
        return _several(source, filter(is_image, files), (*PICTURE_ENDINGS, '.gif'), chosen)
    if os.path.exists(source):
        if not source.lower().endswith(PICTURE_ENDINGS + VIDEO_ENDINGS):
            known = ' '.join(PICTURE_ENDINGS + VIDEO_ENDINGS)
            raise UserError(f'{source} is neither an image nor a video by its ending; known are {known}')
        return [_file(source, source, chosen)]
    if glob.has_magic(source):
        files = filter(os.path.isfile, glob.glob(source, recursive=True))
        return _several(source, files, PICTURE_ENDINGS + VIDEO_ENDINGS, chosen)
    raise UserError(f'{source} does not exist; give an image, a folder, a video, a camera index or a URL')


def _several(source: str, files: Iterator[str], endings: tuple[str, ...], chosen: slice) -> list[_Item]:
    """Of the files with these endings the videos and the chosen ones of the images."""
    found = sorted((path for path in files if path.lower().endswith(endings)), key=_natural)
    if not found:
        raise UserError(f'{source}: no file there ends in {" ".join(endings)}; give a folder or files that are there')
    images = [path for path in found if is_image(path)]
    taken = set(images[chosen])
    if images and not taken:
        raise UserError(f'{source} has {len(images)} images, so none from number {chosen.start} on')
    return [_file(path, source, chosen) for path in found if path in taken or not is_image(path)]


def _natural(path: str) -> list[tuple[bool, int, str]]:
    pieces = re.findall('[0-9]+|[^0-9]+', path)
    return [(False, int(piece), '') if piece[0] in '0123456789' else (True, 0, piece) for piece in pieces]


def is_image(path: str) -> bool:
    """Whether a file is one image by its ending; an animated GIF is a video."""
    still = path.lower().endswith('.gif') and os.path.isfile(path) and not is_animated(path)
    return still or path.lower().endswith(PICTURE_ENDINGS)


def _file(path: str, source: str, chosen: slice) -> _Item:
    return _Item(path, Path(path).stem, source, None if is_image(path) else open_video(path, chosen))


def _find_url(url: str, chosen: slice) -> _Item:
    try:
        file = PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(url).path))
        if url.startswith(('http://', 'https://')) and not file.name.lower().endswith(VIDEO_ENDINGS):
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
                if is_image(file.name) or answer.headers.get_content_maintype() == 'image':
                    return _Item(url, file.stem or 'image', url, data=answer.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, 'reason', None) or error
        raise UserError(f'{url} cannot be read ({reason}); download it and give the file') from error
    return _Item(url, file.stem or 'stream', url, open_video(url, chosen))


def _read(item: _Item) -> np.ndarray:
    if item.data is None:
        return read_image(item.path, upright=True)
    return decode_image(item.data, item.path, upright=True)


def _check_names(items: Sequence[_Item]) -> None:
    """Raise UserError where files about two frames would have the same name."""
    paths: dict[tuple[bool, str], str] = {}
    for item in items:
        key = (item.video is not None, item.name)
        if key in paths:
            _raise_collision(paths[key], item.path)
        paths[key] = item.path
    for (is_video, name), path in paths.items():
        frame = None if is_video else re.fullmatch('(.*)_[0-9]{12}', name)
        if frame and (True, frame[1]) in paths:
            _raise_collision(paths[True, frame[1]], path)


def _raise_collision(path: str, other: str) -> NoReturn:
    if path == other:
        raise UserError(f'{path} is given twice; give it once')
    raise UserError(f'{path} and {other} would give files of the same name; rename one or give them in separate runs')
