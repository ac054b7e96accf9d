"""Write a trained model's network to an ONNX file, checked against PyTorch.

python tools/export_onnx.py openpose_lite openpose_lite.onnx
python tools/export_onnx.py configs/openpose_coco.py work_dirs/openpose_coco/iter_600000.pth openpose.onnx
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write a trained model's network to an ONNX file, after comparing its outputs with PyTorch's. "
        'docs/onnx.md tells what goes in and comes out.',
        usage='%(prog)s [options] (NAME | CONFIG CHECKPOINT) [OUT]',
    )
    parser.add_argument(
        'model_and_out',
        nargs='+',
        metavar='MODEL_OR_OUT',
        help="a model's name, see tools/predict.py --list, or the config a model was trained with and its .pth file; "
        'then the .onnx file to write (default: beside the checkpoint, of a name in this folder)',
    )
    parser.add_argument(
        '--precision',
        choices=('float32', 'half', 'int8'),
        default='float32',
        help='half: weights in 16 bits, a file of half the size; int8: 8-bit integers, faster on most CPUs. Both are '
        "tested on the config's test data first (default: %(default)s)",
    )
    parser.add_argument(
        '--largest-loss',
        type=float,
        default=0.01,
        metavar='AP',
        help="the most that half or int8 may lose of AP, or of the config's other metric (default: %(default)s)",
    )
    parser.add_argument('--force', action='store_true', help='write the file whatever half or int8 lose')
    parser.add_argument('--licence', metavar='TEXT', help='licence of the weights, written into the file')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='settings that override the config, for example model.test_cfg.flip_test=False',
    )
    args = parser.parse_args()
    named = not args.model_and_out[0].endswith('.py') and len(args.model_and_out) < 3
    args.name = args.model_and_out.pop(0) if named else None
    given = args.model_and_out
    if len(given) > 1 + 2 * (not named) or (not named and len(given) < 2):
        parser.error("give a model's name, or a config and a checkpoint, and then at most one file to write")
    return args


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors
    from classicpose.files import refuse_inputs
    from classicpose.inference.zoo import named_model
    from custom_modules.configuration.loading import load_config
    from custom_modules.deploy.export import OPSET, TOLERANCE, export
    from custom_modules.deploy.precision import export_smaller
    from custom_modules.prediction import find_model

    with report_errors():
        card = dict(licence=args.licence) if args.licence else {}
        if args.name:
            model = named_model(args.name)
            config, checkpoint = find_model(model)
            card = dict(licence=model.licence) | card
            out = Path(*args.model_and_out or [f'{args.name}.onnx'])
        else:
            config, checkpoint, *out = args.model_and_out
            out = Path(*out or [Path(checkpoint).with_suffix('.onnx')])
        refuse_inputs([out], [config, checkpoint])
        cfg = load_config(config, args.cfg_options)
        if args.precision == 'float32':
            exported, measured = export(cfg, checkpoint, out, card), ''
        else:
            smaller = export_smaller(cfg, checkpoint, out, args.precision, args.largest_loss, args.force, card)
            exported = smaller.exported
            measured = f'{smaller.metric} {smaller.before:.4f} with PyTorch, {smaller.after:.4f} with this file'
    for kind, values in (('in', exported.inputs), ('out', exported.outputs)):
        for name, shape in values.items():
            print(f'{kind:3} {name} ({", ".join(map(str, shape))})')
    print(f'largest difference from PyTorch {exported.difference:.1e}, relative to the outputs (limit {TOLERANCE:.0e})')
    if measured:
        print(measured)
    print(f'{exported.path}, {exported.path.stat().st_size / 1e6:.1f} MB, opset {OPSET}')


if __name__ == '__main__':
    main()
