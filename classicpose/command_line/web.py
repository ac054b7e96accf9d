"""``classicpose web``: serve a page in the browser that finds people in images and videos.

classicpose web
classicpose web --model configs/openpose_coco.py work_dirs/openpose_coco/epoch_60.pth
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path


def parse_args(arguments: Sequence[str], program: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=program, description='Serve a page in the browser that finds people in images and videos.'
    )
    parser.add_argument(
        '--model',
        nargs='+',
        action='append',
        default=[],
        metavar=('NAME | CONFIG', 'CHECKPOINT'),
        help='a model to choose on the page, before those of the zoo; may be given several times',
    )
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='address to serve at; 0.0.0.0 for everybody who reaches this machine (default: %(default)s, this machine)',
    )
    parser.add_argument('--port', type=int, default=7860, help='(default: %(default)s)')
    args = parser.parse_args(arguments)
    if any(len(model) > 2 for model in args.model):
        parser.error('--model takes a name, or a config and its checkpoint')
    return args


def main(arguments: Sequence[str], program: str) -> None:
    """Run the command with the arguments of its command line; ``program`` is what it was called by."""
    args = parse_args(arguments, program)
    from ..errors import UserError, report_errors

    with report_errors(), tempfile.TemporaryDirectory(prefix='classicpose_') as folder:
        try:
            import gradio  # noqa: F401
        except ImportError as error:
            raise UserError(
                "the page needs gradio: pip install 'classicpose[web]', or in the repository pip install -r "
                'requirements-web.txt'
            ) from error
        from ..web.page import serve, zoo

        own = {' '.join(Path(part).name for part in model): tuple(model) for model in args.model}
        serve(own | zoo(), args.host, args.port, Path(folder))
