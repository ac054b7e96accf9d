"""The demo's cascade with networks small enough for a test: EfficientNet-Lite0 takes longer than all else together."""

from __future__ import annotations

from pathlib import Path

from shipped_configs import REPOSITORY

CONFIG = """
from mmengine.config import read_base
from mmpose.models import ResNet

with read_base():
    from .configs.demo.deeppose_generated import *

model.backbone = dict(
    type=ResNet,
    depth=18,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(2,),
    base_channels=4,
    stem_channels=4,
)
for stage in model.stages:
    stage.head.update(in_channels=16)
del stage
"""


def write(folder: Path) -> Path:
    """The config's file in ``folder``, which also gets a link to the shipped ones."""
    (folder / 'configs').symlink_to(REPOSITORY / 'configs')
    path = folder / 'tiny.py'
    path.write_text(CONFIG)
    return path
