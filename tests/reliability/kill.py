"""Kill a small training at random moments, half of them while a checkpoint is being written, and let it go on.

python tests/reliability/kill.py --kills 20
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from mmengine.fileio.backends import LocalBackend

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

_OPTIONS = ('train_cfg.max_epochs=5',)


def main() -> None:
    parser = argparse.ArgumentParser(description='Kill a small training at random moments, and let it go on.')
    parser.add_argument('--kills', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problems, writing = kill(Path(folder), args.kills, args.seed)
    print(*problems, sep='\n', end='')
    print(f'{args.kills} kills, {writing} of them while a checkpoint was being written, {len(problems)} problems')
    sys.exit(bool(problems))


def _put_slowly(self: LocalBackend, obj: bytes, filepath: str) -> None:
    with open(filepath, 'wb', buffering=0) as file:
        for start in range(0, len(obj), 1 << 14):
            file.write(obj[start : start + (1 << 14)])
            time.sleep(0.002)


def _write_slowly() -> None:
    """Checkpoints of so small a network are written within a millisecond, which no kill would hit."""
    LocalBackend.put = _put_slowly


def kill(folder: Path, kills: int, seed: int) -> tuple[list[str], int]:
    """Kill so many trainings in an empty folder, each once, and compare their final weights with those of a whole one
    with the seed that they drew.

    Returns:
        What went wrong, a line each, and how many kills hit the writing of a checkpoint.
    """
    import torch

    from reliability.harness import run
    from reliability.mutations import make_inputs

    os.chdir(folder)
    make_inputs(folder)
    began = time.monotonic()
    assert run('train.py', _training('whole'), folder, prepare=_write_slowly).status == 0
    duration = time.monotonic() - began
    problems, writing, chance = [], 0, random.Random(seed)
    for number in range(kills):
        place = folder / f'killed_{number}'
        writing += _kill_one(folder, place.name, chance, duration, wait_for_writing=number % 2 == 1)
        outcome = run('train.py', [*_training(place.name), '--resume'], folder, goes_on=True, prepare=_write_slowly)
        if outcome.status or outcome.problem:
            problems.append(f'kill {number}: {outcome.problem or outcome.errors}')
            continue
        found, seed = _weights_and_seed(place)
        assert run('train.py', _training('whole', f'randomness.seed={seed}'), folder).status == 0
        expected, _ = _weights_and_seed(folder / 'whole')
        if not all(torch.equal(expected[name], found[name]) for name in expected):
            problems.append(f'kill {number}: other weights than without the kill')
        shutil.rmtree(place)
    return problems, writing


def _training(work_dir: str, *options: str) -> list[str]:
    return ['tiny.py', '--work-dir', work_dir, '--no-validate', '--cfg-options', *_OPTIONS, *options]


def _weights_and_seed(work_dir: Path) -> tuple[dict, int]:
    import torch

    checkpoint = torch.load(work_dir / 'epoch_5.pth', weights_only=False)
    return checkpoint['state_dict'], checkpoint['meta']['seed']


def _kill_one(folder: Path, work_dir: str, chance: random.Random, duration: float, wait_for_writing: bool) -> bool:
    """Whether a checkpoint was being written."""
    import copies

    from reliability.harness import start

    process = start('train.py', _training(work_dir), folder, _write_slowly)
    unfinished = f'epoch_{chance.randrange(1, 6)}.pth.unfinished' if wait_for_writing else None
    end = time.monotonic() + (60 if wait_for_writing else chance.uniform(0, duration))
    while time.monotonic() < end and not (unfinished and (folder / work_dir / unfinished).exists()):
        if process.exitcode is not None:
            break  # it was faster
        time.sleep(0.0002)
    copies.kill(process)
    return bool(list((folder / work_dir).glob('*.unfinished')))


if __name__ == '__main__':
    main()
