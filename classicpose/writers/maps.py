"""A network's heatmaps and part affinity fields as files: images to look at, arrays to compute with."""

from __future__ import annotations

import io

import cv2
import numpy as np

from ..errors import UserError
from ..people import People
from ..visualization.people_and_maps import draw_heatmaps, draw_pafs
from .base import ImageFiles


class MapImages(ImageFiles):
    """Writes ``<name>_heatmaps.jpg`` and ``<name>_pafs.jpg``, the maps laid over the image.

    Raises:
        UserError: when the folder or a file cannot be written, or the people come without maps.
    """

    endings = ('_heatmaps.jpg', '_pafs.jpg')

    def files(self, people: People, image: np.ndarray) -> dict[str, bytes]:
        """The images of the maps that ``people`` comes with."""
        _check_maps(people)
        drawings = {}
        if people.heatmaps is not None:
            # The background's map comes last.
            heatmaps = people.heatmaps[: len(people.skeleton.keypoints)]
            drawings[self.endings[0]] = draw_heatmaps(image, heatmaps, people.image_to_map)
        if people.pafs is not None:
            drawings[self.endings[1]] = draw_pafs(image, people.pafs, people.image_to_map)
        # Not cv2.imwrite, which takes the format from the file's name and says nothing when the disk is full.
        return {ending: cv2.imencode('.jpg', drawing)[1].tobytes() for ending, drawing in drawings.items()}


class MapArrays(ImageFiles):
    """Writes ``<name>_maps.npz``, for ``numpy.load``.

    The arrays in it are, where the network gives them,

    - ``heatmaps`` (K, h, w) float32, or (K + 1, h, w) with the background last,
    - ``pafs`` (2 L, h, w) float32, x and y of a limb in turn, and always
    - ``keypoints`` (K,) and ``limbs`` (L, 2): the names of the keypoints, and of each limb's two keypoints,
    - ``image_size`` (w, h) in pixels,
    - ``image_to_map`` (2, 3) float64: a pixel (x, y) of the image, integers at pixel centres, lies at the cell
      ``image_to_map @ (x, y, 1)``.

    Raises:
        UserError: when the folder or a file cannot be written, or the people come without maps.
    """

    endings = ('_maps.npz',)

    def files(self, people: People, image: np.ndarray | None = None) -> dict[str, bytes]:
        """The file of an image."""
        _check_maps(people)
        skeleton = people.skeleton
        arrays = dict(
            keypoints=np.array(skeleton.keypoints),
            limbs=np.array([[skeleton.keypoints[keypoint] for keypoint in limb] for limb in skeleton.limbs]),
            image_size=np.array(people.image_size),
            image_to_map=np.asarray(people.image_to_map, np.float64),
        )
        maps = dict(heatmaps=people.heatmaps, pafs=people.pafs)
        arrays |= {name: np.asarray(values, np.float32) for name, values in maps.items() if values is not None}
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return {self.endings[0]: file.getvalue()}


def _check_maps(people: People) -> None:
    if people.heatmaps is None and people.pafs is None:
        raise UserError(f'{people.name}: this network gives no heatmaps or affinity fields; leave out their output')
