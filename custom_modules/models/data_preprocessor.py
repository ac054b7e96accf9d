from __future__ import annotations

import torch.nn.functional as F
from mmpose.models import PoseDataPreprocessor
from mmpose.registry import MODELS

from classicpose.errors import UserError

from ..datasets.batches import TargetBatch


@MODELS.register_module()
class BatchDataPreprocessor(PoseDataPreprocessor):
    """MMPose's preprocessor for both kinds of batches: lists of samples, and those of ``target_batch_collate``.

    MMPose's writes the padded size into every sample. A training does not read it, and for a
    :class:`~custom_modules.datasets.batches.TargetBatch` that would make all samples once; nor does such a batch wait
    for a GPU here.

    Args:
        non_blocking: the program continues while a batch is copied from page-locked memory to a GPU.
        kwargs: of MMPose's PoseDataPreprocessor: ``mean``, ``std``, ``bgr_to_rgb``, ``pad_size_divisor``, ...
    """

    def __init__(self, *, non_blocking: bool = True, **kwargs: object) -> None:
        super().__init__(non_blocking=non_blocking, **kwargs)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Move a batch to the device, normalise and pad its images.

        Raises:
            UserError: when a ``collate_fn`` made something else than ``inputs`` and ``data_samples``.
        """
        if not isinstance(data, dict) or not {'inputs', 'data_samples'} <= set(data):
            found = f'a dict with {", ".join(map(str, data))}' if isinstance(data, dict) else f'a {type(data).__name__}'
            raise UserError(
                f'the loader gives {found}, not a dict with inputs and data_samples: set collate_fn to '
                'pseudo_collate or target_batch_collate'
            )
        if not isinstance(data['data_samples'], TargetBatch) or self.batch_augments is not None:
            return super().forward(data, training)
        data = self.cast_data(data)
        images = data['inputs']
        if self._channel_conversion:
            images = images.flip(1)  # MMEngine's list of indices would be copied to the GPU, which waits
        images = images.float()
        if self._enable_normalize:
            images = (images - self.mean) / self.std
        below, right = (-size % self.pad_size_divisor for size in images.shape[-2:])
        return dict(data, inputs=F.pad(images, (0, right, 0, below), value=self.pad_value))
