"""``classicpose models``: the models that have a name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str], program: str) -> None:
    """Run the command with the arguments of its command line; ``program`` is what it was called by."""
    argparse.ArgumentParser(
        prog=program, description='List the models that have a name: what they find, size, metric, licence.'
    ).parse_args(arguments)
    print_models()


def print_models() -> None:
    """Print the zoo as a table."""
    from ..inference.zoo import model_table

    print('\n'.join(model_table()))
