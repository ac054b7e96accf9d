"""Batches of images of one size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import DefaultSampler
from mmengine.runner import Runner
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY
from torch.utils.data import Dataset

from classicpose.errors import UserError
from custom_modules.datasets import SameSizeBatchSampler
from custom_modules.datasets.synthetic.coco import generate_coco


class Sizes(Dataset):
    def __init__(self, sizes: list[tuple[int, int]]) -> None:
        self.sizes = sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def get_data_info(self, index: int) -> dict:
        return dict(height=self.sizes[index][0], width=self.sizes[index][1])


@pytest.mark.parametrize('shuffle', [False, True])
@pytest.mark.parametrize('batch_size', [1, 3, 8])
def test_every_image_comes_once_among_its_like(batch_size: int, shuffle: bool) -> None:
    rng = np.random.default_rng(0)
    dataset = Sizes([tuple(rng.choice([240, 320, 480], 2).tolist()) for _ in range(50)])
    sampler = SameSizeBatchSampler(DefaultSampler(dataset, shuffle=shuffle, round_up=False), batch_size)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(50))
    assert all(len({dataset.sizes[index] for index in batch}) == 1 for batch in batches)
    assert all(len(batch) <= batch_size for batch in batches)
    assert len(batches) == len(sampler)
    if batch_size == 1 and not shuffle:
        assert batches == [[index] for index in range(50)]


def test_a_dataset_without_sizes() -> None:
    dataset = Sizes([(1, 1)])
    dataset.get_data_info = lambda index: {}
    with pytest.raises(UserError, match='Sizes does not give the sizes of its images'):
        list(SameSizeBatchSampler(DefaultSampler(dataset, shuffle=False), 2))


@torch.no_grad()
def test_batches_find_the_people_that_single_images_show(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped network on images of two sizes, one and several at a time."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(tmp_path))
    generate_coco(tmp_path / 'coco', num_train=1, num_val=3, size=(200, 160), seed=1)
    generate_coco(tmp_path / 'wide', num_train=1, num_val=3, size=(240, 160), seed=2)
    config = Config.fromfile(REPOSITORY / 'configs/openpose_lite_coco.py')
    config.model.backbone.weights = None
    model = MODELS.build(config.model).eval()
    people = []
    loader = config.val_dataloader
    loader.dataset.pipeline[1].height = 128
    wide = dict(loader.dataset, data_root=str(tmp_path / 'wide'))
    loader.dataset = dict(type='ConcatDataset', datasets=[loader.dataset, wide])
    loader.update(num_workers=0, persistent_workers=False)
    for batch_size in (1, 4):
        loader.batch_size = batch_size
        found = {}
        for batch in Runner.build_dataloader(loader):
            for sample in model.test_step(batch):
                found[sample.img_path] = sample.pred_fields.heatmaps.numpy()
        people.append(found)
    assert people[0].keys() == people[1].keys()
    assert len(people[0]) == 6
    for path, maps in people[0].items():
        np.testing.assert_allclose(people[1][path], maps, atol=1e-5)
