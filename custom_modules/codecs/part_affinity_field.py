"""Keypoints of people <-> the heatmaps and part affinity fields that a network predicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS

from classicpose.errors import UserError
from classicpose.paf import DECODERS, DecodeSettings, affinity_fields, decode_people, gaussian_heatmaps
from classicpose.skeletons import OPENPOSE18, Skeleton, get_skeleton, lacking_limbs

from .batched import decode_batch


@KEYPOINT_CODECS.register_module()
class PartAffinityField(BaseKeypointCodec):
    """Part affinity fields and confidence maps of Cao et al., CVPR 2017.

    Note:
        - instance number: N
        - keypoint number: K (18 with the default skeleton)
        - limb number: L (19)
        - keypoint dimension: D = 2, (x, y) in input pixels, integers at pixel centres
        - image size: [w, h], heatmap size: [W, H]; stride s = w / W = h / H

    Convention: the centre of cell g lies at input pixel s * g + s / 2 - 0.5, for heatmaps and fields alike.

    Args:
        input_size: (w, h) of the network's input, in pixels.
        heatmap_size: (W, H) of its maps, in cells.
        sigma: the standard deviation of the Gaussians, in input pixels.
        limb_width: the distance from a limb's axis to the edge of its field, in input pixels.
        skeleton: the body model. The channels have its order of keypoints and limbs.
        targets: 'paper' takes the maximum of overlapping Gaussians and the mean of overlapping fields. 'released'
            repeats the authors' training code; ``classicpose.paf.targets`` describes the difference.
        decoder: 'default', 'matlab', 'python', 'openpose' or 'lightweight', or a dict of settings of
            ``DecodeSettings`` that differ from the decoder which its ``base`` names ('default' without it).

    Raises:
        ValueError: for sizes that are no multiples of one stride, or a name that does not exist.
        UserError: for a body model without limbs.
    """

    auxiliary_encode_keys = set()
    support_batch_decoding = True
    field_mapping_table = dict(heatmaps='heatmaps', pafs='pafs', heatmap_mask='heatmap_mask')

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        sigma: float = 7.0,
        limb_width: float = 8.0,
        skeleton: Skeleton | str = OPENPOSE18,
        targets: str = 'paper',
        decoder: str | dict = 'default',
    ) -> None:
        super().__init__()
        self.input_size = tuple(input_size)
        self.heatmap_size = tuple(heatmap_size)
        self.stride = self.input_size[0] / self.heatmap_size[0]
        if self.input_size[1] != self.stride * self.heatmap_size[1]:
            raise ValueError(f'input size {input_size} and heatmap size {heatmap_size} differ in stride in x and y')
        if targets not in ('paper', 'released'):
            raise ValueError(f"targets must be 'paper' or 'released', not {targets!r}")
        self.sigma = sigma
        self.limb_width = limb_width
        self.skeleton = get_skeleton(skeleton)
        if lack := lacking_limbs(self.skeleton):
            raise UserError(lack)
        self.released = targets == 'released'
        self.settings = _decode_settings(decoder)

    def encode(self, keypoints: np.ndarray, keypoints_visible: np.ndarray | None = None) -> dict:
        """Make the targets of one image.

        Args:
            keypoints: (N, K, 2) input pixels.
            keypoints_visible: (N, K), > 0 where a keypoint is labelled; all of them without it.

        Returns:
            dict: ``heatmaps`` (K + 1, H, W) float32, background last; ``pafs`` (2 L, H, W) float32, x and y of a limb
                in turn.
        """
        if keypoints_visible is None:
            keypoints_visible = np.ones(keypoints.shape[:2], dtype=np.float32)
        shared = dict(size=self.heatmap_size, stride=self.stride, released=self.released)
        return dict(
            heatmaps=gaussian_heatmaps(keypoints, keypoints_visible, sigma=self.sigma, **shared),
            pafs=affinity_fields(
                keypoints, keypoints_visible, self.skeleton.limbs, limb_width=self.limb_width, **shared
            ),
        )

    def decode(self, encoded: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the people in one image's maps, of any size at the codec's stride.

        Args:
            encoded: heatmaps (K + 1, H, W) and pafs (2 L, H, W).

        Returns:
            Keypoints (P, K, 2) in input pixels, (0, 0) where a keypoint is missing; keypoint scores (P, K), 0 where it
            is missing or guessed; instance scores (P,), best first. P may be 0.
        """
        heatmaps, pafs = encoded
        return decode_people(heatmaps, pafs, self.skeleton, self.stride, self.settings)

    def batch_decode(
        self, encoded: tuple[torch.Tensor, torch.Tensor], sizes: Sequence[tuple[int, int]] | None = None
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Find the people in several images' maps; on a GPU, if they are there, up to the assembly.

        Args:
            encoded: heatmaps (B, K + 1, H, W) and pafs (B, 2 L, H, W).
            sizes: (W, H) of each image's own part of the maps, at the top left; all of it without it.

        Returns:
            For each image what ``decode`` returns.
        """
        heatmaps, pafs = (maps.detach().float() for maps in encoded)
        if heatmaps.is_cuda and self.settings.batched:
            return decode_batch(heatmaps, pafs, self.skeleton, self.stride, self.settings, sizes)
        sizes = sizes or [heatmaps.shape[:1:-1]] * len(heatmaps)
        return [
            self.decode(tuple(maps[:, :height, :width] for maps in pair))
            for *pair, (width, height) in zip(heatmaps.cpu().numpy(), pafs.cpu().numpy(), sizes, strict=True)
        ]


def _decode_settings(decoder: str | dict) -> DecodeSettings:
    if isinstance(decoder, dict):
        fields = {name: value for name, value in decoder.items() if name != 'base'}
        return replace(_decode_settings(decoder.get('base', 'default')), **fields)
    if decoder not in DECODERS:
        raise ValueError(f'no decoder {decoder!r}: choose one of {", ".join(DECODERS)}')
    return DECODERS[decoder]
