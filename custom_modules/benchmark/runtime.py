"""How fast a network predicts: with PyTorch and as ONNX files, alone, in a video, and from the start of the process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np
import torch

from classicpose.inference import Predictor
from classicpose.inference.frames import open_frames
from classicpose.inference.run import run
from classicpose.inference.zoo import named_model
from classicpose.networks.session import open_session, run_session
from classicpose.writers.openpose_json import OpenPoseJson
from classicpose.writers.video import VideoFile

from ..datasets.synthetic.images import draw_background, place_people
from ..datasets.synthetic.people import draw_person
from ..prediction import find_model
from ..prediction.trained import TrainedEstimator
from .speed import Rows, time_call

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NETWORK_SIZE = (432, 368)
VIDEO_SIZE = (854, 480)
_FRAMES = 60
_STARTS = 10
# As many people as find places beside each other.
_TOGETHER = 4


def measure_network(name: str, files: Sequence[str], repeats: int) -> Rows:
    """Images a second of the networks alone, one image of :data:`NETWORK_SIZE` (w, h) at a time.

    Args:
        name: of a model of the zoo, measured with PyTorch.
        files: .onnx files with one input of images, their channels first or last.
    """
    inputs = np.random.default_rng(0).normal(size=(1, 3, *NETWORK_SIZE[::-1])).astype(np.float32)
    model = TrainedEstimator(*find_model(named_model(name)), device='cpu').model
    tensor = torch.from_numpy(inputs)
    rows = [{'network': f'{name}, PyTorch'}, *({'network': Path(file).name} for file in files)]
    for threads in (1, 2):
        with torch.inference_mode(), _threads_of_pytorch(threads):
            calls = [lambda: model.predict_maps(tensor)]
            sessions = [open_session(file, threads, 'cpu') for file in files]
            calls += [partial(run_session, session, _in_layout(session, inputs)) for session in sessions]
            for row, call in zip(rows, calls, strict=True):
                milliseconds = time_call(call, repeats=repeats)
                row[f'ms, {threads} threads'] = milliseconds
                row[f'images/s, {threads} threads'] = 1e3 / milliseconds
    return rows


@contextmanager
def _threads_of_pytorch(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _in_layout(session: InferenceSession, inputs: np.ndarray) -> np.ndarray:
    """The inputs with channels first or, as TensorFlow's networks have them, last."""
    return inputs.transpose(0, 2, 3, 1) if session.get_inputs()[0].shape[-1] == 3 else inputs


def measure_videos(files: Sequence[str], counts: Sequence[int], seed: int) -> Rows:
    """Frames a second of a synthetic video, from its file to OpenPose's JSON, with tracking.

    Reading, the network and writing work side by side.
    """
    rows: Rows = [{'file': Path(file).name} for file in files]
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            video = Path(folder) / f'{count}.avi'
            write_video(video, count, np.random.default_rng(seed))
            for file, row in zip(files, rows, strict=True):
                predictor = Predictor(file, device='cpu', batch_size=1)
                predictor(np.zeros((*VIDEO_SIZE[::-1], 3), np.uint8))
                for look_every, name in ((1, ''), (2, ', every second looked at')):
                    writer = OpenPoseJson(Path(folder) / 'json', 'coco18', 0, None)
                    started = time.perf_counter()
                    done = run(predictor, open_frames(video), [writer], tracking=True, look_every=look_every)
                    row[f'frames/s, {count} people{name}'] = done / (time.perf_counter() - started)
    return rows


def measure_start(models: Sequence[str]) -> Rows:
    """Median seconds from the start of ``classicpose predict`` to the end, with the JSON of one photograph."""
    repository = Path(__file__).parents[2]
    photograph = repository / 'docs/samples/astronaut.jpg'
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            command = [sys.executable, '-m', 'classicpose', 'predict', model, photograph, '--write_json', folder]
            times = []
            for _ in range(_STARTS + 1):
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times.append(time.perf_counter() - started)
            rows.append({'model': Path(model).name, 'seconds to the JSON': median(times[1:])})
    return rows


def write_video(path: Path, count: int, rng: np.random.Generator) -> None:
    """A camera that moves over so many synthetic people."""
    width, height = VIDEO_SIZE
    size = (width + _FRAMES, height)
    image = draw_background(rng, size)
    labels = np.zeros(image.shape[:2], np.uint8)  # nobody asks whose pixels are whose
    for first in range(0, count, _TOGETHER):
        for person in place_people(rng, min(_TOGETHER, count - first), size):
            draw_person(image, labels, person, 1)
    with VideoFile(path, 30) as video:
        for left in range(_FRAMES):
            video.write(np.ascontiguousarray(image[:, left : left + width]))
