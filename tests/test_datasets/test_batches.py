"""Batches made by the loader's processes are the samples' own targets, and heads learn the same from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.structures import PixelData
from mmpose.codecs import MSRAHeatmap, RegressionLabel, SimCCLabel
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.structures import PoseDataSample

from classicpose.errors import UserError
from classicpose.skeletons import OPENPOSE18
from custom_modules.codecs import PartAffinityField
from custom_modules.datasets import TargetBatch, target_batch_collate
from custom_modules.datasets.batches import encode_people
from custom_modules.models import BatchDataPreprocessor, OpenPoseHead

DEVICES = ['cpu', pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU'))]
CODEC = dict(type=PartAffinityField, input_size=(64, 48), heatmap_size=(8, 6))


def sample(people: int, seed: int, size: tuple[int, int] = (64, 48), **meta: object) -> dict:
    """A packed sample of random people."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform(-10, 80, (people, 18, 2)).astype(np.float32)
    visible = (rng.random((people, 18)) < 0.7).astype(np.float32)
    codec = PartAffinityField(input_size=(64, 48), heatmap_size=(8, 6))
    encoded = {name: torch.as_tensor(values) for name, values in codec.encode(keypoints, visible).items()}
    data = PoseDataSample(metainfo=meta)
    mask = torch.as_tensor(rng.random((1, 6, 8)), dtype=torch.float32)
    data.gt_fields = PixelData(heatmap_mask=mask, **encoded)
    inputs = torch.as_tensor(rng.integers(0, 256, (3, size[1], size[0])), dtype=torch.uint8)
    return dict(inputs=inputs, data_samples=data)


def test_targets_are_the_samples_own() -> None:
    samples = [sample(people, seed=people) for people in (2, 0, 3)]
    batch = target_batch_collate(samples)
    assert batch['inputs'].dtype == torch.uint8
    assert torch.equal(batch['inputs'], torch.stack([own['inputs'] for own in samples]))
    for index, own in enumerate(samples):
        for view in (batch['data_samples'][index], list(batch['data_samples'])[index]):
            for name, tensor in own['data_samples'].gt_fields.items():
                assert torch.equal(view.gt_fields.get(name), tensor)
                assert torch.equal(batch['data_samples'].get(name)[index], tensor)


@pytest.mark.parametrize(
    'codec',
    [
        MSRAHeatmap(input_size=(64, 48), heatmap_size=(16, 12), sigma=2),
        SimCCLabel(input_size=(64, 48), sigma=4.0),
        RegressionLabel(input_size=(64, 48)),
    ],
    ids=lambda codec: type(codec).__name__,
)
def test_people_encoded_together_are_those_encoded_one_by_one(codec: BaseKeypointCodec) -> None:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(-10, 80, (5, 10, 2)).astype(np.float32)
    visible = (rng.random((5, 10)) < 0.7).astype(np.float32)
    batch = encode_people(codec, keypoints, visible)
    assert len(batch) == 5
    for own, one, seen in zip(batch, keypoints, visible, strict=True):
        encoded = codec.encode(one[None], seen[None])
        for names, tensors in (
            (codec.field_mapping_table, own.get('gt_fields')),
            (codec.label_mapping_table, own.get('gt_instance_labels')),
        ):
            for name in names:
                assert torch.equal(tensors.get(name), torch.from_numpy(encoded[name]))


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('annotated', [None, np.arange(18) % 3 > 0], ids=['all', 'some'])
def test_losses_and_gradients_are_those_of_a_list_of_samples(annotated: np.ndarray | None, device: str) -> None:
    meta = {} if annotated is None else dict(annotated_keypoints=annotated)
    preprocessor = BatchDataPreprocessor(mean=[127.0] * 3, std=[128.0] * 3, bgr_to_rgb=True).to(device)
    head = OpenPoseHead(in_channels=3, num_stages=2, decoder=CODEC).to(device)
    found = {}
    for name, collate in (('list', pseudo_collate), ('batch', target_batch_collate)):
        samples = [sample(people, people, **meta) for people in (2, 0, 3)]
        data = preprocessor(collate(samples), training=True)
        features = torch.nn.functional.avg_pool2d(data['inputs'], 8)
        head.zero_grad()
        losses = head.loss((features,), data['data_samples'])
        sum(losses.values()).backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in head.parameters()])
        found[name] = torch.stack(list(losses.values())).detach(), gradients
    torch.testing.assert_close(found['batch'][0], found['list'][0], rtol=1e-5, atol=0)
    torch.testing.assert_close(found['batch'][1], found['list'][1], rtol=1e-4, atol=1e-4)


def test_a_worker_makes_the_same_batch() -> None:
    samples = [sample(people, seed=people) for people in (2, 0, 3, 1)]
    loader = torch.utils.data.DataLoader(samples, batch_size=4, num_workers=1, collate_fn=target_batch_collate)
    (batch,) = loader
    expected = target_batch_collate(samples)
    assert torch.equal(batch['inputs'], expected['inputs'])
    for name, tensor in expected['data_samples'].items():
        assert torch.equal(batch['data_samples'].get(name), tensor)


def test_a_batch_goes_to_another_device_whole() -> None:
    batch = target_batch_collate([sample(2, seed=0, annotated_keypoints=np.arange(18) > 3)])['data_samples']
    moved = batch.to('meta')
    assert isinstance(moved, TargetBatch)
    assert all(tensor.is_meta for _, tensor in moved.items())
    assert len(moved) == 1


def test_samples_of_two_sizes_are_refused() -> None:
    with pytest.raises(UserError, match=r'inputs of one batch.s samples differ in size \(3 x 48 x 64, 3 x 56 x 64\)'):
        target_batch_collate([sample(1, 0), sample(1, 1, size=(64, 56))])


@pytest.mark.parametrize('batch', [[1, 2], dict(inputs=torch.zeros(1, 3, 8, 8), boxes=[])])
def test_what_another_collate_function_made_is_refused(batch: object) -> None:
    with pytest.raises(UserError, match='not a dict with inputs and data_samples: set collate_fn'):
        BatchDataPreprocessor()(batch, training=True)


def test_the_skeletons_channels_fit() -> None:
    assert len(OPENPOSE18.limbs) * 2 == target_batch_collate([sample(1, 0)])['data_samples'].pafs.shape[1]
