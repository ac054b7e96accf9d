"""Arrows between the packages go down only, and from the plug-ins to the library, never back but through one door."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY

# From the ground up: what stands later may import what stands earlier, never the other way round.
FLOORS = dict(
    classicpose=(
        'errors', 'progress', 'files', 'images', 'video', 'skeletons', 'people', 'paf', 'networks', 'visualization',
        'writers', 'inference', 'web', 'command_line', '__main__',
    ),
    custom_modules=(
        'patches', 'codecs', 'configuration', 'datasets', 'metrics', 'models', 'visualization', 'engine', 'deploy',
        'prediction', 'benchmark',
    ),
)  # fmt: skip
# Old names of what has moved to classicpose.
MOVED = ('errors', 'files', 'images', 'inference', 'paf', 'people', 'runtime', 'skeletons', 'video', 'writers')
DOOR = REPOSITORY / 'classicpose/inference/plug_ins.py'


def modules() -> list[Path]:
    """Of both wings, without the packages' own ``__init__`` and the old names."""
    left_out = dict(classicpose=('__init__',), custom_modules=('__init__', 'configs', *MOVED))
    return [
        path
        for wing in FLOORS
        for path in sorted((REPOSITORY / wing).rglob('*.py'))
        if path.relative_to(REPOSITORY / wing).parts[0].removesuffix('.py') not in left_out[wing]
    ]


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


def dotted(path: Path) -> str:
    return '.'.join(path.relative_to(REPOSITORY).with_suffix('').parts).removesuffix('.__init__')


def place(name: str) -> tuple[int, int]:
    """The wing and the floor in it of a dotted name; the plug-ins stand upon the library."""
    wing, floor = name.split('.')[:2]
    return list(FLOORS).index(wing), FLOORS[wing].index(floor)


def test_every_package_has_a_floor() -> None:
    for wing, floors in FLOORS.items():
        found = {dotted(path).split('.')[1] for path in modules() if dotted(path).startswith(f'{wing}.')}
        assert found == set(floors)


@pytest.mark.parametrize('path', modules(), ids=lambda path: path.relative_to(REPOSITORY).as_posix())
def test_arrows_go_down(path: Path) -> None:
    own = place(dotted(path))
    for name in imported(path):
        wing, _, floor = name.partition('.')
        if path != DOOR and wing in FLOORS and floor.split('.')[0] in FLOORS[wing]:
            assert place(name) <= own, f'new arrow up: {dotted(path)} imports {name}'


def test_the_library_knows_no_pytorch_and_one_door_to_the_plug_ins() -> None:
    for path in modules():
        if dotted(path).startswith('classicpose.'):
            tops = {name.split('.')[0] for name in imported(path)}
            assert not tops & {'torch', 'torchvision', 'mmengine', 'mmpose', 'mmcv', 'projects'}, path
            assert path == DOOR or 'custom_modules' not in tops, f'a second door: {path}'


def test_modules_of_a_package_do_not_import_each_other_in_a_circle() -> None:
    names = {dotted(path): path for path in modules()}
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
