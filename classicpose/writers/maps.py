"""A network's heatmaps and part affinity fields as files: images to look at, arrays to compute with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError, make_folder
from ..files import write_whole
from ..people import People
from ..visualization.people_and_maps import draw_heatmaps, draw_pafs


class MapImages:
    """Writes ``<name>_heatmaps.jpg`` and ``<name>_pafs.jpg``, the maps laid over the image.

    Each file appears whole or not at all.

    Raises:
        UserError: when the folder or a file cannot be written, or the people come without maps.
    """

    endings = ('_heatmaps.jpg', '_pafs.jpg')

    def __init__(self, folder: str | Path) -> None:
        self._folder = make_folder(folder)

    def __enter__(self) -> MapImages:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def write(self, people: People, image: np.ndarray) -> None:
        """Write the images of the maps that ``people`` comes with; ``image`` is (H, W, 3) uint8 BGR."""
        _check_maps(people)
        drawings = {}
        if people.heatmaps is not None:
            # The background's map comes last.
            heatmaps = people.heatmaps[: len(people.skeleton.keypoints)]
            drawings[self.endings[0]] = draw_heatmaps(image, heatmaps, people.image_to_map)
        if people.pafs is not None:
            drawings[self.endings[1]] = draw_pafs(image, people.pafs, people.image_to_map)
        for ending, drawing in drawings.items():
            # Not cv2.imwrite, which takes the format from the file's name and says nothing when the disk is full.
            encoded = cv2.imencode('.jpg', drawing)[1].tobytes()
            write_whole(self._folder / f'{people.name}{ending}', lambda path, data=encoded: path.write_bytes(data))


class MapArrays:
    """Writes ``<name>_maps.npz``, for ``numpy.load``. Each file appears whole or not at all.

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

    def __init__(self, folder: str | Path) -> None:
        self._folder = make_folder(folder)

    def __enter__(self) -> MapArrays:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def write(self, people: People, image: np.ndarray | None = None) -> None:
        """Write the file of an image."""
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
        write_whole(self._folder / f'{people.name}{self.endings[0]}', lambda path: _save(path, arrays))


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    # Opened here, as numpy would append .npz to another name.
    with path.open('wb') as file:
        np.savez_compressed(file, **arrays)


def _check_maps(people: People) -> None:
    if people.heatmaps is None and people.pafs is None:
        raise UserError(f'{people.name}: this network gives no heatmaps or affinity fields; leave out their output')
