from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModule
from mmpose.registry import MODELS
from torch import nn

from ...datasets.batches import encode_people


@MODELS.register_module()
class CascadeStage(BaseModule):
    """A network that locates the joints of a skeleton in a square crop: any backbone, neck and head of MMPose.

    Args:
        input_size: the side of a crop, in pixels of the network's input.
        backbone: its config.
        head: its config. Its ``decoder`` is a codec for crops of ``input_size``.
        neck: its config.
        side: the side of a crop, in torso diameters. None takes the person's box, for the first stage.
        copies: the number of augmented crops of each person, in later stages of each joint, in a training batch.
        shift: training crops are moved along x and y by at most this share of their side.
        scale: the range of the factor by which the side of training crops is multiplied.
        rotation: training crops are rotated by at most this angle, in degrees.
        mirror_prob: the probability that a training crop is mirrored.
        auxiliary_head: the config of a head on the features before the last. Its losses in training teach the backbone
            where joints are; prediction does not use it.
    """

    def __init__(
        self,
        input_size: int,
        backbone: dict,
        head: dict,
        neck: dict | None = None,
        side: float | None = None,
        copies: int = 1,
        shift: float = 0.0,
        scale: tuple[float, float] = (1.0, 1.0),
        rotation: float = 0.0,
        mirror_prob: float = 0.5,
        auxiliary_head: dict | None = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else nn.Identity()
        self.head = MODELS.build(head)
        self.auxiliary_head = MODELS.build(auxiliary_head) if auxiliary_head else None
        self.side = side
        self.copies = copies
        self.shift = shift
        self.scale = scale
        self.rotation = np.deg2rad(rotation)
        self.mirror_prob = mirror_prob

    def features(self, crops: torch.Tensor) -> Sequence[torch.Tensor]:
        """What the head sees: in full precision, MMPose's heads know no bfloat16."""
        features = self.neck(self.backbone(crops.contiguous(memory_format=torch.channels_last)))
        return tuple(values.float() for values in features)

    def loss(self, crops: torch.Tensor, keypoints: torch.Tensor, visible: torch.Tensor) -> dict:
        """The heads' losses.

        Args:
            crops: (N, C, n, n).
            keypoints: (N, K, 2) in the crops' pixels.
            visible: (N, K), > 0 for those that count.
        """
        features = self.features(crops)
        losses = _head_losses(self.head, features, keypoints, visible)
        if self.auxiliary_head:
            auxiliary = _head_losses(self.auxiliary_head, features[:-1], keypoints, visible)
            losses.update({f'auxiliary_{name}': value for name, value in auxiliary.items()})
        return losses

    def locate(self, crops: torch.Tensor) -> torch.Tensor:
        """(N, K, 2) in the crops' pixels."""
        features = self.features(crops)
        with torch.autocast(crops.device.type, enabled=False):
            people = self.head.predict(features, [])
        found = np.concatenate([person.keypoints for person in people])
        return torch.as_tensor(found, dtype=torch.float32, device=crops.device)


def _head_losses(
    head: BaseModule, features: Sequence[torch.Tensor], keypoints: torch.Tensor, visible: torch.Tensor
) -> dict:
    """Of any head of MMPose, for ``keypoints`` (N, K, 2) in its decoder's pixels, ``visible`` (N, K)."""
    targets = encode_people(head.decoder, keypoints.cpu().numpy(), visible.cpu().numpy())
    with torch.autocast(keypoints.device.type, enabled=False):
        losses = head.loss(features, targets.to(keypoints.device))
    return {name: value for name, value in losses.items() if 'loss' in name}
