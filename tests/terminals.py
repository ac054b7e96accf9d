"""Reading what a program draws on a terminal."""

from __future__ import annotations

import os


def drawn_on(main: int) -> str:
    """Everything that is written to a terminal, from its other end, until the last writer has closed it."""
    drawn = b''
    try:
        while chunk := os.read(main, 10_000):
            drawn += chunk
    except OSError:  # how Linux tells the end
        pass
    os.close(main)
    return drawn.decode()
