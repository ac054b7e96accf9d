"""What the documents say must be so: files they name exist, options they use exist."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY

PAGES = [
    REPOSITORY / 'README.md',
    *sorted(REPOSITORY.glob('docs/*.md')),
    *sorted(REPOSITORY.glob('docs/lab/*.md')),
    REPOSITORY / 'CONTRIBUTING.md',
    *sorted(REPOSITORY.glob('projects/**/README.md')),
]
README = (REPOSITORY / 'README.md').read_text()


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_named_files_exist(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r'\]\((?!http|#)([^)]+)\)', text)
    missing = [link for link in links if not (page.parent / link.partition('#')[0]).exists()]
    docs = REPOSITORY / 'docs'
    if docs in page.parents:  # which `make docs` builds as a site of its own
        missing += [link for link in links if docs not in (page.parent / link).resolve().parents]
    named = re.findall(r'(?<!~/)\b(?:configs|classicpose|custom_modules|projects|tools|tests|docs)/[\w./]*\w', text)
    homes = (REPOSITORY, page.parent)
    missing += [name for name in named if not any((home / name).exists() for home in homes)]
    assert not missing


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_options_exist(page: Path) -> None:
    """Every --option in a command of ours is one that the command lists in its help."""
    tools = '|'.join(tool.stem for tool in REPOSITORY.glob('tools/*.py'))
    commands = rf'tools/(?:{tools})\.py|classicpose (?:predict|models|web)\b'
    for command, rest in re.findall(rf'({commands})([^\n`|]*)', page.read_text()):
        options = set(re.findall(r'(--[a-z][\w-]+)', rest))
        if options:
            assert options <= known_options(command, rest.split()[0] if 'benchmark' in command else '')


@functools.cache
def known_options(command: str, subcommand: str) -> set[str]:
    words = ['-m', *command.split()] if command.startswith('classicpose') else [command]
    asked = [sys.executable, *words, *filter(None, [subcommand]), '--help']
    said = subprocess.run(asked, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    return set(re.findall(r'(--[a-z][\w-]+)', said))


def test_make_targets_exist() -> None:
    makefile = (REPOSITORY / 'Makefile').read_text()
    targets = set(re.findall(r'`?make (demo|test|lint)\b', README))
    assert {'demo', 'test'} <= targets
    assert all(re.search(rf'^{target}:', makefile, re.MULTILINE) for target in targets)
