"""The people of a video's frames between those that the network looks at.

Symbols: P people, K keypoints. Points are (x, y) in pixels.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from ..people import People
from .frames import Frame


class EveryNth:
    """Of frames every ``step``-th of each video or folder, from the first on; the others are kept until they are filled
    in.
    """

    def __init__(self, frames: Iterable[Frame], step: int) -> None:
        self._frames = frames
        self._step = step
        self._left_out: deque[list[Frame]] = deque()  # after each frame looked at

    def __iter__(self) -> Iterator[Frame]:
        for _, sequence in itertools.groupby(self._frames, sequence_of):
            for number, frame in enumerate(sequence):
                if number % self._step:
                    self._left_out[-1].append(frame)
                else:
                    self._left_out.append([])
                    yield frame

    def filled_in(self, results: Iterable[tuple[Frame, People]]) -> Iterator[tuple[Frame, People]]:
        """All frames in order, from the tracked people of those looked at, which come when the next ones are known."""
        for (frame, people), following in itertools.pairwise(itertools.chain(results, [None])):
            yield frame, people
            left_out = self._left_out.popleft()
            goes_on = following and sequence_of(following[0]) == sequence_of(frame)
            after = following[1] if goes_on else people  # where nothing follows they stay where they are
            for number, between in enumerate(left_out, start=1):
                yield between, interpolated(people, after, number / (len(left_out) + 1), between)


def sequence_of(frame: Frame) -> tuple[str, str]:
    """The same for the frames of a video, and for the images of a folder."""
    return frame.source, frame.path if frame.number is not None else ''


def interpolated(before: People, after: People, share: float, frame: Frame) -> People:
    """The people of a frame ``share`` of the way from one frame to another, by their ``track_ids``.

    Those who are in both, and of them the keypoints, of hands and faces too, that were found in both: on the straight
    line between the two places, with the lower of the two scores. There are no maps and no candidates.
    """
    ids, rows, other_rows = np.intersect1d(before.track_ids, after.track_ids, return_indices=True)
    order = np.argsort(rows)  # best first, as before
    rows, other_rows = rows[order], other_rows[order]

    def points(table: np.ndarray, other: np.ndarray) -> np.ndarray:
        table, other = table[rows], other[other_rows]
        scores = np.minimum(table[..., 2], other[..., 2])[..., None]
        places = table[..., :2] + share * (other[..., :2] - table[..., :2])
        return (np.dstack([places, scores]) * (scores > 0)).astype(np.float32)

    body = points(before.found_keypoints, after.found_keypoints)
    return replace(
        before,
        name=frame.name,
        frame_number=frame.number,
        time=frame.time,
        path=frame.path,
        image_size=frame.image.shape[1::-1],
        keypoints=body[..., :2],
        keypoint_scores=body[..., 2],
        scores=np.minimum(before.scores[rows], after.scores[other_rows]),
        boxes=before.boxes[rows] + np.float32(share) * (after.boxes[other_rows] - before.boxes[rows]),
        track_ids=ids[order],
        candidates=None,
        heatmaps=None,
        pafs=None,
        image_to_map=None,
        parts={name: points(table, after.parts[name]) for name, table in before.parts.items()},
    )
