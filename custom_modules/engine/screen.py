"""What of a log is shown on the screen. All of it is in the log file of the work dir."""

from __future__ import annotations

import logging
import re
import sys

from mmengine.logging import MMLogger, print_log

# What these say of themselves stays in the file, but for some of it.
_TALKATIVE = ('mmengine', 'mmpose', 'mmcv', 'xtcocotools', 'pycocotools')
_TOLD = re.compile('The best checkpoint|resumed epoch|The model and loaded state dict do not match')
# Their warnings are shown, but for those of what a user cannot or need not change.
_NO_WARNING = re.compile('is skipped since its requires_grad=False|is duplicate|deprecated in future|is the alias of')
# The weights that a checkpoint lacks, or has beside the network's.
_LIST = re.compile(r'(?<=in source state_dict: )([\w.]+), (?:[\w.]+, )+([\w.]+)')

# Print instead of logging.
_PRINTING = (
    'mmengine.logging.logger', 'xtcocotools.coco', 'xtcocotools.cocoeval', 'pycocotools.coco', 'pycocotools.cocoeval',
)  # fmt: skip
_OF_LOGGING = ('logging', 'mmengine.logging.logger', __name__)


def keep_short(logger: MMLogger) -> MMLogger:
    """Let a logger show what matters on the screen; its file stays as it is.

    What MMEngine's checkpoints and COCO's evaluation print goes to the log too.
    """
    logger.handlers[:] = [
        _Screen(handler) if type(handler) is logging.StreamHandler else handler for handler in logger.handlers
    ]
    for name in _PRINTING:
        if name in sys.modules:
            sys.modules[name].print = _print_to_log
    return logger


def _print_to_log(*values: object, **_: object) -> None:
    print_log(' '.join(map(str, values)), 'current')


class _Screen(logging.Handler):
    """Shows the messages of a logger without date and name, each once, above the bar of progress, if any.

    Args:
        usual: MMEngine's handler, whose place this one takes.
    """

    def __init__(self, usual: logging.Handler) -> None:
        super().__init__(usual.level)
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text in self._seen or not _matters(record.levelno, text):
            return
        self._seen.add(text)
        grade = '' if record.levelno == logging.INFO else f'{record.levelname.lower()}: '
        print(grade + _LIST.sub(_ends, text), flush=True)


def _ends(names: re.Match) -> str:
    return f'{names[0].count(",") + 1}, from {names[1]} to {names[2]}'


def _matters(level: int, text: str) -> bool:
    if level > logging.INFO:
        return level > logging.WARNING or not _NO_WARNING.search(text)
    return _speaker().partition('.')[0] not in _TALKATIVE or bool(_TOLD.match(text))


def _speaker() -> str:
    """The module whose message is being logged."""
    frame = sys._getframe()
    while frame.f_back and frame.f_globals.get('__name__') in _OF_LOGGING:
        frame = frame.f_back
    return frame.f_globals.get('__name__', '')
