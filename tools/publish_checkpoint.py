"""Make of a training's checkpoint the file that users load: weights in half precision and body model, compressed.

python tools/publish_checkpoint.py work_dirs/openpose_lite_coco/iter_7000.pth checkpoints/openpose_lite_coco.pth
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Write a checkpoint's weights, averaged ones where it has them, in half precision and a body model."
    )
    parser.add_argument('source', help='a .pth file that training wrote')
    parser.add_argument('dest', help='the file to write')
    parser.add_argument('--config', help='names the body model of a source that no training wrote')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    # After parsing, so that --help and a mistyped option answer at once.
    from classicpose.errors import report_errors

    with report_errors():
        publish(args.source, Path(args.dest), args.config)


def publish(source: str, dest: Path, config: str | None) -> None:
    import torch
    from mmengine.runner import CheckpointLoader

    from classicpose.errors import UserError, make_folder
    from classicpose.files import refuse_inputs, write_whole
    from custom_modules.configuration.loading import load_config
    from custom_modules.configuration.skeleton import dataset_meta, plain_dataset_meta
    from custom_modules.engine.checkpoints import explained_loading

    refuse_inputs([dest], [source])
    with explained_loading(source):
        checkpoint = CheckpointLoader.load_checkpoint(source, map_location='cpu', logger='silent')
    if 'state_dict' not in checkpoint:
        raise UserError(f'{source} has no state_dict: give a .pth file that training wrote')
    known = checkpoint.get('meta', {}).get('dataset_meta')
    if not (known or config):
        raise UserError(f'{source} has no dataset_meta, by which MMPose knows its keypoints: name its config, --config')
    meta = plain_dataset_meta(known) if known else dataset_meta(load_config(config))
    weights = {name: _half(tensor, name, source) for name, tensor in checkpoint['state_dict'].items()}
    make_folder(dest.parent)
    stored = io.BytesIO()
    torch.save(dict(state_dict=weights, meta=meta), stored)
    contents = _compressed(stored)
    write_whole(dest, lambda path: path.write_bytes(contents))
    print(
        f'{dest}: {len(weights)} tensors, {len(contents) / 1e6:.2f} MB, SHA-256 {hashlib.sha256(contents).hexdigest()}'
    )


def _compressed(stored: io.BytesIO) -> bytes:
    """PyTorch's file is a ZIP archive and may be compressed, though PyTorch itself never does that."""
    compressed = io.BytesIO()
    with zipfile.ZipFile(stored) as source, zipfile.ZipFile(compressed, 'w') as target:
        for entry in source.infolist():
            target.writestr(entry, source.read(entry), zipfile.ZIP_DEFLATED)
    return compressed.getvalue()


def _half(tensor, name: str, source: str):
    from classicpose.errors import UserError

    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    if not half.isfinite().all():
        raise UserError(f'{source}: {name} has numbers too large for half precision')
    return half


if __name__ == '__main__':
    main()
