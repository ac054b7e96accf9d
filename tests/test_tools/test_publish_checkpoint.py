"""tools/publish_checkpoint.py: weights in half precision and the body model, compressed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from command_lines import only_error, run_tool
from mmpose.apis import init_model
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from classicpose.skeletons import BODY25, FLIC10
from custom_modules.datasets import BottomUpCocoDataset

OTHER_SKELETON = """
from mmengine.config import read_base
from classicpose.skeletons import BODY25
with read_base():
    from custom_modules.configs.demo.openpose_generated import *
codec.update(skeleton=BODY25)
model.head.update(decoder=codec)
model.backbone.pop('init_cfg', None)
for loader in (train_dataloader, val_dataloader):
    loader.dataset.update(skeleton=BODY25)
del loader
"""


def test_what_is_published(tmp_path: Path) -> None:
    weights = dict(weight=torch.rand(3, 4), steps=torch.tensor(7), zeros=torch.zeros(100, 100))
    meta = dict(dataset_meta=parse_pose_metainfo(FLIC10.metainfo()), iter=7)
    rest = dict(meta=meta, optimizer=dict(state={}), message_hub=dict(), ema_state_dict=dict(weight=torch.zeros(3, 4)))
    torch.save(dict(state_dict=weights, **rest), tmp_path / 'iter_7.pth')
    said = run_tool('publish_checkpoint.py', 'iter_7.pth', 'zoo/model.pth', cwd=tmp_path).stdout
    published = tmp_path / 'zoo/model.pth'
    assert hashlib.sha256(published.read_bytes()).hexdigest() in said
    contents = torch.load(published, weights_only=True)
    assert list(contents) == ['state_dict', 'meta']
    assert list(contents['meta']) == ['dataset_meta']
    assert not any(isinstance(value, np.ndarray) for value in contents['meta']['dataset_meta'].values())
    assert contents['meta']['dataset_meta']['flip_indices'] == list(FLIC10.flip_indices)
    assert contents['meta']['dataset_meta']['sigmas'] == pytest.approx(FLIC10.sigmas)
    assert torch.equal(contents['state_dict']['weight'], weights['weight'].half())
    assert contents['state_dict']['steps'] == 7
    assert published.stat().st_size < 10_000 < 2 * contents['state_dict']['zeros'].numel()

    torch.save(dict(state_dict=dict(weight=torch.tensor([1e6])), meta=meta), tmp_path / 'large.pth')
    torch.save(dict(weight=torch.ones(1)), tmp_path / 'bare.pth')
    torch.save(dict(state_dict=weights), tmp_path / 'mean.pth')
    for name, message in (
        ('large.pth', 'weight has numbers too large'),
        ('bare.pth', 'has no state_dict'),
        ('mean.pth', 'name its config, --config'),
    ):
        result = run_tool('publish_checkpoint.py', name, 'zoo/other.pth', cwd=tmp_path, status=2)
        assert message in only_error(result.stderr)
    assert [path.name for path in published.parent.iterdir()] == ['model.pth']

    result = run_tool('publish_checkpoint.py', 'iter_7.pth', 'zoo/../iter_7.pth', cwd=tmp_path, status=2)
    assert 'would be written over the input iter_7.pth' in only_error(result.stderr)


@pytest.mark.parametrize('trained', [True, False])
def test_mmpose_reads_the_body_model_from_the_file(trained: bool, tmp_path: Path) -> None:
    """From a config MMPose takes that of the dataset's class: OPENPOSE18 for a network that knows feet, too."""
    config = tmp_path / 'with_feet.py'
    config.write_text(OTHER_SKELETON)
    model = init_model(str(config), device='cpu')
    assert model.dataset_meta['num_keypoints'] == 18
    contents = dict(state_dict=model.state_dict())
    if trained:  # what MMEngine's training writes
        dataset = BottomUpCocoDataset(skeleton=BODY25, lazy_init=True)
        contents['meta'] = dict(dataset_meta=dataset.metainfo)
    torch.save(contents, tmp_path / 'weights.pth')
    options = [] if trained else ['--config', config]
    run_tool('publish_checkpoint.py', 'weights.pth', 'published.pth', *options, cwd=tmp_path)
    published = init_model(str(config), str(tmp_path / 'published.pth'), device='cpu').dataset_meta
    assert [published['keypoint_id2name'][index] for index in range(25)] == list(BODY25.keypoints)
    assert published['flip_indices'] == list(BODY25.flip_indices)
    assert [tuple(limb) for limb in published['skeleton_links']] == list(BODY25.limbs)
