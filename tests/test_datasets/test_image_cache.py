from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from classicpose.errors import UserError
from custom_modules.datasets import LoadIntactImage, image_cache
from custom_modules.datasets.image_cache import ImageCache

_MIB = 1 / 1024  # in GiB


class _Images(Dataset):
    def __init__(self, paths: list[str], cache: float) -> None:
        self.paths = paths
        self.load = LoadIntactImage(cache)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        results = self.load(dict(img_path=self.paths[index]))
        assert results['img_shape'] == results['ori_shape'] == results['img'].shape[:2]
        return torch.from_numpy(results['img'])


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[str], list[np.ndarray]]:
    """Forty images of different sizes, 2.2 MiB in all."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (*rng.integers(80, 200, 2), 3), np.uint8) for _ in range(40)]
    return _written(tmp_path, images), images


def _written(folder: Path, images: list[np.ndarray]) -> list[str]:
    paths = [str(folder / f'{number}.png') for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        cv2.imwrite(path, image)
    return paths


def _loader(dataset: Dataset, workers: int, epochs: int = 1) -> DataLoader:
    order = np.random.default_rng(0).permutation(np.tile(np.arange(len(dataset)), epochs)).tolist()
    context = 'fork' if workers else None
    return DataLoader(dataset, batch_size=None, sampler=order, num_workers=workers, multiprocessing_context=context)


def _check(loader: DataLoader, images: list[np.ndarray]) -> None:
    for index, found in zip(loader.sampler, loader, strict=True):
        np.testing.assert_array_equal(found, images[index])


def test_each_image_is_read_once_for_all_processes(files: tuple) -> None:
    paths, images = files
    dataset = _Images(paths, 3 * _MIB)
    _check(_loader(dataset, workers=2), images)
    for path in paths:
        Path(path).unlink()
    # Other processes than those that read them, and the one that started both.
    _check(_loader(dataset, workers=3, epochs=5), images)
    _check(_loader(dataset, workers=0), images)


def test_processes_do_not_disturb_each_other(tmp_path: Path) -> None:
    images = [np.full((8 + number % 7, 9, 3), number % 251, np.uint8) for number in range(1000)]
    paths = _written(tmp_path, images)
    _check(_loader(_Images(paths, 10 * _MIB), workers=4, epochs=2), images)


def test_without_a_cache_nothing_is_kept(files: tuple) -> None:
    paths, _ = files
    load = LoadIntactImage()
    load(dict(img_path=paths[0]))
    Path(paths[0]).unlink()
    with pytest.raises(UserError, match=r'0\.png cannot be read'):
        load(dict(img_path=paths[0]))


def test_who_changes_an_image_changes_his_own(files: tuple) -> None:
    paths, images = files
    load = LoadIntactImage(cache=_MIB)
    for _ in range(3):
        found = load(dict(img_path=paths[0]))['img']
        np.testing.assert_array_equal(found, images[0])
        found[:] = 0


def test_a_full_cache_says_so_once_and_reads_the_others_from_their_files(
    files: tuple, capfd: pytest.CaptureFixture
) -> None:
    paths, images = files
    dataset = _Images(paths, _MIB)
    _check(_loader(dataset, workers=2, epochs=3), images)
    told = ''.join(capfd.readouterr())
    assert told.count('The image cache is full') == 1
    assert 'take 0.000976562 GiB' in told
    kept = 0
    for path in paths:
        Path(path).unlink()
        try:
            dataset.load(dict(img_path=path))
            kept += 1
        except UserError:
            pass
    assert kept >= 2**20 // max(image.size for image in images) - 1
    assert f': {kept} images take' in told


def test_many_small_images_fill_it_too(tmp_path: Path) -> None:
    paths = _written(tmp_path, [np.full((2, 3, 3), number, np.uint8) for number in range(200)])
    cache = ImageCache(_MIB)  # has 257 slots, of which half may be used
    for _ in range(2):
        for number, path in enumerate(paths):
            assert (cache.read(path) == number).all()
    for path in paths:
        Path(path).unlink()
    for number in range(128):
        assert (cache.read(paths[number]) == number).all()
    with pytest.raises(UserError, match=r'128\.png cannot be read'):
        cache.read(paths[128])


def test_broken_images_are_named_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(b'')
    load = LoadIntactImage(cache=_MIB)
    with pytest.raises(UserError, match=r'a\.png'):
        load(dict(img_path=str(path)))
    cv2.imwrite(str(path), np.full((9, 9, 3), 7, np.uint8))
    assert (load(dict(img_path=str(path)))['img'] == 7).all()


@pytest.mark.parametrize('cache', [True, -1, '2', float('nan'), None])
def test_a_cache_is_a_number_of_gib(cache: object) -> None:
    with pytest.raises(UserError, match='how many GiB'):
        LoadIntactImage(cache=cache)


def test_a_cache_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match='an image cache of 1e\\+06 GiB, but there are'):
        LoadIntactImage(cache=1e6)
    limit = tmp_path / 'memory.max'
    monkeypatch.setattr(image_cache, '_LIMITS_OF_A_CONTAINER', (str(limit), str(tmp_path / 'none')))
    limit.write_text(f'{2**20}\n')
    with pytest.raises(UserError, match='of 0.5 GiB, but there are 0.0 GiB of memory'):
        LoadIntactImage(cache=0.5)
    limit.write_text('max\n')
    LoadIntactImage(cache=0.5)


def test_caches_of_other_pipelines_and_processes_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache is of one dataset's pipeline in one process: together they must fit."""
    monkeypatch.setattr(image_cache, '_LIMITS_OF_A_CONTAINER', (str(tmp_path / 'memory.max'),))
    (tmp_path / 'memory.max').write_text(str(2**20))
    first = LoadIntactImage(cache=0.4 * _MIB)
    second = LoadIntactImage(cache=0.4 * _MIB)
    with pytest.raises(UserError, match=r'of 0\.00039\d* GiB, with 2 others 0\.00117\d* GiB, but there are 0\.0 GiB'):
        LoadIntactImage(cache=0.4 * _MIB)
    del second
    LoadIntactImage(cache=0.4 * _MIB)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    with pytest.raises(UserError, match='with 3 others'):
        LoadIntactImage(cache=0.4 * _MIB)
    del first
    LoadIntactImage(cache=0.4 * _MIB)


def test_a_cache_cannot_be_sent_to_other_processes() -> None:
    load = LoadIntactImage(cache=_MIB)
    with pytest.raises(UserError, match="mp_start_method='fork'"):
        pickle.dumps(load)
    with pytest.raises(UserError, match="mp_start_method='fork'"):
        multiprocessing.get_context('spawn').Process(target=load.transform).start()
