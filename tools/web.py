"""Serve the page in the browser: ``classicpose web``, from the repository."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from classicpose.command_line.web import main

if __name__ == '__main__':
    main(sys.argv[1:], 'web.py')
