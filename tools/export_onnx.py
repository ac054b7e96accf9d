"""Write a trained model's network to an ONNX file, checked against PyTorch.

python tools/export_onnx.py configs/openpose_coco.py work_dirs/openpose_coco/iter_600000.pth openpose.onnx
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write a trained model's network to an ONNX file, once its outputs were found to be PyTorch's. "
        'docs/onnx.md tells what goes in and comes out.'
    )
    parser.add_argument('config', help='the config that the model was trained with')
    parser.add_argument('checkpoint', help='a .pth file')
    parser.add_argument('out', nargs='?', help='an .onnx file (default: beside the checkpoint)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example model.test_cfg.flip_test=False',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from custom_modules.configuration.loading import load_config
    from custom_modules.deploy.export import OPSET, TOLERANCE, export
    from custom_modules.errors import report_errors

    with report_errors():
        cfg = load_config(args.config, args.cfg_options)
        exported = export(cfg, args.checkpoint, args.out or Path(args.checkpoint).with_suffix('.onnx'))
    for kind, values in (('in', exported.inputs), ('out', exported.outputs)):
        for name, shape in values.items():
            print(f'{kind:3} {name} ({", ".join(map(str, shape))})')
    print(f'largest difference from PyTorch {exported.difference:.1e}, relative to the outputs (limit {TOLERANCE:.0e})')
    print(f'{exported.path}, {exported.path.stat().st_size / 1e6:.1f} MB, opset {OPSET}')


if __name__ == '__main__':
    main()
