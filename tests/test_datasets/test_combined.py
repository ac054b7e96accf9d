"""Several datasets, one skeleton: what counts in whose loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS
from pycocotools import mask as run_lengths
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.skeletons import COCO17, FLIC10, LSP14, OPENPOSE18, known_keypoints
from custom_modules.codecs import PartAffinityField
from custom_modules.datasets import BottomUpPeopleDataset, FlicDataset, IgnoreOutsidePeople, LspDataset
from custom_modules.models import ResidualPartAffinityHead

CONFIG = REPOSITORY / 'configs/openpose_lite_coco_lsp_flic.py'
COCO, LSP, FLIC = range(3)
# What each dataset annotates, of OpenPose's keypoints; FLIC's neck is the middle of its shoulders.
UNKNOWN = {
    COCO: set(),
    LSP: {'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'},
    FLIC: {'nose', 'left_ear', 'right_ear', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle'},
}


@pytest.mark.parametrize(('source', 'number'), [(COCO17, COCO), (LSP14, LSP), (FLIC10, FLIC)])
def test_known_keypoints(source, number: int) -> None:
    known = known_keypoints(source, OPENPOSE18)
    assert {name for name, is_known in zip(OPENPOSE18.keypoints, known, strict=True) if not is_known} == UNKNOWN[number]


@pytest.fixture
def samples(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict]:
    """A packed sample of each of the config's datasets."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    np.random.seed(0)
    config = Config.fromfile(CONFIG).train_dataloader.dataset
    config.sample_ratio_factor = None
    config.pipeline[0].update(scale=(0.6, 0.6), short_side=(0.0, 1e9), rotation=0)
    dataset = DATASETS.build(config)
    assert dataset.metainfo['flip_indices'] == OPENPOSE18.flip_indices
    firsts = np.cumsum([0, *dataset.lens[:-1]])
    return [dataset[int(first)] for first in firsts]


def test_gradients_are_zero_where_nothing_is_known(samples: list[dict]) -> None:
    head = ResidualPartAffinityHead(16, dict(type=PartAffinityField, input_size=(256, 256), heatmap_size=(32, 32)))
    outputs = [torch.full((3, 38, 32, 32), 0.5), torch.full((3, 19, 32, 32), 0.5)]  # wrong everywhere
    for maps in outputs:
        maps.requires_grad_()
    head.forward = lambda feats: [tuple(outputs)]
    batch = pseudo_collate(samples)['data_samples']
    sum(head.loss((), batch).values()).backward()
    pafs, heatmaps = (maps.grad for maps in outputs)
    for number, sample in enumerate(batch):
        unknown = [OPENPOSE18.keypoints.index(name) for name in UNKNOWN[number]]
        mask = sample.gt_fields.heatmap_mask[0]
        for index in range(19):  # the background last
            is_known = index not in unknown and not (index == 18 and unknown)
            counts = heatmaps[number, index] != 0
            assert torch.equal(counts, (mask > 0) & is_known)
        for index, limb in enumerate(OPENPOSE18.limbs):
            counts = pafs[number, 2 * index : 2 * index + 2] != 0
            assert torch.equal(counts, ((mask > 0) & (not set(limb) & set(unknown))).expand(2, 32, 32))
    # The images of LSP and FLIC have people nobody annotated, so somewhere nothing counts; on the person it does.
    for sample in batch[LSP:]:
        assert (sample.gt_fields.heatmap_mask == 0).any()
        assert (sample.gt_fields.heatmap_mask[0][sample.gt_fields.heatmaps[:-1].amax(dim=0) > 0.9] > 0).all()


def test_keypoints_arrive_by_name(generated_data: Path) -> None:
    dataset = BottomUpPeopleDataset(dict(type=LspDataset, data_root=str(generated_data / 'lspet')))
    assert len(dataset) == 30
    sample, own = dataset.get_data_info(3), dataset.people.load_data_list()[3]
    assert sample['img_path'] == own['img_path']
    for index, name in enumerate(OPENPOSE18.keypoints):
        if name in LSP14.keypoints:
            other = LSP14.keypoints.index(name)
            assert sample['keypoints_visible'][0, index] == own['keypoints_visible'][0, other]
            np.testing.assert_array_equal(sample['keypoints'][0, index], own['keypoints'][0, other])
    labelled = own['keypoints'][0][own['keypoints_visible'][0] > 0]
    np.testing.assert_allclose(sample['main_center'], (labelled.min(axis=0) + labelled.max(axis=0)) / 2)
    assert sample['main_height'] == np.ptp(labelled, axis=0).max()


def test_people_of_one_image_are_targets_of_each_other(tmp_path: Path) -> None:
    class TwoInOneImage(FlicDataset):
        def load_data_list(self) -> list[dict]:
            keypoints = np.random.default_rng(0).uniform(0, 100, (2, 1, 10, 2)).astype(np.float32)
            ones = np.ones((1, 10), np.float32)
            return [
                dict(img_id=7, img_path='still.jpg', id=row, keypoints=keypoints[row], keypoints_visible=ones)
                for row in range(2)
            ]

    DATASETS.register_module(module=TwoInOneImage, force=True)
    dataset = BottomUpPeopleDataset(dict(type=TwoInOneImage))
    first, second = (dataset.get_data_info(row) for row in range(2))
    assert first['keypoints'].shape == (2, 18, 2)
    np.testing.assert_array_equal(first['keypoints'], second['keypoints'])
    assert not np.allclose(first['main_center'], second['main_center'])


def test_outside_of_everybody_is_ignored() -> None:
    """Boxes of 10 x 20 pixels and a margin of a fifth of 20; an unlabelled keypoint does not stretch them."""
    keypoints = np.array([[[20, 30], [30, 50], [90, 90]], [[60, 30], [70, 50], [0, 0]]], np.float32)
    visible = np.array([[1, 1, 0], [1, 1, 0]], np.float32)
    results = dict(img=np.zeros((80, 100, 3), np.uint8), keypoints=keypoints, keypoints_visible=visible)
    ignored = run_lengths.decode(IgnoreOutsidePeople(margin=0.2).transform(results)['ignore'])
    expected = np.ones((80, 100))
    expected[26:55, 16:35] = expected[26:55, 56:75] = 0
    np.testing.assert_array_equal(ignored, expected)


def test_a_dataset_without_anybody_is_named(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LspDataset, 'load_data_list', lambda self: [])
    with pytest.raises(UserError, match=r'joints\.mat: nobody has enough keypoints'):
        BottomUpPeopleDataset(dict(type=LspDataset, data_root=str(generated_data / 'lspet')))
