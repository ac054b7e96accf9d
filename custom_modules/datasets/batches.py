"""Batches that the loader's processes make: one tensor of images, one of each target.

Symbols: B samples, K keypoints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from mmengine.registry import FUNCTIONS
from mmengine.structures import BaseDataElement, InstanceData, PixelData
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.structures import PoseDataSample

from classicpose.errors import UserError, first_names

ANNOTATED = 'annotated_keypoints'
_FIELDS, _LABELS = 'gt_fields', 'gt_instance_labels'


class TargetBatch(BaseDataElement):
    """The targets of a batch, each one tensor with the samples along its first axis.

    It stands where a list of :class:`~mmpose.structures.PoseDataSample` would: its items are such samples, made when
    they are asked for, whose tensors are views of the batch's. MMPose's heads take it as they take a list; heads that
    know it read the tensors. A device takes a few large tensors in a tenth of the time of many small ones.

    Attributes:
        names of ``gt_fields``: (B, C, H, W), ``heatmaps`` and ``heatmap_mask`` for instance.
        names of ``gt_instance_labels``: (B, 1, ...), ``keypoint_weights`` for instance.
        annotated_keypoints: (B, K) bool, the keypoints that the samples' datasets label; only where some do
            not label all.
    """

    @classmethod
    def of(cls, samples: Sequence[PoseDataSample] | TargetBatch) -> TargetBatch:
        """The batch of some samples' targets; a batch itself.

        Raises:
            UserError: when the samples have targets of different kinds or sizes.
        """
        if isinstance(samples, cls):
            return samples
        batch = cls(metainfo=dict(groups={}))
        for group in (_FIELDS, _LABELS):
            parts = [dict(sample.get(group, BaseDataElement()).items()) for sample in samples]
            for name in parts[0]:
                tensors = [part.get(name) for part in parts]
                if all(isinstance(tensor, torch.Tensor) for tensor in tensors):
                    setattr(batch, name, _stacked(name, tensors))
                    batch.groups[name] = group
        if all(ANNOTATED in sample for sample in samples):
            annotated = np.stack([sample.get(ANNOTATED) for sample in samples])
            if not annotated.all():
                batch.annotated_keypoints = torch.as_tensor(
                    annotated, device=batch.get(next(iter(batch.groups))).device
                )
        return batch

    def __len__(self) -> int:
        return len(self.get(next(iter(self.groups)))) if self.groups else 0

    def __getitem__(self, index: int) -> PoseDataSample:
        if not -len(self) <= index < len(self):
            raise IndexError(f'sample {index} of a batch of {len(self)}')
        sample = PoseDataSample()
        own = {name: self.get(name)[index] for name in self.groups}
        fields = {name: tensor for name, tensor in own.items() if self.groups[name] == _FIELDS}
        labels = {name: tensor for name, tensor in own.items() if self.groups[name] == _LABELS}
        if fields:
            sample.gt_fields = PixelData(**fields)
        if labels:
            sample.gt_instance_labels = InstanceData(**labels)
        if ANNOTATED in self:
            sample.set_metainfo({ANNOTATED: self.annotated_keypoints[index].cpu().numpy()})
        return sample

    def __iter__(self) -> Iterator[PoseDataSample]:
        return (self[index] for index in range(len(self)))

    def pin_memory(self) -> TargetBatch:
        """The same in page-locked memory, from which a GPU copies while the program goes on."""
        pinned = self.new()
        for name, value in self.items():
            setattr(pinned, name, value.pin_memory())
        return pinned


@FUNCTIONS.register_module()
def target_batch_collate(samples: Sequence[Mapping]) -> dict:
    """A training loader's ``collate_fn``: ``inputs`` (B, 3, H, W) as they come, ``data_samples`` a TargetBatch.

    Raises:
        UserError: when the samples' inputs or targets differ in size.
    """
    return dict(
        inputs=_stacked('inputs', [sample['inputs'] for sample in samples]),
        data_samples=TargetBatch.of([sample['data_samples'] for sample in samples]),
    )


def encode_people(codec: BaseKeypointCodec, keypoints: np.ndarray, visible: np.ndarray) -> TargetBatch:
    """The targets of samples of one person each.

    Args:
        codec: any of MMPose's for single people. One that makes maps is asked person by person, others once for all.
        keypoints: (B, K, 2) in the input's pixels.
        visible: (B, K).
    """
    groups = dict.fromkeys(codec.field_mapping_table, _FIELDS) | dict.fromkeys(codec.label_mapping_table, _LABELS)
    if codec.field_mapping_table:
        people = [codec.encode(one[None], seen[None]) for one, seen in zip(keypoints, visible, strict=True)]
        encoded = {name: np.stack([person[name] for person in people]) for name in groups}
    else:
        together = codec.encode(keypoints, visible)
        encoded = {name: together[name][:, None] for name in groups}
    return TargetBatch(
        metainfo=dict(groups=groups), **{name: torch.from_numpy(values) for name, values in encoded.items()}
    )


def _stacked(name: str, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """One tensor of all."""
    first = tensors[0]
    if any(tensor.shape != first.shape for tensor in tensors):
        sizes = first_names(sorted({' x '.join(map(str, tensor.shape)) for tensor in tensors}))
        raise UserError(f"{name} of one batch's samples differ in size ({sizes}): let the pipeline make them equal")
    size = (len(tensors), *first.shape)
    if torch.utils.data.get_worker_info() is None:
        batch = first.new_empty(size)
    else:
        # In shared memory from the start, or it would be copied there.
        storage = first.untyped_storage()._new_shared(int(np.prod(size)) * first.element_size(), device='cpu')
        batch = torch.empty(0, dtype=first.dtype).set_(storage, 0, size)
    for place, tensor in zip(batch, tensors, strict=True):
        place[:] = tensor
    return batch
