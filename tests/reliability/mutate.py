"""Run command lines on mutated inputs and report what went wrong.

python tests/reliability/mutate.py --cases 2000
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]


def main() -> None:
    parser = argparse.ArgumentParser(description='Run command lines on mutated inputs and report what went wrong.')
    parser.add_argument('--cases', type=int, default=2000)
    parser.add_argument('--seed', type=int, default=0, help='of the first case; each case has its own')
    parser.add_argument('--kinds', nargs='+', help='default: all in turn')
    args = parser.parse_args()
    sys.stdout.reconfigure(errors='backslashreplace')  # some cases' names are no text
    with tempfile.TemporaryDirectory() as folder:
        problems, ends = mutate(Path(folder), args.cases, args.seed, args.kinds, tell=True)
    for kind in sorted({kind for kind, _ in ends}):
        counts = ', '.join(f'{ends[kind, end]} {end}' for end in ('ran', 'one line', 'problem') if ends[kind, end])
        print(f'{kind:<12} {counts}')
    print(f'{args.cases} cases, {len(problems)} problems')
    sys.exit(bool(problems))


def mutate(
    folder: Path, cases: int, seed: int, kinds: list[str] | None = None, tell: bool = False
) -> tuple[list[str], Counter]:
    """Run ``cases`` cases in an empty folder.

    Returns:
        What went wrong, a line each, and how many of each kind ran, ended with one line, or had a problem.
    """
    import copies

    from reliability.harness import run
    from reliability.mutations import KINDS, make_inputs, train_once

    sound = folder / 'sound'
    sound.mkdir()
    make_inputs(sound)
    silent = Path(os.devnull)
    process = copies.start(train_once, sound, folder=sound, output=silent, errors=silent)
    process.join()
    assert process.exitcode == 0
    names = kinds or list(KINDS)
    problems, ends = [], Counter()
    for case in range(seed, seed + cases):
        kind = names[case % len(names)]
        place = folder / 'case'
        shutil.copytree(sound, place)
        tool, arguments = KINDS[kind](place, random.Random(case))
        outcome = run(tool, arguments, place)
        shutil.rmtree(place)
        end = 'problem' if outcome.problem else 'one line' if outcome.status == 2 else 'ran'
        ends[kind, end] += 1
        if outcome.problem:
            last = (outcome.errors.strip().splitlines() or [''])[-1]
            problems.append(f'case {case} ({kind}): {outcome.problem}: {tool} {" ".join(map(str, arguments))}: {last}')
            if tell:
                print(problems[-1], flush=True)
    return problems, ends


if __name__ == '__main__':
    main()
