"""Body models, and the conversion from one to another.

Symbols: K keypoints, L limbs, N people.
"""

from __future__ import annotations

import colorsys
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Skeleton:
    """A body model.

    Args:
        name: ``dataset_name`` in MMPose's metainfo.
        keypoints: the K keypoint names in channel order. A mirror pair is named ``left_*`` and ``right_*``.
        limbs: L pairs of keypoint indices, from the keypoint nearer to the trunk to the farther one.
        sigmas: the K standard deviations of COCO's object keypoint similarity.
        midpoints: keypoints that nobody annotates: name -> the two keypoints whose middle it is. A midpoint is labelled
            only if both of them are.
        extending_limbs: indices of limbs that may join a keypoint to a person but never start one (ear to
            shoulder in OpenPose).

    Raises:
        ValueError: when the lengths disagree, a limb names a keypoint that is not there, or a ``left_`` keypoint
            has no ``right_`` twin.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    midpoints: dict[str, tuple[str, str]] = field(default_factory=dict)
    extending_limbs: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.keypoints)
        if len(set(self.keypoints)) != count:
            raise ValueError(f'{self.name}: a keypoint name stands twice in {self.keypoints}')
        if len(self.sigmas) != count:
            raise ValueError(f'{self.name}: {count} keypoints but {len(self.sigmas)} sigmas')
        if any(not 0 <= keypoint < count for limb in self.limbs for keypoint in limb):
            raise ValueError(f'{self.name}: limbs must join keypoints 0 to {count - 1}')
        unpaired = [name for name in self.keypoints if _mirrored_name(name) not in self.keypoints]
        if unpaired:
            raise ValueError(f'{self.name}: no mirrored keypoint for {", ".join(unpaired)}')

    @cached_property
    def flip_indices(self) -> list[int]:
        """For each keypoint, the index of its mirror image (itself when it lies on the body's axis)."""
        return [self.keypoints.index(_mirrored_name(name)) for name in self.keypoints]

    @cached_property
    def limb_flip_indices(self) -> list[int]:
        """For each limb, the index of its mirror image. ValueError when a limb has none in this model."""
        return [self._mirror_of_limb(limb)[0] for limb in self.limbs]

    @cached_property
    def limb_flip_signs(self) -> list[int]:
        """-1 for limbs whose mirror image runs the other way (left hip to right hip), else 1."""
        return [self._mirror_of_limb(limb)[1] for limb in self.limbs]

    def _mirror_of_limb(self, limb: tuple[int, int]) -> tuple[int, int]:
        start, end = (self.flip_indices[keypoint] for keypoint in limb)
        if (start, end) in self.limbs:
            return self.limbs.index((start, end)), 1
        if (end, start) in self.limbs:
            return self.limbs.index((end, start)), -1
        raise ValueError(f'{self.name}: limb {limb} has no mirror image among the limbs')

    @cached_property
    def colors(self) -> list[tuple[int, int, int]]:
        """One RGB colour a keypoint, evenly around the colour circle."""
        return color_circle(len(self.keypoints))

    @cached_property
    def limb_colors(self) -> list[tuple[int, int, int]]:
        """One RGB colour a limb: that of the keypoint it ends in."""
        return [self.colors[end] for _, end in self.limbs]

    def metainfo(self) -> dict:
        """This model in MMPose's dataset metainfo format, as ``parse_pose_metainfo`` takes it."""
        return dict(
            dataset_name=self.name,
            keypoint_info={
                index: dict(
                    name=name,
                    id=index,
                    color=list(self.colors[index]),
                    type='',
                    swap='' if _mirrored_name(name) == name else _mirrored_name(name),
                )
                for index, name in enumerate(self.keypoints)
            },
            skeleton_info={
                index: dict(
                    link=(self.keypoints[start], self.keypoints[end]),
                    id=index,
                    color=list(self.limb_colors[index]),
                )
                for index, (start, end) in enumerate(self.limbs)
            },
            joint_weights=[1.0] * len(self.keypoints),
            sigmas=list(self.sigmas),
        )


def get_skeleton(skeleton: Skeleton | str) -> Skeleton:
    """The skeleton itself, or the one a dotted name stands for, as configs write it once they are dumped to a file.

    Raises:
        ValueError: when the name leads to no skeleton.
    """
    if isinstance(skeleton, Skeleton):
        return skeleton
    module, _, name = str(skeleton).rpartition('.')
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f'no skeleton {skeleton!r}: give a Skeleton or its dotted name ({error})') from error
    if not isinstance(found, Skeleton):
        raise ValueError(f'{skeleton!r} is a {type(found).__name__}, not a Skeleton')
    return found


def skeleton_of(metainfo: Mapping) -> Skeleton:
    """The body model of a dataset of MMPose's, from its parsed ``metainfo``; sigmas of 1 where it has none."""
    names = tuple(metainfo['keypoint_id2name'][index] for index in range(metainfo['num_keypoints']))
    return Skeleton(
        name=metainfo['dataset_name'],
        keypoints=names,
        limbs=tuple((start, end) for start, end in metainfo['skeleton_links']),
        sigmas=tuple(metainfo['sigmas']) or (1.0,) * len(names),
    )


def lacking_limbs(skeleton: Skeleton) -> str:
    """Why a body model cannot have affinity fields, else an empty string."""
    if skeleton.limbs:
        return ''
    return (
        f'{skeleton.name} has no limb: affinity fields need two keypoints and a limb between them, heatmaps do not: '
        'train a single-person network, or add a keypoint'
    )


def doubtful_sigmas(skeleton: Skeleton) -> str:
    """Why its sigmas cannot be object keypoint similarity's, else an empty string.

    Without sigmas ``skeleton_of`` sets 1, of which nothing is claimed.
    """
    median = float(np.median(skeleton.sigmas))
    if set(skeleton.sigmas) == {1.0} or _USUAL_SIGMAS[0] <= median <= _USUAL_SIGMAS[1]:
        return ''
    return (
        f"the sigmas of {skeleton.name} have a median of {median:.3g}, COCO's of 0.072: AP means little with sigmas "
        'ten times off'
    )


def convert_keypoints(
    keypoints: np.ndarray, visible: np.ndarray, source: Skeleton, target: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """Re-order keypoints from one body model to another, by keypoint name.

    A keypoint that ``target`` declares as a midpoint and ``source`` lacks becomes the mean of its two keypoints, with
    the smaller of their visibilities. A keypoint that ``source`` cannot give is (0, 0) with visibility 0.

    Args:
        keypoints: (N, K, 2) in ``source`` order, any coordinates.
        visible: (N, K) visibilities or scores, 0 where a keypoint is missing.

    Returns:
        The same in ``target`` order: (N, K', 2) and (N, K').
    """
    count = len(target.keypoints)
    new_keypoints = np.zeros((len(keypoints), count, 2), dtype=keypoints.dtype)
    new_visible = np.zeros((len(keypoints), count), dtype=visible.dtype)
    for index, name in enumerate(target.keypoints):
        names = (name,) if name in source.keypoints else target.midpoints.get(name, ())
        if not names or any(keypoint not in source.keypoints for keypoint in names):
            continue
        sources = [source.keypoints.index(name) for name in names]
        new_visible[:, index] = visible[:, sources].min(axis=1)
        known = new_visible[:, index] > 0
        new_keypoints[known, index] = keypoints[known][:, sources].mean(axis=1)
    return new_keypoints, new_visible


def known_keypoints(source: Skeleton, target: Skeleton) -> np.ndarray:
    """(K,) bool: the keypoints of ``target`` that ``convert_keypoints`` can make of those of ``source``."""
    count = len(source.keypoints)
    return convert_keypoints(np.zeros((1, count, 2)), np.ones((1, count)), source, target)[1][0] > 0


# Medians of body models from faces and hands to large animals lie between.
_USUAL_SIGMAS = 0.008, 0.25


def _mirrored_name(name: str) -> str:
    if name.startswith('left_'):
        return 'right_' + name.removeprefix('left_')
    if name.startswith('right_'):
        return 'left_' + name.removeprefix('right_')
    return name


def color_circle(count: int) -> list[tuple[int, int, int]]:
    """RGB colours of full strength, evenly around the colour circle from red."""
    hues = (colorsys.hsv_to_rgb(index / count, 1.0, 1.0) for index in range(count))
    return [tuple(round(255 * channel) for channel in rgb) for rgb in hues]


def seen_from_behind(keypoints: np.ndarray, skeleton: Skeleton | str) -> np.ndarray:
    """Whether a person's left shoulder is to the left of the right one in the image: (N, K, 2) -> (N,) bool.

    False where a shoulder is NaN.
    """
    names = get_skeleton(skeleton).keypoints
    left, right = names.index('left_shoulder'), names.index('right_shoulder')
    keypoints = np.asarray(keypoints)
    return keypoints[:, left, 0] < keypoints[:, right, 0]


def observer_centric(keypoints: np.ndarray, skeleton: Skeleton | str) -> np.ndarray:
    """Name left and right as if everybody faced the camera.

    FLIC's annotations are person-centric: a left arm is the person's own. Published results on FLIC are
    observer-centric (Sapp & Taskar's code turns the annotations round): in people seen from behind left and right
    change places, except in the face. Afterwards every left shoulder is to the right of the right one in the image.

    Args:
        keypoints: (N, K, 2 or more): x, y and whatever else belongs to the joint, its visibility for instance.
        skeleton: the body model, whose names tell what changes places: every pair but the eyes and ears.

    Returns:
        A new array of the same shape and type.
    """
    skeleton = get_skeleton(skeleton)
    swapped = [
        index if name.endswith(('_eye', '_ear')) else mirrored
        for index, (name, mirrored) in enumerate(zip(skeleton.keypoints, skeleton.flip_indices, strict=True))
    ]
    turned = np.array(keypoints)
    behind = seen_from_behind(turned, skeleton)
    turned[behind] = turned[behind][:, swapped]
    return turned
