"""The command ``classicpose``, also ``python -m classicpose``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from .. import __version__

COMMANDS = dict(
    predict='find the people in images and videos',
    models='list the models that have a name',
    web='serve a page in the browser that finds people',
)
"""Each is a module of this package with ``main(arguments, program)``."""


def main() -> None:
    """Run the command that the first argument names."""
    parser = argparse.ArgumentParser(
        prog='classicpose',
        usage='%(prog)s COMMAND ...',
        description='Find people in images and videos.',
        epilog='COMMAND is '
        + ', '.join(f'{name} ({does})' for name, does in COMMANDS.items())
        + '; each answers --help.',
    )
    parser.add_argument('--version', action='version', version=f'%(prog)s {__version__}')
    parser.add_argument('command', choices=COMMANDS, metavar='COMMAND', help='see below')
    command = parser.parse_args(sys.argv[1:2]).command
    import_module(f'{__name__}.{command}').main(sys.argv[2:], f'classicpose {command}')
