"""From frames to files: reading, the network and writing side by side."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from ..people import People
from ..progress import tracked
from ..writers.base import Writer
from .between import EveryNth, sequence_of
from .frames import Frame, Frames
from .overlap import BackgroundWriter, prefetched
from .predictor import Predictor
from .smoothing import OneEuroSmoother
from .tracking import USUAL_FPS, Tracker

# Frames read ahead, and results waiting to be written: enough to even out, little memory.
_AHEAD = 4


def run(
    predictor: Predictor,
    frames: Frames,
    writers: Sequence[Writer],
    tracking: bool = False,
    smoothing: bool = False,
    look_every: int = 1,
) -> int:
    """Predict all frames and hand the people to the writers, with a bar of progress.

    After Ctrl-C or an error, what was predicted is written and every file is finished.

    Args:
        writers: of the files about them.
        tracking: give people ids that last through an input: a video, or a folder in the order of its images.
        smoothing: filter the tracked people's keypoints over time.
        look_every: let the network look at every n-th frame of an input only; the tracked people of those between lie
            on the way from one to the next, see :func:`.between.interpolated`.

    Returns:
        How many frames there were.
    """
    count = 0
    with ExitStack() as stack:
        for writer in writers:
            stack.enter_context(writer)

        def write(people: People, frame: Frame) -> None:
            for writer in writers:
                writer.write(people, frame.image)

        background = stack.enter_context(BackgroundWriter(write, _AHEAD))
        ahead = prefetched(frames, _AHEAD)
        looked_at = EveryNth(ahead, look_every)
        results = predictor.stream(looked_at if look_every > 1 else ahead)
        if tracking or smoothing or look_every > 1:
            results = _each_input(results, frames, lambda fps: Tracker(predictor.skeleton, fps / look_every))
        if look_every > 1:
            results = looked_at.filled_in(results)
        if smoothing:
            results = _each_input(results, frames, OneEuroSmoother)
        check_interrupt = stack.enter_context(_interrupted_between_frames())
        for frame, people in tracked(results, 'predict', frames.length, 'frames'):
            background.write(people, frame)
            count += 1
            check_interrupt()
    return count


@contextmanager
def _interrupted_between_frames() -> Iterator[Callable[[], None]]:
    """Ctrl-C takes effect where the function yielded here is called, because an exception in the middle of some library
    can get lost. Pressed again it takes effect at once.
    """
    pressed = False

    def note(*_: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    def check() -> None:
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield check  # only the main thread gets signals
        return
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, previous)


def _each_input(
    results: Iterable[tuple[Frame, People]], frames: Frames, make: Callable[[float], Callable[[People], People]]
) -> Iterator[tuple[Frame, People]]:
    """The people after a step that remembers those before, made anew for each input of its frame rate."""
    for _, sequence in itertools.groupby(results, lambda result: sequence_of(result[0])):
        step = None
        for frame, people in sequence:
            if step is None:
                video = frames.videos.get(frame.path)
                step = make((video and video.fps) or USUAL_FPS)
            yield frame, step(people)
