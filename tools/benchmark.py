"""Measure speed, of targets, decoding, data loading, training steps and prediction, and how long people keep ids.

python tools/benchmark.py decode
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

WHAT = {
    'targets': 'making the heatmaps and affinity fields of one 368 x 368 sample',
    'decode': 'from ideal maps (46 x 82 cells, 656 x 368 pixels) to people in pixels; and how many are found whole',
    'loader': "every step of a config's training pipeline in one process, on the config's own images; what a batch "
    'costs the main process, and how many images a second some loader processes give',
    'step': 'a training step of a config: transfer, forward, backward, update, on one of its batches',
    'network': 'the networks of several configs on one image, in turn, without decoding',
    'predict': 'a test image of a config: reading, network, decoding, one at a time',
    'runtime': 'prediction with the model of the zoo and ONNX files: the networks on one and two threads, a synthetic '
    'video of 854 x 480 from end to end, and a photograph from the start of the process',
    'tracking': 'IDF1 of the tracker, in percent, on generated people at several rates',
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        epilog='Times are medians after a warm-up, by the wall clock. Peak memory is that of the whole process.',
    )
    commands = parser.add_subparsers(dest='command', required=True)
    for name, text in WHAT.items():
        command = commands.add_parser(name, help=text, description=f'Measures {text}.')
        if name in ('targets', 'decode'):
            default = [1, 5, 10, 20] if name == 'targets' else [1, 5, 10, 20, 40]
            command.add_argument('--people', type=int, nargs='+', default=default, metavar='N')
            command.add_argument(
                '--baseline',
                nargs='+',
                default=[],
                metavar='NAME=FOLDER',
                help='measure a public project beside ours, from its source folder: lightweight='
                '(lightweight-human-pose-estimation.pytorch), realtime= '
                '(pytorch_Realtime_Multi-Person_Pose_Estimation, its lib/pafprocess built)',
            )
        elif name == 'runtime':
            command.add_argument('files', nargs='+', help='.onnx files, as tools/export_onnx.py writes them')
            command.add_argument('--model', default='openpose_lite', help='a model of the zoo (default: %(default)s)')
            command.add_argument('--people', type=int, nargs='+', default=[1, 5, 20], metavar='N')
            command.add_argument(
                '--baseline', nargs='+', default=[], metavar='FILE', help='other networks, measured alone'
            )
        elif name == 'network':
            command.add_argument('configs', nargs='+', help='config files')
            command.add_argument('--size', type=int, nargs=2, default=(656, 368), metavar=('W', 'H'))
        elif name != 'tracking':
            command.add_argument('config', help='a config file')
            command.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE')
        if name == 'decode':
            command.add_argument('--apart', action='store_true', help='people who do not overlap')
        if name == 'loader':
            command.add_argument('--workers', type=int, default=2, metavar='N', help='processes (default: %(default)s)')
            command.add_argument('--batch-size', type=int, default=64, metavar='N', help='(default: %(default)s)')
            command.add_argument('--batches', type=int, default=20, metavar='N', help='(default: %(default)s)')
        if name == 'step':
            command.add_argument('--amp', action='store_true', help='in mixed precision')
        if name == 'predict':
            command.add_argument('--checkpoint', help='a .pth file; random weights without it')
        command.add_argument(
            '--repeats',
            type=int,
            default=dict(loader=300, step=10, network=5, runtime=20, tracking=8).get(name, 50),
            metavar='N',
        )
        command.add_argument('--seed', type=int, default=0)
        command.add_argument(
            '--threads',
            type=int,
            default=0 if name in ('step', 'network', 'predict', 'runtime') else 1,
            metavar='N',
            help='0 for all cores',
        )
        command.add_argument('--json', metavar='FILE', help='write the rows to this file, too')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    import cv2
    import torch

    from classicpose.errors import report_errors
    from custom_modules.benchmark import speed

    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    torch.manual_seed(args.seed)
    with report_errors():
        tables = measure(args)
    for table in tables:
        print_table(table)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    machine = dict(device=device, threads=args.threads or torch.get_num_threads(), torch=torch.__version__)
    memory = round(speed.peak_memory())
    print(f'{machine["device"]}, {machine["threads"]} threads; peak memory {memory} MiB')
    if args.json:
        contents = dict(
            command=args.command,
            options=vars(args),
            machine=machine,
            peak_memory=memory,
            rows=[row for table in tables for row in table],
        )
        Path(args.json).write_text(json.dumps(contents, indent=2) + '\n')


def measure(args: argparse.Namespace) -> list[list[dict]]:
    from custom_modules.benchmark import baselines, runtime, speed, tracking
    from custom_modules.configuration.loading import load_config
    from custom_modules.engine.mixed_precision import set_precision

    if args.command == 'targets':
        others = baselines.find(args.baseline, 'targets')
        return [speed.measure_targets(args.people, args.repeats, args.seed, others)]
    if args.command == 'decode':
        others = baselines.find(args.baseline, 'decode')
        return [speed.measure_decode(args.people, args.repeats, args.seed, others, apart=args.apart)]
    if args.command == 'runtime':
        return [
            runtime.measure_network(args.model, [*args.files, *args.baseline], args.repeats),
            runtime.measure_videos(args.files, args.people, args.seed),
            runtime.measure_start([*args.files, args.model]),
        ]
    if args.command == 'tracking':
        return [tracking.measure_tracking(args.repeats, args.seed)]
    if args.command == 'network':
        return [speed.measure_networks([load_config(config) for config in args.configs], args.size, args.repeats)]
    cfg = load_config(args.config, args.cfg_options)
    if args.command == 'loader':
        cfg.train_dataloader.batch_size = args.batch_size
        steps = speed.measure_loader(cfg, args.repeats, args.seed)
        return [steps, speed.measure_batches(cfg, args.batches, args.workers)]
    if args.command == 'step':
        set_precision(cfg, args.amp)
        return [speed.measure_step(cfg, args.repeats)]
    return [speed.measure_predict(cfg, args.repeats, args.checkpoint)]


def print_table(rows: list[dict]) -> None:
    table = [list(rows[0])] + [[v if isinstance(v, str) else f'{v:.4g}' for v in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print('  '.join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == '__main__':
    main()
