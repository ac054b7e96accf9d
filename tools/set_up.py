"""Install what a requirements file lists into this Python's environment, and show that it is alive meanwhile.

.venv/bin/python tools/set_up.py requirements.txt

Nothing but the standard library is imported: this runs before anything is installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import threading
import time
from collections import deque

# Of pip's output when it fails: enough to hold its error.
_KEPT_LINES = 40
# Between lines where the output is no terminal.
_SILENCE = 15.0


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Install the packages of a requirements file with pip.')
    parser.add_argument('requirements', nargs='+', metavar='FILE', help='what pip install -r takes')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    files = [option for file in args.requirements for option in ('-r', file)]
    command = [sys.executable, '-m', 'pip', 'install', '--disable-pip-version-check', '--progress-bar', 'off', *files]
    started = time.time()
    kept: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    state = dict(text='looking packages up', collected=0)
    finished = threading.Event()
    display = threading.Thread(target=show, args=(state, started, finished), daemon=True)
    display.start()
    for line in process.stdout:
        kept.append(line)
        state.update(describe(line, state))
    status = process.wait()
    finished.set()
    display.join()
    seconds = time.time() - started
    if status:
        print(*kept, sep='', file=sys.stderr)
        print(f'Set-up failed after {seconds:.0f} s; what pip says is above.', file=sys.stderr)
        sys.exit(status)
    print(f'Set up in {seconds:.0f} s.', flush=True)


def describe(line: str, state: dict) -> dict:
    """What a line of pip's output means for the state that is shown; empty for other lines."""
    line = line.strip()
    if match := re.match(r'Collecting ([\w.\[\]-]+)', line):
        count = state['collected'] + 1
        return dict(collected=count, text=f'{count} packages looked up, now {match[1]}')
    if match := re.match(r'(?:Downloading|Using cached) \S*?([\w.]+)-\S+ \(([\d.]+ .?B)\)', line):
        return dict(text=f'{state["collected"]} packages looked up, {match[1]} is {match[2]}')
    if match := re.match(r'Installing collected packages: (.*)', line):
        return dict(text=f'installing {len(match[1].split(", "))} packages')
    return {}


def show(state: dict, started: float, finished: threading.Event) -> None:
    """One line that changes on a terminal; elsewhere a line now and then."""
    terminal = sys.stdout.isatty()
    while not finished.wait(0.5 if terminal else _SILENCE):
        text = f'{time.time() - started:4.0f} s  {state["text"]}'
        print(f'\r\033[K{text[:100]}' if terminal else text, end='' if terminal else '\n', flush=True)
    if terminal:
        print('\r\033[K', end='')


if __name__ == '__main__':
    main()
