"""Convert released OpenPose weights to this repository's names, or ours to another project's.

python tools/convert_weights.py body_pose_model.pth openpose_released.pth python tools/test.py
configs/openpose_coco_released.py openpose_released.pth
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

    from custom_modules.models.weights.released import Network


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description='Convert the weights of OpenPose or Lightweight OpenPose between the names that projects give them.'
    )
    parser.add_argument('source', help='a .pth file; its naming is recognised')
    parser.add_argument('dest', help='the file to write')
    parser.add_argument(
        '--to',
        default='classicpose',
        choices=('classicpose', 'caffe', 'pytorch-openpose', 'rtpose', 'lightweight'),
        help='the naming to write (default: %(default)s); other programs expect the field channels of '
        'configs/openpose_coco_released.py, so train with it what you want to give them',
    )
    parser.add_argument('--stages', type=int, metavar='N', help='keep only the first N stages (default: all)')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from custom_modules.errors import report_errors

    with report_errors():
        convert(Path(args.source), Path(args.dest), args.to, args.stages)


def convert(source: Path, dest: Path, to: str, kept_stages: int | None) -> None:
    from mmengine.runner import CheckpointLoader

    from custom_modules.engine.checkpoints import explained_loading
    from custom_modules.errors import UserError
    from custom_modules.models.weights.released import OPENPOSE, from_ours, recognise, to_ours, weights_of
    from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

    if dest.exists():
        raise UserError(f'{dest} exists already: remove it or give another name')
    with explained_loading(source):
        checkpoint = CheckpointLoader.load_checkpoint(str(source), map_location='cpu', logger='silent')
    try:
        state = weights_of(checkpoint)
        network, naming, stages = recognise(state, (OPENPOSE, LIGHTWEIGHT_OPENPOSE), shapes_of)
        ours = to_ours(state, naming, shapes_of(network, stages))
    except UserError as error:
        raise UserError(f'{source}: {error}') from error
    targets = {target.name: target for target in network.all_namings if target != naming}
    if to not in targets:
        raise UserError(
            f'{source} holds weights of {network.name} in the naming {naming.name}: give --to {" or ".join(targets)}'
        )
    if kept_stages is not None:
        if not 1 <= kept_stages <= stages:
            raise UserError(f'--stages {kept_stages}: {source} has {stages} stages')
        stages = kept_stages
        ours = {name: ours[name] for name in shapes_of(network, stages) if name in ours}

    weights = from_ours(ours, targets[to])
    contents = dict(state_dict=weights) if targets[to].nested else weights
    if to == 'classicpose':
        contents['meta'] = dict(converted_from=source.name, naming=naming.name)
        use = f'; python tools/test.py {network.config} {dest}{stages_option(network, stages)}'
    else:
        use = f' in the naming {to}'
    save(contents, dest)
    print(f'{dest}: {len(weights)} tensors of {network.name}, {stages} stages{use}')


def shapes_of(network: Network, stages: int) -> dict[str, torch.Size]:
    """Our tensors' names and shapes, without memory for any."""
    import torch
    from mmpose.registry import MODELS

    from custom_modules.configuration.loading import load_config

    option = f'{network.stages_setting}={stages - network.uncounted_stages}'
    with torch.device('meta'):
        model = MODELS.build(load_config(REPOSITORY / network.config, [option]).model)
    return {name: tensor.shape for name, tensor in model.state_dict().items()}


def stages_option(network: Network, stages: int) -> str:
    """The option that the config needs for this many stages, if any."""
    from custom_modules.configuration.loading import load_config

    number = stages - network.uncounted_stages
    setting = load_config(REPOSITORY / network.config)
    for key in network.stages_setting.split('.'):
        setting = setting.get(key)
    return '' if setting == number else f' --cfg-options {network.stages_setting}={number}'


def save(contents: dict, dest: Path) -> None:
    """Write a checkpoint, all of it or nothing."""
    import torch

    from custom_modules.errors import make_folder
    from custom_modules.files import write_whole

    def write(path: Path) -> None:
        with path.open('wb') as file:  # given a path, PyTorch raises other errors than the system's
            torch.save(contents, file)

    make_folder(dest.parent)
    write_whole(dest, write)


if __name__ == '__main__':
    main()
