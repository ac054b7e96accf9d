"""What a network is fed, as images: samples as they leave their pipeline, with the targets they carry.

Images are (H, W, 3) BGR uint8. Points are (x, y) in pixels, integers at pixel centres.

Symbols: N people, K keypoints, S stages of a cascade, (n, n) the size of its crops.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
from mmengine.dataset import pseudo_collate
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.structures import PoseDataSample
from torch import nn

from classicpose.paf import image_to_map_matrix
from classicpose.skeletons import Skeleton
from classicpose.visualization.people_and_maps import draw_heatmaps, draw_pafs, draw_people, side_by_side

# In pixels.
_PANEL_HEIGHT = 320
_CROP_HEIGHT = 160
_WIDEST_SHEET = 4000

_IGNORED = (60, 60, 255)  # BGR


def draw_sample(sample: Mapping, skeleton: Skeleton, codec: BaseKeypointCodec | None, caption: str) -> np.ndarray:
    """One packed sample: its input with keypoints, and its targets.

    Args:
        sample: ``inputs`` (3, H, W) BGR and ``data_samples``, as PackPoseInputs makes them.
        codec: what made the targets; None where there are none.
        caption: of the first panel.
    """
    targets = sample['data_samples']
    image, matrix = _enlarged(_image(sample['inputs']), _PANEL_HEIGHT)
    panels = {caption: _draw_keypoints(image, matrix, *_keypoints(targets), skeleton)}
    fields = _arrays(targets, 'gt_fields')
    if 'heatmap_mask' in fields:
        mask = fields['heatmap_mask'][0]
        panels[f'ignored: {1 - mask.mean():.0%}'] = _draw_ignored(image, mask, _to_map(sample, codec, mask, matrix))
    if 'heatmaps' in fields:
        # A background map may follow the keypoints'.
        heatmaps = fields['heatmaps'][: len(skeleton.keypoints)]
        panels['heatmaps'] = draw_heatmaps(image, heatmaps, _to_map(sample, codec, heatmaps[0], matrix))
    if 'pafs' in fields:
        pafs = fields['pafs']
        panels['affinity fields'] = draw_pafs(image, pafs, _to_map(sample, codec, pafs[0], matrix))
    decoded = decode_targets(codec, targets) if codec else None
    if decoded is not None:
        panels['targets, decoded'] = _draw_keypoints(image, matrix, *decoded, skeleton)
    return side_by_side(panels, _PANEL_HEIGHT)


def decode_targets(codec: BaseKeypointCodec, targets: PoseDataSample) -> tuple[np.ndarray, np.ndarray] | None:
    """Keypoints (N, K, 2) in the input's pixels and scores or weights (N, K) that are in a sample's targets.

    None for codecs whose targets are neither coordinates, nor SimCC's, nor one person's heatmaps, nor affinity fields.
    """
    labels, fields = _arrays(targets, 'gt_instance_labels'), _arrays(targets, 'gt_fields')
    if 'keypoint_x_labels' in labels:
        keypoints, _ = codec.decode(labels['keypoint_x_labels'], labels['keypoint_y_labels'])
        return keypoints, labels['keypoint_weights']
    if 'keypoint_labels' in labels:
        keypoints, _ = codec.decode(labels['keypoint_labels'])
        return keypoints, labels['keypoint_weights']
    if 'pafs' in fields:
        keypoints, scores, _ = codec.decode((fields['heatmaps'], fields['pafs']))
        return keypoints, scores
    if 'heatmaps' in fields and 'keypoint_weights' in labels:
        return codec.decode(fields['heatmaps'])
    return None


def draw_cascade_sample(sample: Mapping, stages: Sequence[nn.Module], skeleton: Skeleton, caption: str) -> np.ndarray:
    """One packed sample of a cascade: the person in the full image, and below each other the stages' crops.

    Args:
        sample: as for :func:`draw_sample`, with ``bboxes`` in its ``gt_instances``.
        stages: cascades whose last stage records its crops, of :func:`custom_modules.engine.browser.cascade_stages`;
            of those after the first one crop a joint is shown.
        caption: of the first panel.
    """
    image, matrix = _enlarged(_image(sample['inputs']), _PANEL_HEIGHT)
    targets = sample['data_samples']
    image = _draw_keypoints(image, matrix, *_keypoints(targets), skeleton)
    corners = cv2.transform(targets.gt_instances.bboxes.reshape(1, 2, 2), matrix)[0].round().astype(int).tolist()
    cv2.rectangle(image, *corners, (255, 255, 255), 1, cv2.LINE_AA)
    panels, rows = [side_by_side({caption: image}, _PANEL_HEIGHT)], []
    for number, model in enumerate(stages, start=1):
        model.loss(**model.data_preprocessor(pseudo_collate([sample])))
        stage = model.stages[-1]
        crops = (stage.head.crops * model.std + model.mean).flip(1).round().clamp(0, 255).byte()
        crops = list(zip(crops, stage.head.targets, strict=True))
        if stage.side is None:
            panels += [_draw_crop(*crop, stage.head.decoder, skeleton, number, _PANEL_HEIGHT) for crop in crops]
        else:
            # Crops come joint by joint, and then again for the next copies.
            shown = crops[: len(skeleton.keypoints)]
            drawn = [_draw_crop(*crop, stage.head.decoder, skeleton, number, _CROP_HEIGHT) for crop in shown]
            rows.append(np.hstack(drawn))
    return _grid([np.hstack(panels), *rows], columns=1)


def _draw_crop(
    crop: torch.Tensor,
    targets: PoseDataSample,
    codec: BaseKeypointCodec,
    skeleton: Skeleton,
    stage: int,
    height: int,
) -> np.ndarray:
    """A crop with the joints that count in it; where it is one, ringed and named, in a mirrored crop by its twin."""
    image, matrix = _enlarged(_image(crop), height)
    keypoints, weights = decode_targets(codec, targets)
    image = _draw_keypoints(image, matrix, keypoints, weights, skeleton)
    counted = np.flatnonzero(weights[0] > 0)
    caption = f'stage {stage}'
    if len(counted) == 1:
        caption = f'{stage}: {skeleton.keypoints[counted[0]]}'
        (x, y), radius = matrix @ (*keypoints[0, counted[0]], 1), height // 20
        cv2.circle(image, (round(x), round(y)), radius, (255, 255, 255), 1, cv2.LINE_AA)
    return side_by_side({caption: image}, height)


def contact_sheet(images: Sequence[np.ndarray]) -> np.ndarray:
    """All images on one that is about as wide as high, scaled down where it would be too large."""
    height, width = np.max([image.shape[:2] for image in images], axis=0)
    columns = min(len(images), max(1, round(math.sqrt(len(images) * height / width))))
    scale = min(1.0, _WIDEST_SHEET / (columns * width))
    return _grid(
        [cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for image in images], columns
    )


def _grid(images: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Images in rows, each row as high as its highest image, columns as wide as the widest image."""
    width = max(image.shape[1] for image in images)
    rows = []
    for start in range(0, len(images), columns):
        row = images[start : start + columns]
        height = max(image.shape[0] for image in row)
        cells = np.zeros((columns, height, width, 3), np.uint8)
        for cell, image in zip(cells, row, strict=False):
            cell[: image.shape[0], : image.shape[1]] = image
        rows.append(np.hstack(cells))
    return np.vstack(rows)


def _image(inputs: torch.Tensor) -> np.ndarray:
    return np.ascontiguousarray(inputs.numpy().transpose(1, 2, 0))


def _enlarged(image: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """An image scaled to a height, and the (2, 3) matrix from its old to its new pixels."""
    old = np.array(image.shape[1::-1])
    new = np.maximum(np.round(old * (height / old[1])), 1).astype(int)
    interpolation = cv2.INTER_AREA if height < old[1] else cv2.INTER_CUBIC
    # cv2.resize matches the areas of pixels: x_new + 0.5 = (x_old + 0.5) * factor.
    factor = new / old
    return (
        cv2.resize(image, tuple(new.tolist()), interpolation=interpolation),
        np.column_stack([np.diag(factor), (factor - 1) / 2]),
    )


def _to_map(sample: Mapping, codec: BaseKeypointCodec | None, cells: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The (2, 3) matrix from an enlarged input's pixels to the cells of one of its maps (h, w).

    Args:
        matrix: from the input's pixels to the enlarged one's.
    """
    factor = getattr(codec, 'scale_factor', None)
    if factor is None:
        size = np.array(sample['inputs'].shape[:0:-1])
        to_cells = image_to_map_matrix(size, size, size / 2, cells.shape[::-1])
    else:  # MMPose's codecs have the centre of cell g at input pixel scale_factor * g
        to_cells = np.column_stack([np.diag(1 / np.asarray(factor)), (0, 0)])
    back = cv2.invertAffineTransform(matrix)
    return to_cells[:, :2] @ back + [[0, 0, offset] for offset in to_cells[:, 2]]


def _keypoints(targets: PoseDataSample) -> tuple[np.ndarray, np.ndarray]:
    """Where keypoints lie in the input, (N, K, 2), and where they are labelled, (N, K); nobody in untold test data."""
    people = targets.gt_instances
    if 'keypoints' not in people:
        return np.zeros((0, 0, 2)), np.zeros((0, 0))
    return people.get('transformed_keypoints', people.keypoints), people.keypoints_visible


def _arrays(targets: PoseDataSample, group: str) -> dict[str, np.ndarray]:
    values = targets.get(group, {})
    return {name: value.numpy() for name, value in values.items() if isinstance(value, torch.Tensor)}


def _draw_keypoints(
    image: np.ndarray, matrix: np.ndarray, keypoints: np.ndarray, weights: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    placed = keypoints @ matrix[:, :2].T + matrix[:, 2]
    return draw_people(image, placed, (weights > 0).astype(float), skeleton)


def _draw_ignored(image: np.ndarray, mask: np.ndarray, image_to_map: np.ndarray) -> np.ndarray:
    """The cells (h, w) that count less than 1 tinted."""
    # Nearest: the loss knows cells, not pixels.
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    kept = cv2.warpAffine(mask, image_to_map, image.shape[1::-1], flags=flags, borderValue=1)
    weight = 0.6 * (1 - kept[..., None])
    return np.round(image * (1 - weight) + np.array(_IGNORED) * weight).astype(np.uint8)
