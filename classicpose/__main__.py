"""``python -m classicpose``."""

from .command_line import main

main()
