"""Arrows between the packages of the library go down only."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY

LIBRARY = REPOSITORY / 'custom_modules'
# From the ground up: what stands later may import what stands earlier, never the other way round.
FLOORS = (
    'errors', 'compat', 'files', 'images', 'video', 'skeletons', 'people', 'paf', 'runtime', 'codecs', 'configuration',
    'datasets', 'metrics', 'models', 'visualization', 'writers', 'engine', 'deploy', 'inference', 'benchmark',
    'web',
)  # fmt: skip
# Modules that must work on arrays alone: neither models nor MMEngine nor MMPose.
PURE = ('errors', 'files', 'images', 'video', 'skeletons', 'people', 'runtime', 'writers')


def modules() -> list[Path]:
    return [path for path in sorted(LIBRARY.rglob('*.py')) if path != LIBRARY / '__init__.py']


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """The dotted name of every module that a file imports when it runs, anywhere in it."""
    package = path.relative_to(REPOSITORY).parent.parts
    names: list[str] = []
    tree = ast.parse(path.read_text())
    # Types alone make no circle.
    hints = {id(child) for node in ast.walk(tree) if _is_type_checking(node) for child in ast.walk(node)}
    for node in (node for node in ast.walk(tree) if id(node) not in hints):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = '.'.join(package[: len(package) - node.level + 1]) if node.level else ''
            base = '.'.join(filter(None, (above, node.module)))
            # `from .. import skeletons` names a module too.
            names += [f'{base}.{alias.name}' for alias in node.names]
    return tuple(names)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == 'TYPE_CHECKING'


def floor(name: str) -> str:
    """The package, or module, directly below the library that a dotted name of it belongs to."""
    return name.split('.')[1]


def test_every_package_has_a_floor() -> None:
    assert {floor('.'.join(path.relative_to(REPOSITORY).with_suffix('').parts)) for path in modules()} == set(FLOORS)


@pytest.mark.parametrize('path', modules(), ids=lambda path: path.relative_to(LIBRARY).as_posix())
def test_arrows_go_down(path: Path) -> None:
    own = floor('.'.join(path.relative_to(REPOSITORY).with_suffix('').parts))
    for name in imported(path):
        if name.startswith('custom_modules.') and floor(name) in FLOORS:
            assert FLOORS.index(floor(name)) <= FLOORS.index(own), f'new arrow up: {own} imports {name}'


@pytest.mark.parametrize(
    'path', [path for path in modules() if path.relative_to(LIBRARY).parts[0].removesuffix('.py') in PURE]
)
def test_what_draws_or_writes_knows_arrays_alone(path: Path) -> None:
    heavy = [name for name in imported(path) if name.split('.')[0] in ('mmengine', 'mmpose', 'mmcv', 'torch')]
    assert not heavy, f'{path.name} imports {heavy}'


def test_modules_of_a_package_do_not_import_each_other_in_a_circle() -> None:
    names = {
        '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts).removesuffix('.__init__'): path
        for path in modules()
    }
    arrows = {
        name: {
            target
            for target in names
            for found in imported(path)
            if found == target or found.rpartition('.')[0] == target
        }
        for name, path in names.items()
        if path.name != '__init__.py'
    }
    waiting = dict(arrows)
    while free := [name for name, targets in waiting.items() if not targets & set(waiting) - {name}]:
        for name in free:
            del waiting[name]
    assert not waiting, f'circle among {sorted(waiting)}'
