"""The geometry of OpenPose's training and testing: one warp for the image, its keypoints and its mask."""

from __future__ import annotations

import math

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmpose.registry import TRANSFORMS
from pycocotools import mask as run_lengths

from classicpose.networks.windows import resized

# Outside the image the original network sees mid-grey.
_BORDER = (128, 128, 128)


@TRANSFORMS.register_module()
class CropAroundPerson(BaseTransform):
    """OpenPose's augmentation: scale, rotate, crop around the main person, flip, in this order, as one affine warp.

    Cao et al.'s released training code (transform_param of pose_train_test.prototxt). Needs ``img``, ``keypoints`` (N,
    K, 2), ``keypoints_visible`` (N, K), ``main_center``, ``main_height``, ``ignore`` and ``flip_indices``. Moves all of
    them together and drops keypoints that leave the crop. Adds ``heatmap_mask`` (1, H, W) float32, the share of each
    cell that is not ignored; outside the image nothing is ignored: there is nobody.

    Args:
        input_size: (w, h) of the crop, in pixels.
        heatmap_size: (W, H) of the network's maps, in cells.
        person_height: the height of the main person at scale 1, as a share of the crop's height.
        scale: the range of the scale.
        short_side: the range of the shorter side of the scaled image, as a share of the crop's. The lower limit keeps
            crops around large people from being mostly border, the upper limit those around small people from being
            mostly blur.
        rotation: the largest angle, in degrees.
        shift: the largest distance of the main person from the crop's centre along x and y, in pixels of the crop.
        flip_prob: the probability of mirroring.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        heatmap_size: tuple[int, int],
        person_height: float = 0.6,
        scale: tuple[float, float] = (0.5, 1.1),
        short_side: tuple[float, float] = (0.0, math.inf),
        rotation: float = 40.0,
        shift: float = 40.0,
        flip_prob: float = 0.5,
    ) -> None:
        self.input_size = tuple(input_size)
        self.heatmap_size = tuple(heatmap_size)
        self.person_height = person_height
        self.scale = scale
        self.short_side = short_side
        self.rotation = rotation
        self.shift = shift
        self.flip_prob = flip_prob

    def transform(self, results: dict) -> dict:
        """Warp the image, its keypoints and its ignored region."""
        width, height = self.input_size
        flip = np.random.rand() < self.flip_prob
        factor = self.person_height * height / max(results['main_height'], 1) * np.random.uniform(*self.scale)
        unit = min(self.input_size) / min(results['img'].shape[:2])
        factor = min(max(factor, unit * self.short_side[0]), unit * self.short_side[1])
        angle = np.random.uniform(-self.rotation, self.rotation)
        shift = np.random.uniform(-self.shift, self.shift, size=2)
        warp = crop_matrix(results['main_center'], factor, angle, shift, flip, self.input_size)

        results['heatmap_mask'] = self._mask(results['ignore'], warp)[None]
        results['img'] = cv2.warpAffine(
            results['img'], warp, self.input_size, flags=cv2.INTER_LINEAR, borderValue=_BORDER
        )
        keypoints = results['keypoints'] @ warp[:, :2].T + warp[:, 2]
        visible = results['keypoints_visible']
        if flip:
            keypoints = keypoints[:, results['flip_indices']]
            visible = visible[:, results['flip_indices']]
            if 'annotated_keypoints' in results:
                results['annotated_keypoints'] = results['annotated_keypoints'][results['flip_indices']]
        inside = ((keypoints >= -0.5) & (keypoints < np.array([width, height]) - 0.5)).all(axis=-1)
        results.pop('bbox', None)  # nothing reads it behind the crop, and it is not moved
        results['keypoints'] = keypoints.astype(np.float32)
        results['keypoints_visible'] = visible * inside
        results['img_shape'] = (height, width)
        results['input_size'] = self.input_size
        results['flip'] = flip
        return results

    def _mask(self, ignore: dict | None, warp: np.ndarray) -> np.ndarray:
        if ignore is None:
            return np.ones(self.heatmap_size[::-1], dtype=np.float32)
        ignored = cv2.warpAffine(run_lengths.decode(ignore), warp, self.input_size, flags=cv2.INTER_NEAREST)
        return 1 - cv2.resize(ignored.astype(np.float32), self.heatmap_size, interpolation=cv2.INTER_AREA)


@TRANSFORMS.register_module()
class IgnoreOutsidePeople(BaseTransform):
    """Ignore everything but the surroundings of the annotated people, for images in which not everybody is annotated.

    Needs ``img``, ``keypoints`` (N, K, 2) and ``keypoints_visible`` (N, K). Sets ``ignore`` to the run lengths of all
    pixels outside the boxes around each person's labelled keypoints.

    Args:
        margin: the margin between the keypoints and the box's edge, as a share of the longer side of the keypoints' own
            box. Hair, hands and feet reach beyond the keypoints.
    """

    def __init__(self, margin: float = 0.2) -> None:
        self.margin = margin

    def transform(self, results: dict) -> dict:
        """See the class."""
        ignored = np.ones(results['img'].shape[:2], dtype=np.uint8, order='F')
        for points, visible in zip(results['keypoints'], results['keypoints_visible'], strict=True):
            points = points[visible > 0]
            if not len(points):
                continue
            low, high = points.min(axis=0), points.max(axis=0)
            reach = self.margin * (high - low).max()
            left, top = np.maximum(np.round(low - reach), 0).astype(int)
            right, bottom = np.maximum(np.round(high + reach) + 1, 0).astype(int)
            ignored[top:bottom, left:right] = 0
        results['ignore'] = run_lengths.encode(ignored)
        return results


def crop_matrix(
    center: np.ndarray,
    factor: float,
    angle: float,
    shift: np.ndarray,
    flip: bool,
    size: tuple[int, int],
) -> np.ndarray:
    """The (2, 3) matrix from the image's pixels to the crop's, integers at pixel centres.

    Args:
        center: (x, y) in the image, which comes to lie at the crop's middle, moved by ``shift``.
        factor: of the size.
        angle: degrees, clockwise as seen.
        shift: (x, y) in the crop's pixels, before mirroring.
        flip: mirror left to right.
        size: (w, h) of the crop.
    """
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    linear = factor * np.array([[cosine, -sine], [sine, cosine]])
    middle = (np.array(size) - 1) / 2
    matrix = np.column_stack([linear, middle + shift - linear @ center])
    if flip:
        matrix[0] *= -1
        matrix[0, 2] += size[0] - 1
    return matrix


@TRANSFORMS.register_module()
class ResizeToHeight(BaseTransform):
    """Resize a full image to the network's height, and pad it to multiples of the stride.

    The aspect ratio is kept; the padding is at the right and below.

    OpenPose's test resolution is a height, 368. Sets ``input_size``, ``input_scale`` and ``input_center``
    such that MMPose's ``x / input_size * input_scale + input_center - input_scale / 2`` leads back to the
    image's pixels, exactly.

    Args:
        height: the height of the resized image; None for any.
        stride: the padded height and width are multiples of this.
        width: the width of the resized image; None for any. If height and width are given, the image fits into both.
    """

    def __init__(self, height: int | None = 368, stride: int = 8, width: int | None = None) -> None:
        self.height = height
        self.stride = stride
        self.width = width

    def transform(self, results: dict) -> dict:
        """Resize and pad the image, and note the way back."""
        results['img'], window = resized(results['img'], self.height, self.width, self.stride)
        results['img_shape'] = window.size[::-1]
        results['input_size'] = window.size
        results['input_scale'] = window.scale
        results['input_center'] = window.center
        if 'keypoints' in results:  # for who draws the input
            corner = window.center - window.scale / 2
            moved = (results['keypoints'] - corner) * (np.array(window.size) / window.scale)
            results['transformed_keypoints'] = moved.astype(np.float32)
        return results
