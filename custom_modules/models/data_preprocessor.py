from __future__ import annotations

from mmengine.model import ImgDataPreprocessor
from mmpose.models import PoseDataPreprocessor
from mmpose.registry import MODELS

from ..datasets.batches import TargetBatch
from ..errors import UserError


@MODELS.register_module()
class BatchDataPreprocessor(PoseDataPreprocessor):
    """MMPose's preprocessor for both kinds of batches: lists of samples, and those of ``target_batch_collate``.

    MMPose's writes the padded size into every sample. A training does not read it, and for a
    :class:`~custom_modules.datasets.batches.TargetBatch` that would make all samples once.
    """

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
        if isinstance(data['data_samples'], TargetBatch) and self.batch_augments is None:
            return ImgDataPreprocessor.forward(self, data, training)
        return super().forward(data, training)
