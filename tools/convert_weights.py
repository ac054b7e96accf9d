"""Convert released OpenPose weights to this repository's names, or ours to another project's.

python tools/convert_weights.py openpose/models openpose
python tools/convert_weights.py pose_iter_584000.caffemodel body25.pth
python tools/test.py configs/openpose_body25_released.py body25.pth
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

if TYPE_CHECKING:
    import torch

    from custom_modules.models.weights.released import Naming, Network

_CAFFE = '.caffemodel'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Convert the weights of OpenPose or Lightweight OpenPose between the names that projects give them.'
    )
    parser.add_argument(
        'source',
        help=f"a {_CAFFE} or .pth file, whose network and naming are recognised, or OpenPose's folder of models",
    )
    parser.add_argument('dest', help='the file to write, or a folder if the source is one')
    parser.add_argument(
        '--to',
        default='classicpose',
        choices=('classicpose', 'caffe', 'pytorch-openpose', 'rtpose', 'lightweight'),
        help=f'the naming to write (default: %(default)s), caffe as {_CAFFE} if dest ends so; other programs expect '
        'the field channels of the configs called *_released.py, so train such a config for them',
    )
    parser.add_argument('--stages', type=int, metavar='N', help='keep only the first N stages (default: all)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import UserError, report_errors

    source, dest = Path(args.source), Path(args.dest)
    with report_errors():
        if not source.is_dir():
            convert(source, dest, args.to, args.stages)
        elif args.to != 'classicpose' or args.stages is not None:
            raise UserError(f'{source} is a folder: --to and --stages are for single files')
        else:
            convert_folder(source, dest)


def convert_folder(source: Path, dest: Path) -> None:
    """All .caffemodel files in a folder and those below it, each under the name of its model."""
    from classicpose.errors import UserError

    files = sorted(source.rglob(f'*{_CAFFE}'))
    if not files:
        raise UserError(
            f'{source} has no {_CAFFE} file: give the folder models of an OpenPose that has downloaded its models'
        )
    loaded = [(path, *load(path)) for path in files]
    taken: dict[str, Path] = {}
    for path, network, *_ in loaded:
        other = taken.setdefault(network.file, path)
        if other != path:
            raise UserError(f'{other} and {path} both hold weights of {network.name}: convert one by its own name')
    for path, network, naming, stages, ours in loaded:
        write(path, dest / f'{network.file}.pth', 'classicpose', network, naming, stages, ours)


def convert(source: Path, dest: Path, to: str, kept_stages: int | None) -> None:
    from classicpose.errors import UserError
    from custom_modules.engine.conversion import first_stages

    if dest.exists():
        raise UserError(f'{dest} exists already: remove it or give another name')
    if dest.suffix == _CAFFE and to != 'caffe':
        raise UserError(f'{dest}: only --to caffe writes a {_CAFFE} file')
    network, naming, stages, ours = load(source)
    if kept_stages is not None:
        if not network.stages_setting:
            raise UserError(f'--stages {kept_stages}: {network.name} always has all of its stages')
        if not 1 <= kept_stages <= stages:
            raise UserError(f'--stages {kept_stages}: {source} has {stages} stages')
        stages = kept_stages
        ours = first_stages(ours, network, stages)
    write(source, dest, to, network, naming, stages, ours)


def load(source: Path) -> tuple[Network, Naming, int, dict[str, torch.Tensor]]:
    """The network that a file holds weights of, its naming, the number of stages, and the weights under our names."""
    from custom_modules.engine.conversion import load_released
    from custom_modules.models.weights.openpose import OPENPOSE_NETWORKS
    from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

    return load_released(source, (*OPENPOSE_NETWORKS, LIGHTWEIGHT_OPENPOSE))


def write(
    source: Path, dest: Path, to: str, network: Network, naming: Naming, stages: int, ours: dict[str, torch.Tensor]
) -> None:
    """Write the weights in another naming and say what they are good for."""
    from classicpose.errors import UserError
    from custom_modules.configuration.loading import load_config, shipped_config
    from custom_modules.configuration.skeleton import dataset_meta
    from custom_modules.models.weights.released import from_ours

    if dest.exists():
        raise UserError(f'{dest} exists already: remove it or give another name')
    targets = {target.name: target for target in network.all_namings if target != naming}
    if to not in targets:
        raise UserError(
            f'{source} holds weights of {network.name} in the naming {naming.name}: give --to {" or ".join(targets)}'
        )
    weights = from_ours(ours, targets[to])
    contents = dict(state_dict=weights) if targets[to].nested else weights
    if to == 'classicpose':
        meta = dataset_meta(load_config(shipped_config(network.config_of(stages))))
        contents['meta'] = dict(meta, converted_from=source.name, naming=naming.name)
        use = f'; python tools/test.py {network.config_of(stages)} {dest}{stages_option(network, stages)}'
    else:
        use = f' in the naming {to}'
    save(contents, dest)
    print(f'{dest}: {len(weights)} tensors of {network.name}, {stages} stages{use}')


def stages_option(network: Network, stages: int) -> str:
    """The option that the config needs for this many stages, if any."""
    from custom_modules.configuration.loading import load_config

    if not network.stages_setting:
        return ''
    number = stages - network.uncounted_stages
    setting = load_config(REPOSITORY / network.config_of(stages))
    for key in network.stages_setting.split('.'):
        setting = setting.get(key)
    return '' if setting == number else f' --cfg-options {network.stages_setting}={number}'


def save(contents: dict, dest: Path) -> None:
    """Write a checkpoint or a .caffemodel, all of it or nothing."""
    import torch

    from classicpose.errors import make_folder
    from classicpose.files import write_whole
    from custom_modules.models.weights.caffe import write_caffemodel

    def write(path: Path) -> None:
        if dest.suffix == _CAFFE:
            write_caffemodel(contents, path)
            return
        with path.open('wb') as file:  # given a path, PyTorch raises other errors than the system's
            torch.save(contents, file)

    make_folder(dest.parent)
    write_whole(dest, write)


if __name__ == '__main__':
    main()
