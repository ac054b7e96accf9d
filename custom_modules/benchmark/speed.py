"""What ``tools/benchmark.py`` measures. Every function returns rows: a dict of a name or a number for each column."""

from __future__ import annotations

import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.runner import load_checkpoint
from mmpose.registry import DATASETS, MODELS
from torch import nn

from classicpose.skeletons import COCO17, OPENPOSE18, convert_keypoints

from ..codecs import PartAffinityField
from ..configuration.explain import explained_config_errors
from ..datasets.synthetic.person import sample_person
from ..engine.checkpoints import check_state_dict, explained_loading
from ..engine.cuda_graphs import record_for_training
from ..engine.runner import build_loader
from ..engine.scalars import LazyMessageHub

Rows = list[dict[str, str | float]]
# (N, 18, 2) input pixels to anything.
Encoder = Callable[[np.ndarray], object]
# Heatmaps (19, H, W) and fields (38, H, W) to keypoints (P, 18, 2) in input pixels and scores (P, 18).
Decoder = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

TARGET_SIZE = (368, 368)
CROWD_SIZE = (656, 368)
_CELL = 8
_STEPS = 5


def time_call(function: Callable, *args: object, repeats: int, warm_up: int = 3) -> float:
    """Median milliseconds of a call."""
    for _ in range(warm_up):
        function(*args)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function(*args)
        times.append(time.perf_counter() - started)
    return 1e3 * median(times)


def peak_memory() -> float:
    """MiB that this process has held at most, on the GPU if it used one."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == 'darwin' else 2**10)


def crowd(count: int, size: tuple[int, int], rng: np.random.Generator, apart: bool = False) -> np.ndarray:
    """(count, 18, 2) built-in people, 80 to 330 pixels tall, anywhere in an image of ``size`` (w, h), wholly inside.

    ``apart`` gives each a tile of the image instead, which it fills but for two cells to its neighbours.
    """
    columns = int(np.ceil(np.sqrt(count * size[0] / size[1])))
    tile = np.array(size) / (columns, int(np.ceil(count / columns))) - 2 * _CELL if apart else np.array(size) - 1.0
    people = []
    for index in range(count):
        joints = sample_person(rng).joints[: len(COCO17.keypoints), :2]
        joints, _ = convert_keypoints(joints[None], np.ones((1, len(joints))), COCO17, OPENPOSE18)
        joints = joints[0] - joints[0].min(axis=0)
        extent = joints.max(axis=0)
        scale = (tile / extent).min()
        if not apart:
            scale = min(scale, rng.uniform(80, 330) / extent[1])
        corner = rng.uniform(0, 1, 2) * (tile - scale * extent)
        if apart:
            corner += np.array([index % columns, index // columns]) * (tile + 2 * _CELL) + _CELL
        people.append(scale * joints + corner)
    return np.array(people)


def measure_targets(
    counts: Sequence[int], repeats: int, seed: int, others: Mapping[str, Callable[[], Encoder]]
) -> Rows:
    """Milliseconds to make one sample's heatmaps and fields, and of other encoders, with ratios."""
    codec = PartAffinityField(TARGET_SIZE, (TARGET_SIZE[0] // 8, TARGET_SIZE[1] // 8))
    encoders = {'ours': codec.encode} | {name: make() for name, make in others.items()}
    rows = []
    for count in counts:
        people = crowd(count, TARGET_SIZE, np.random.default_rng(seed))
        row = dict(people=count)
        for name, encode in encoders.items():
            row[f'{name} ms'] = time_call(encode, people, repeats=repeats)
            if name != 'ours':
                row[f'{name} ratio'] = row[f'{name} ms'] / row['ours ms']
        rows.append(row)
    return rows


def measure_decode(
    counts: Sequence[int],
    repeats: int,
    seed: int,
    others: Mapping[str, Callable[[], Decoder]],
    images: int = 20,
    apart: bool = False,
) -> Rows:
    """Milliseconds from ideal maps of 46 x 82 cells to people in input pixels, and the share found whole."""
    codec = PartAffinityField(CROWD_SIZE, (CROWD_SIZE[0] // 8, CROWD_SIZE[1] // 8))
    decoders = {'ours': lambda *maps: codec.decode(maps)[:2]} | {name: make() for name, make in others.items()}
    rows = []
    for count in counts:
        people = [crowd(count, CROWD_SIZE, np.random.default_rng([seed, image]), apart) for image in range(images)]
        encoded = [codec.encode(everybody) for everybody in people]
        row = dict(people=count)
        for name, decode in decoders.items():
            times, whole = [], 0
            for everybody, maps in zip(people, encoded, strict=True):
                pair = maps['heatmaps'], maps['pafs']
                times.append(time_call(decode, *pair, repeats=repeats, warm_up=1))
                whole += count_whole(everybody, *decode(*pair))
            row[f'{name} ms'] = median(times)
            row[f'{name} whole %'] = 100 * whole / (count * images)
            if name != 'ours':
                row[f'{name} ratio'] = row[f'{name} ms'] / row['ours ms']
        rows.append(row)
    return rows


def count_whole(people: np.ndarray, found: np.ndarray, scores: np.ndarray) -> int:
    """How many people have all their keypoints within a cell in one found person.

    The people are (N, 18, 2), those found (P, 18, 2) with scores (P, 18).
    """
    if not len(found):
        return 0
    distance = np.where(scores > 0, np.linalg.norm(found - people[:, None], axis=-1), np.inf)
    return int((distance < _CELL).all(axis=-1).any(axis=1).sum())


def measure_loader(cfg: Config, samples: int, seed: int) -> Rows:
    """Mean milliseconds of every step of the training pipeline on one core, and samples a second."""
    with explained_config_errors(cfg):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        dataset.full_init()
    steps = [('look up', dataset.get_data_info)]
    steps += [(type(transform).__name__, transform) for transform in dataset.pipeline.transforms]
    order = np.random.default_rng(seed).integers(len(dataset), size=samples)
    np.random.seed(seed)
    times = defaultdict(list)
    for index in (*order, *order):  # the first time warms up files and caches
        sample = int(index)
        for name, step in steps:
            started = time.perf_counter()
            sample = step(sample)
            times[name].append(time.perf_counter() - started)
    rows = [dict(step=name, ms=1e3 * float(np.mean(values[samples:]))) for name, values in times.items()]
    total = sum(row['ms'] for row in rows)
    return [*rows, dict(step='all', ms=total), {'step': 'samples/s a core', 'ms': 1e3 / total}]


def measure_batches(cfg: Config, batches: int, workers: int) -> Rows:
    """CPU milliseconds that a batch costs the main process, and images a second of the loader processes.

    The transfer to the device is included.

    Batches as the config's loader makes them, and as lists of samples.
    """
    rows = []
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    own = cfg.train_dataloader.get('collate_fn', dict(type=pseudo_collate))
    for collate in (own, dict(type=pseudo_collate)):
        loader = dict(
            cfg.train_dataloader,
            collate_fn=collate,
            num_workers=workers,
            persistent_workers=False,
        )
        with explained_config_errors(cfg):
            iterator = _endless(build_loader(loader))
            preprocessor = MODELS.build(cfg.model.data_preprocessor).to(device)
        # The first batches were made ahead.
        for _ in range(2 * workers + 1):
            next(iterator)
        used, started = time.process_time(), time.perf_counter()
        for _ in range(batches):
            batch = _finished(preprocessor.cast_data(next(iterator)))
        name = collate['type'] if isinstance(collate['type'], str) else collate['type'].__name__
        seconds = time.perf_counter() - started
        rows.append(
            {
                'collate_fn': name,
                'processes': str(workers),
                'main process, ms a batch': 1e3 * (time.process_time() - used) / batches,
                'images/s': batches * len(batch['inputs']) / seconds,
            }
        )
    return rows


def _endless(loader: Iterable) -> Iterator:
    while True:
        yield from loader


def measure_step(cfg: Config, repeats: int) -> Rows:
    """Milliseconds of a training step, always on the same batch: transfer, forward, backward, update.

    Steps follow each other as in training, five of them before the device is waited for.
    """
    LazyMessageHub.get_instance(name='benchmark')
    torch.backends.cudnn.benchmark = cfg.get('env_cfg', {}).get('cudnn_benchmark', False)
    with explained_config_errors(cfg):
        batch = next(iter(build_loader(cfg.train_dataloader)))
        model = _on_device(cfg)
        optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    model.train()
    if cfg.get('cuda_graphs'):
        record_for_training(model)

    def steps() -> object:
        return _finished([model.train_step(batch, optimizer) for _ in range(_STEPS)])

    milliseconds = time_call(steps, repeats=max(repeats // _STEPS, 1), warm_up=1) / _STEPS
    size = len(batch['inputs'])
    return [{'batch': size, 'ms a step': milliseconds, 'images/s': 1e3 * size / milliseconds}]


def measure_predict(cfg: Config, images: int, checkpoint: str | None) -> Rows:
    """Median milliseconds a test image, one at a time: reading and resizing it, the network, decoding its maps."""
    cfg.test_dataloader.update(batch_size=1, num_workers=0, persistent_workers=False)
    with explained_config_errors(cfg):
        loader = build_loader(cfg.test_dataloader)
        model = _on_device(cfg)
    if checkpoint:
        with explained_loading(checkpoint):
            contents = load_checkpoint(model, checkpoint, map_location='cpu')
        check_state_dict(model, contents, checkpoint)
    model.eval()
    times = defaultdict(list)
    batches = iter(loader)
    for _ in range(min(images, len(loader))):
        started = time.perf_counter()
        batch = next(batches)
        times['reading'].append(time.perf_counter() - started)
        for name, seconds in _predict(model, batch).items():
            times[name].append(seconds)
    return [dict(step=name, ms=1e3 * median(values)) for name, values in times.items()]


@torch.inference_mode()
def measure_networks(cfgs: Sequence[Config], size: tuple[int, int], repeats: int) -> Rows:
    """Images a second of the networks of several configs, without decoding.

    Each sees one random image of ``size`` (w, h) at a time.

    The networks take turns, so that all see the same load of the machine.
    """
    models = {}
    for cfg in cfgs:
        if 'weights' in cfg.model.backbone:
            cfg.model.backbone.weights = None
        models[Path(cfg.filename).stem] = _on_device(cfg).eval()
    times = defaultdict(list)
    for turn in range(repeats + 1):
        for name, model in models.items():
            inputs = torch.randn(1, 3, *reversed(size), device=next(model.parameters()).device)
            started = time.perf_counter()
            _finished(model.head(model.extract_feat(inputs)))
            if turn:  # the first is a warm-up
                times[name].append(time.perf_counter() - started)
    parameters = {name: sum(weight.numel() for weight in model.parameters()) for name, model in models.items()}
    return [
        {'config': name, 'million parameters': parameters[name] / 1e6, 'images/s': 1 / median(values)}
        for name, values in times.items()
    ]


@torch.no_grad()
def _predict(model: nn.Module, batch: dict) -> dict[str, float]:
    started = time.perf_counter()
    if not hasattr(model, 'predict_maps'):
        _finished(model.test_step(batch))
        return {'network and decoding': time.perf_counter() - started}
    maps = _finished(model.predict_maps(model.data_preprocessor(batch)['inputs']))
    predicted = time.perf_counter()
    model.head.people(*maps)
    return dict(network=predicted - started, decoding=time.perf_counter() - predicted)


def _on_device(cfg: Config) -> nn.Module:
    model = MODELS.build(cfg.model)
    return model.to('cuda' if torch.cuda.is_available() else 'cpu')


def _finished(result: object) -> object:
    """The result, once the GPU has it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return result
