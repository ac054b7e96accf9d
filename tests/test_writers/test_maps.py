"""Heatmaps and affinity fields as files: what is read back is what the network gave, where it gave it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from classicpose.errors import UserError
from classicpose.paf import image_to_map_matrix
from classicpose.people import People
from classicpose.skeletons import OPENPOSE18
from classicpose.writers.maps import MapArrays, MapImages

SIZE = (64, 48)


def people_with_maps(pafs: bool = True) -> People:
    """Nobody in a dark image of 64 x 48; one peak in the cell (5, 2), one vector in (1, 4), a full background."""
    maps = np.zeros((19, 6, 8), np.float32)
    maps[3, 2, 5] = 1
    maps[18] = 1
    fields = np.zeros((38, 6, 8), np.float32)
    fields[10, 4, 1] = 1
    return People(
        name='dark',
        image_size=SIZE,
        skeleton=OPENPOSE18,
        keypoints=np.zeros((0, 18, 2), np.float32),
        keypoint_scores=np.zeros((0, 18), np.float32),
        scores=np.zeros(0, np.float32),
        boxes=np.zeros((0, 4), np.float32),
        heatmaps=maps,
        pafs=fields if pafs else None,
        image_to_map=image_to_map_matrix(SIZE, SIZE, (32, 24), (8, 6)),
    )


def dark() -> np.ndarray:
    return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def brightest(path: Path) -> tuple[float, float]:
    image = cv2.imread(str(path)).sum(axis=2).astype(float)
    assert image.shape == SIZE[::-1]
    rows, columns = np.indices(image.shape)
    weight = np.where(image > image.max() / 2, image, 0)
    return (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()


def test_images_are_bright_where_the_maps_are(tmp_path: Path) -> None:
    with MapImages(tmp_path / 'maps') as writer:
        writer.write(people_with_maps(), dark())
    assert sorted(file.name for file in (tmp_path / 'maps').iterdir()) == ['dark_heatmaps.jpg', 'dark_pafs.jpg']
    # Cell g lies at 8 g + 3.5. The background, which is full, is not drawn.
    np.testing.assert_allclose(brightest(tmp_path / 'maps' / 'dark_heatmaps.jpg'), (43.5, 19.5), atol=0.5)
    np.testing.assert_allclose(brightest(tmp_path / 'maps' / 'dark_pafs.jpg'), (11.5, 35.5), atol=0.5)


def test_arrays_are_the_networks(tmp_path: Path) -> None:
    people = people_with_maps()
    people.heatmaps = people.heatmaps.astype(np.float16)
    with MapArrays(tmp_path) as writer:
        writer.write(people, None)
    assert [file.name for file in tmp_path.iterdir()] == ['dark_maps.npz']
    with np.load(tmp_path / 'dark_maps.npz') as arrays:
        assert set(arrays) == {'heatmaps', 'pafs', 'keypoints', 'limbs', 'image_size', 'image_to_map'}
        assert arrays['heatmaps'].dtype == arrays['pafs'].dtype == np.float32
        np.testing.assert_array_equal(arrays['heatmaps'], people.heatmaps)
        np.testing.assert_array_equal(arrays['pafs'], people.pafs)
        assert tuple(arrays['keypoints']) == OPENPOSE18.keypoints
        assert tuple(arrays['limbs'][0]) == ('neck', 'right_shoulder')
        assert tuple(arrays['image_size']) == SIZE
        np.testing.assert_allclose(arrays['image_to_map'] @ (43.5, 19.5, 1), (5, 2))


def test_a_network_without_fields(tmp_path: Path) -> None:
    for kind in (MapImages, MapArrays):
        with kind(tmp_path) as writer:
            writer.write(people_with_maps(pafs=False), dark())
    assert sorted(file.name for file in tmp_path.iterdir()) == ['dark_heatmaps.jpg', 'dark_maps.npz']
    with np.load(tmp_path / 'dark_maps.npz') as arrays:
        assert 'pafs' not in arrays


@pytest.mark.parametrize('kind', [MapImages, MapArrays])
def test_mistakes_are_explained(kind: type, tmp_path: Path) -> None:
    people = people_with_maps()
    people.heatmaps = people.pafs = None
    with kind(tmp_path / 'maps') as writer:
        with pytest.raises(UserError, match='dark: this network gives no heatmaps'):
            writer.write(people, dark())
        (tmp_path / 'maps').rmdir()
        with pytest.raises(UserError, match='cannot write .*No such file'):
            writer.write(people_with_maps(), dark())
