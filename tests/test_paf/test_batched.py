"""The decoder of whole batches against the one of single images, which other tests compare with the description."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from crowds import CELLS, STRIDE, Maps, People, assert_same_people, crowd, draw, draw_noisily

from classicpose.paf import DECODERS, DecodeSettings, decode_people
from classicpose.skeletons import COCO17, OPENPOSE18, Skeleton
from custom_modules.codecs import PartAffinityField
from custom_modules.codecs.batched import decode_batch

DEVICES = [
    'cpu',
    pytest.param('cuda', marks=pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')),
]
DEFAULT = DECODERS['default']
# Every setting that decode_batch knows, with a value that is not the default.
VARIANTS = dict(
    peak_threshold=0.1,
    neighbours=4,
    subpixel='none',
    max_peaks=5,
    samples=7,
    paf_threshold=0.15,
    pass_ratio=0.8,
    mean_of_passing=True,
    part_evidence=False,
    length_prior=True,
    short_limb=0.0,
    merge=False,
    best_first=False,
    hint_threshold=None,
    min_parts=5,
    min_score=0.3,
    ranking='mean',
)
ONLY_ONE_BY_ONE = dict(upsample=2, smoothing=3.0, subpixel='centroid', peak_distance=6.0, samples=None)
SIZES = [CELLS, (46, 46), (61, 33), (23, 46), (82, 12)]


def crowd_maps(
    seed: int, cells: tuple[int, int] = CELLS, noisy: bool = False, count: int = 6, smallest: float = 0.2
) -> Maps:
    rng = np.random.default_rng(seed)
    size = (STRIDE * cells[0], STRIDE * cells[1])
    people, visible = crowd(count, rng, (smallest * size[1], 0.9 * size[1]), outside=0.3, missing=0.15, size=size)
    return draw_noisily(people, visible, rng, cells) if noisy else draw(people, visible, cells)


def one_by_one(images: list[Maps], settings: DecodeSettings = DEFAULT) -> list[People]:
    return [decode_people(*maps, OPENPOSE18, STRIDE, settings) for maps in images]


def together(
    images: list[Maps], device: str, settings: DecodeSettings = DEFAULT, filling: str = 'peaks'
) -> list[People]:
    """Images of any sizes, at the top left of maps of one size."""
    sizes = [(maps[0].shape[2], maps[0].shape[1]) for maps in images]
    batch = padded(images, filling, device)
    return decode_batch(*batch, OPENPOSE18, STRIDE, settings, sizes)


def padded(images: list[Maps], filling: str, device: str = 'cpu') -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    width, height = (max(maps[0].shape[axis] for maps in images) for axis in (2, 1))
    batch = []
    for channels in (19, 38):
        shape = (len(images), channels, height, width)
        garbage = rng.uniform(-1, 3, shape) if filling == 'peaks' else np.full(shape, float(filling))
        batch.append(garbage.astype(np.float32))
    for index, maps in enumerate(images):
        for canvas, own in zip(batch, maps, strict=True):
            canvas[index, :, : own.shape[1], : own.shape[2]] = own
    return tuple(torch.from_numpy(canvas).to(device) for canvas in batch)


def assert_same_batch(found: list[People], expected: list[People]) -> None:
    assert len(found) == len(expected)
    for people, truth in zip(found, expected, strict=True):
        assert_same_people(people, truth)
        np.testing.assert_allclose(people[2], truth[2], atol=1e-5)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('noisy', [False, True])
def test_images_of_one_size(device: str, noisy: bool) -> None:
    images = [crowd_maps(seed, noisy=noisy, count=2 + 3 * seed) for seed in range(4)]
    expected = one_by_one(images)
    assert min(len(keypoints) for keypoints, _, _ in expected) > 0
    assert_same_batch(together(images, device), expected)
    whole = [torch.from_numpy(np.stack(maps)).to(device) for maps in zip(*images, strict=True)]
    assert_same_batch(decode_batch(*whole, OPENPOSE18, STRIDE, DEFAULT), expected)
    assert_same_batch(decode_batch(whole[0][:, :-1], whole[1], OPENPOSE18, STRIDE, DEFAULT), expected)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('noisy', [False, True])
def test_of_a_batch_every_image_keeps_to_its_own_size(device: str, noisy: bool) -> None:
    """Around the smaller images lie peaks higher than theirs, and fields longer."""
    for seed in range(3):
        images = [crowd_maps(10 * seed + index, cells, noisy) for index, cells in enumerate(SIZES)]
        expected = one_by_one(images)
        assert sum(len(keypoints) for keypoints, _, _ in expected) > 10
        assert_same_batch(together(images, device), expected)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('name', VARIANTS)
def test_every_setting(device: str, name: str) -> None:
    settings = replace(DEFAULT, **{name: VARIANTS[name]})
    assert settings.batched
    for noisy in (False, True):
        images = [crowd_maps(20 + index, cells, noisy) for index, cells in enumerate(SIZES[:3])]
        expected = one_by_one(images, settings)
        default = one_by_one(images)
        assert_same_batch(together(images, device, settings), expected)
    # In the noisy maps the setting matters.
    assert any(
        one[0].shape != other[0].shape or any(not np.array_equal(*pair) for pair in zip(one, other, strict=True))
        for one, other in zip(expected, default, strict=True)
    )


def test_which_settings_cannot_be_batched() -> None:
    changes = [*VARIANTS.items(), *ONLY_ONE_BY_ONE.items()]
    assert {name for name, _ in changes} == {field.name for field in fields(DecodeSettings)}
    refused = [(name, value) for name, value in changes if not replace(DEFAULT, **{name: value}).batched]
    assert refused == [*ONLY_ONE_BY_ONE.items()]
    assert DEFAULT.batched
    assert [name for name, settings in DECODERS.items() if settings.batched] == ['default']


@pytest.mark.parametrize('device', DEVICES)
def test_an_empty_image_in_the_middle(device: str) -> None:
    nothing = draw(np.zeros((0, 18, 2)), np.zeros((0, 18)))
    images = [crowd_maps(0), nothing, crowd_maps(1), nothing]
    expected = one_by_one(images)
    assert [len(keypoints) > 0 for keypoints, _, _ in expected] == [True, False, True, False]
    assert_same_batch(together(images, device), expected)


@pytest.mark.parametrize('device', DEVICES)
def test_nobody_at_all(device: str) -> None:
    """Not a peak, peaks of one keypoint only, and peaks of all keypoints without a field."""
    nothing = draw(np.zeros((0, 18, 2)), np.zeros((0, 18)))
    noses, heatmaps = np.zeros_like(nothing[0]), crowd_maps(0, smallest=0.8)[0]
    noses[0] = heatmaps[0]
    for images in ([nothing], [nothing] * 3, [(noses, nothing[1])] * 2, [(heatmaps, nothing[1])] * 2):
        for keypoints, keypoint_scores, instance_scores in together(images, device):
            assert keypoints.shape == (0, 18, 2)
            assert keypoint_scores.shape == (0, 18)
            assert instance_scores.shape == (0,)


@pytest.mark.parametrize('device', DEVICES)
def test_nan_maps(device: str) -> None:
    """All of an image NaN, its heatmaps, its fields, or cells here and there; its neighbours are left alone."""
    rng = np.random.default_rng(0)
    images = [crowd_maps(seed, smallest=0.8) for seed in range(6)]
    images[1] = tuple(np.full_like(maps, np.nan) for maps in images[1])
    images[3][0][:] = np.nan
    images[4][1][:] = np.nan
    for maps in images[5]:
        maps[rng.random(maps.shape) < 0.01] = np.nan
    expected = one_by_one(images)
    assert [len(keypoints) > 0 for keypoints, _, _ in expected] == [True, False, True, False, False, True]
    assert_same_batch(together(images, device), expected)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('filling', ['0', '-1', '1e30', 'nan', 'inf'])
def test_what_lies_around_an_image_does_not_matter(device: str, filling: str) -> None:
    """Even next to keypoints in an image's last row and column."""
    images = [crowd_maps(seed, cells, noisy=True) for seed, cells in enumerate(SIZES)]
    assert_same_batch(together(images, device, filling=filling), one_by_one(images))


@pytest.mark.parametrize('device', DEVICES)
def test_maps_of_a_single_cell_row_or_column(device: str) -> None:
    rng = np.random.default_rng(0)
    images = [
        (rng.random((19, *shape)).astype(np.float32), rng.uniform(-1, 1, (38, *shape)).astype(np.float32))
        for shape in [(1, 1), (1, 30), (30, 1), (2, 2)]
    ]
    assert_same_batch(together(images, device), one_by_one(images))


@pytest.mark.parametrize('device', DEVICES)
def test_half_precision_maps(device: str) -> None:
    """As a network under autocast returns them: the same as of these maps in single precision."""
    images = [crowd_maps(seed) for seed in range(2)]
    halves = [torch.from_numpy(np.stack(maps)).to(device).half() for maps in zip(*images, strict=True)]
    expected = one_by_one([*zip(*(maps.float().cpu().numpy() for maps in halves), strict=True)])
    assert_same_batch(decode_batch(*halves, OPENPOSE18, STRIDE, DEFAULT), expected)


@pytest.mark.parametrize('device', DEVICES)
def test_another_skeleton_and_stride(device: str) -> None:
    rng = np.random.default_rng(0)
    codec = PartAffinityField((320, 240), (80, 60), skeleton=COCO17)
    crowds = [crowd(count, rng, (80, 200), size=(320, 240))[0][:, :17] for count in (2, 5)]
    encoded = [codec.encode(people) for people in crowds]
    batch = [torch.from_numpy(np.stack([maps[name] for maps in encoded])).to(device) for name in ('heatmaps', 'pafs')]
    expected = [codec.decode((maps['heatmaps'], maps['pafs'])) for maps in encoded]
    assert_same_batch(decode_batch(*batch, COCO17, 4, DEFAULT), expected)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('decoder', ['default', 'matlab'])
def test_batch_decode_of_the_codec(device: str, decoder: str) -> None:
    codec = PartAffinityField((656, 368), CELLS, decoder=decoder)
    images = [crowd_maps(30 + index, cells) for index, cells in enumerate([(40, 30), (23, 30), (40, 16)])]
    expected = [codec.decode(maps) for maps in images]
    sizes = [maps[0].shape[:0:-1] for maps in images]
    batch = tuple(maps.requires_grad_() for maps in padded(images, 'peaks', device))
    assert_same_batch(codec.batch_decode(batch, sizes), expected)
    whole = padded(images[:1] * 2, 'peaks', device)
    assert_same_batch(codec.batch_decode(whole), expected[:1] * 2)


@pytest.mark.parametrize('device', DEVICES)
def test_the_codec_decodes_a_batch_of_no_images(device: str) -> None:
    codec = PartAffinityField((656, 368), CELLS)
    nothing = torch.zeros((0, 19, 46, 82), device=device), torch.zeros((0, 38, 46, 82), device=device)
    assert codec.batch_decode(nothing) == []


@pytest.mark.parametrize('device', DEVICES)
def test_a_short_limb_where_the_field_is_partly_nan(device: str) -> None:
    """Ends closer than a cell are joined whatever the field says."""
    body = Skeleton('body', ('nose', 'neck', 'head_top'), ((0, 1), (1, 2)), (0.1,) * 3)
    heatmaps, pafs = np.zeros((3, 12, 12), np.float32), np.zeros((4, 12, 12), np.float32)
    heatmaps[[0, 1, 2], 5, [5, 5, 9]] = 1
    heatmaps[0, 5, 4], heatmaps[1, 5, 6] = 0.99, 0.2
    pafs[[0, 2]] = 1
    pafs[:2, 5, 6] = np.nan
    maps = (torch.from_numpy(values)[None].to(device) for values in (heatmaps, pafs))
    (batched,) = decode_batch(*maps, body, 8, DECODERS['default'])
    assert_same_people(batched, decode_people(heatmaps, pafs, body, 8, DECODERS['default']))
    assert len(batched[0]) == 1


@pytest.mark.parametrize('device', DEVICES)
def test_as_many_sizes_as_images(device: str) -> None:
    maps = torch.zeros(2, 19, 8, 8, device=device), torch.zeros(2, 38, 8, 8, device=device)
    with pytest.raises(ValueError, match='1 sizes for 2 images'):
        decode_batch(*maps, OPENPOSE18, 8, DECODERS['default'], [(8, 8)])
