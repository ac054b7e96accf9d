"""Every experiment of the repository, its projects' too."""

from __future__ import annotations

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CONFIGS = [
    path
    for folder in ('configs', 'projects/*/configs')
    for path in sorted(REPOSITORY.glob(f'{folder}/**/*.py'))
    if '_base_' not in path.parts
]
