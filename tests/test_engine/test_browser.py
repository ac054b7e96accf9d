"""What browsing draws, on images in which every joint is a disc of its own colour."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData, PixelData
from mmpose.codecs import MSRAHeatmap, RegressionLabel, SimCCLabel, UDPHeatmap
from mmpose.datasets import (
    CocoDataset,
    GenerateTarget,
    GetBBoxCenterScale,
    PackPoseInputs,
    RandomBBoxTransform,
    RandomFlip,
    TopdownAffine,
)
from mmpose.models import PoseDataPreprocessor
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample
from people import UPRIGHT
from shipped_configs import CONFIGS, REPOSITORY

from classicpose.skeletons import COCO17, FLIC10, OPENPOSE18, Skeleton
from custom_modules.codecs import DeepPoseLabel, PartAffinityField
from custom_modules.datasets import BottomUpCocoDataset, CropAroundPerson, LoadIntactImage
from custom_modules.engine import browser
from custom_modules.engine.browser import Browser, cascade_stages
from custom_modules.models import DeepPoseCascade
from custom_modules.visualization import samples
from custom_modules.visualization.samples import contact_sheet, draw_cascade_sample, draw_sample

pytestmark = [
    pytest.mark.filterwarnings('ignore:The metainfo config file:UserWarning'),
    # UDPHeatmap decodes the empty map of a joint that is not there.
    pytest.mark.filterwarnings('ignore:invalid value encountered in scalar divide:RuntimeWarning:mmpose'),
]

PANEL = 320
CAPTION = 24

PLACES = dict(zip(OPENPOSE18.keypoints, UPRIGHT * 360 + (20, 20), strict=True))
COLORS = {
    name: np.array([80 * (index % 3) + 60, 80 * (index // 3 % 3) + 60, 80 * (index // 9) + 60])
    for index, name in enumerate(COCO17.keypoints)
}


def discs_image() -> np.ndarray:
    image = np.zeros((400, 400, 3), np.uint8)
    for name, color in COLORS.items():
        cv2.circle(image, tuple(PLACES[name].round().astype(int).tolist()), 8, color.tolist(), -1)
    return image


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person in COCO's format whose joints are discs; the left wrist is not labelled."""
    folder = tmp_path_factory.mktemp('discs')
    cv2.imwrite(str(folder / 'discs.png'), discs_image())
    keypoints = [number for name in COCO17.keypoints for number in (*PLACES[name], 2.0)]
    keypoints[3 * COCO17.keypoints.index('left_wrist') + 2] = 0
    person = dict(
        id=1, image_id=7, category_id=1, iscrowd=0, num_keypoints=16, area=60000.0, bbox=[100, 20, 200, 360],
        keypoints=keypoints, segmentation=[[100, 20, 300, 20, 300, 380, 100, 380]],
    )  # fmt: skip
    image = dict(id=7, file_name='discs.png', height=400, width=400)
    people = dict(images=[image], annotations=[person], categories=[dict(id=1, name='person')])
    (folder / 'people.json').write_text(json.dumps(people))
    return folder


def config(data: Path, codec: dict) -> Config:
    """A config whose pipeline turns, scales, moves and mirrors."""
    if codec['type'] is PartAffinityField:
        kind = BottomUpCocoDataset
        crop = dict(type=CropAroundPerson, input_size=(256, 256), heatmap_size=(32, 32), scale=(0.9, 1.3))
        steps = [crop]
    else:
        kind = CocoDataset
        random = dict(type=RandomBBoxTransform, scale_factor=(0.8, 1.4), rotate_prob=1.0)
        steps = [dict(type=GetBBoxCenterScale), dict(type=RandomFlip), random]
        steps.append(dict(type=TopdownAffine, input_size=(192, 256), use_udp=codec['type'] is UDPHeatmap))
    pipeline = [dict(type=LoadIntactImage), *steps, dict(type=GenerateTarget, encoder=codec), dict(type=PackPoseInputs)]
    dataset = dict(type=kind, data_root=str(data), ann_file='people.json', data_prefix=dict(img=''), pipeline=pipeline)
    return Config(dict(model=dict(), train_dataloader=dict(dataset=dataset)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Image, keypoints and scores of each call of ``draw_people``."""
    calls = []

    def draw_people(image: np.ndarray, keypoints: np.ndarray, scores: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        calls.append((image, keypoints, scores))
        return image

    monkeypatch.setattr(samples, 'draw_people', draw_people)
    return calls


def seen_at(image: np.ndarray, keypoints: np.ndarray, present: np.ndarray, skeleton: Skeleton) -> dict[str, str]:
    """For each joint, whose disc its keypoint (K, 2) lies on; joints that no disc shows are left out."""
    seen = {}
    for index, name in enumerate(skeleton.keypoints):
        x, y = keypoints[index].round().astype(int)
        if present[index] and name in COLORS and 0 <= x < image.shape[1] and 0 <= y < image.shape[0]:
            distance = {other: np.abs(image[y, x] - color.astype(float)).max() for other, color in COLORS.items()}
            seen[name] = min(distance, key=distance.get) if min(distance.values()) < 35 else 'nothing'
    return seen


def mirrored(name: str) -> str:
    return COCO17.keypoints[COCO17.flip_indices[COCO17.keypoints.index(name)]]


TOP_DOWN = dict(input_size=(192, 256))
CODECS = [
    (dict(type=MSRAHeatmap, heatmap_size=(48, 64), sigma=2.0, **TOP_DOWN), 4.0),
    (dict(type=UDPHeatmap, heatmap_size=(48, 64), sigma=2.0, **TOP_DOWN), 4.0),
    (dict(type=RegressionLabel, **TOP_DOWN), 1e-3),
    (dict(type=SimCCLabel, **TOP_DOWN), 0.5),
    (dict(type=PartAffinityField, input_size=(256, 256), heatmap_size=(32, 32)), 2.0),
]


@pytest.mark.parametrize(('codec', 'tolerance'), CODECS, ids=lambda value: getattr(value, 'type', None))
def test_keypoints_lie_on_their_joints_after_augmentation(
    codec: dict, tolerance: float, data: Path, drawn: list
) -> None:
    """Those that the pipeline moved along, and those that the targets hold, for every disc or for its mirror twin."""
    browser = Browser(config(data, codec), 'train')
    flips = set()
    for seed in range(12):
        browser.draw(0, seed)
        (image, keypoints, scores), (_, found, found_scores) = drawn[-2:]
        seen = seen_at(image, keypoints[0], scores[0] > 0, browser.skeleton)
        assert len(seen) > 4
        flip = seen == {name: mirrored(name) for name in seen}
        assert flip or seen == {name: name for name in seen}
        flips.add(flip)
        assert 'right_wrist' if flip else 'left_wrist' not in seen
        # The panel is 1.25 times as large as the input. Targets are cut off at the border.
        size = image.shape[1::-1]
        there = (found_scores[0] > 0) & ((keypoints[0] > 12) & (keypoints[0] < np.array(size) - 12)).all(axis=1)
        assert there.sum() > 3
        assert (scores[0][there] > 0).all()
        assert np.linalg.norm(found[0] - keypoints[0], axis=1)[there].max() <= 1.25 * tolerance + 1e-3
    assert flips == {False, True}


@pytest.mark.parametrize('codec', [CODECS[0][0], CODECS[1][0], CODECS[4][0]], ids=['msra', 'udp', 'paf'])
def test_heatmaps_lie_on_the_joints(codec: dict, data: Path, drawn: list, monkeypatch: pytest.MonkeyPatch) -> None:
    """A keypoint's cell, by the matrix that the maps are drawn with, is the highest one of its map."""
    laid = []
    monkeypatch.setattr(
        samples, 'draw_heatmaps', lambda image, maps, matrix: laid.append((maps, matrix)) or np.zeros_like(image)
    )
    browser = Browser(config(data, codec), 'train')
    for seed in range(4):
        drawn.clear()
        browser.draw(0, seed)
        maps, matrix = laid[-1]
        for heatmap, keypoint, score in zip(maps, drawn[0][1][0], drawn[0][2][0], strict=True):
            # At the border the highest cell may be outside.
            x, y = matrix @ (*keypoint, 1)
            if score > 0 and 0 <= x < heatmap.shape[1] - 1 and 0 <= y < heatmap.shape[0] - 1:
                row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
                assert max(abs(x - column), abs(y - row)) <= 0.5 + 1e-3


def test_the_ignored_region_is_red() -> None:
    """Cells 2 and 3 from the left, 4 and 5 from above, of 8 x 8, where a cell is 40 of the panel's pixels."""
    targets = PoseDataSample(gt_instances=InstanceData(), gt_fields=PixelData())
    mask = torch.ones(1, 8, 8)
    mask[0, 4:6, 2:4] = 0
    targets.gt_fields.heatmap_mask = mask
    sample = dict(inputs=torch.full((3, 64, 64), 100, dtype=torch.uint8), data_samples=targets)
    codec = PartAffinityField(input_size=(64, 64), heatmap_size=(8, 8))
    shown = draw_sample(sample, OPENPOSE18, None, 'grey')
    assert shown.shape == (PANEL + CAPTION, 2 * PANEL, 3)
    panel = draw_sample(sample, OPENPOSE18, codec, 'grey')[CAPTION:, PANEL:]
    red = panel[..., 2] > panel[..., 0]
    expected = np.zeros_like(red)
    expected[160:240, 80:160] = True
    np.testing.assert_array_equal(red, expected)
    assert (panel[~expected] == 100).all()

    # With MMPose's convention the last pixels lie beyond the middle of the last cell.
    targets.gt_fields.heatmap_mask = torch.ones(1, 8, 8)
    codec = KEYPOINT_CODECS.build(dict(type=MSRAHeatmap, input_size=(64, 64), heatmap_size=(8, 8), sigma=1.0))
    assert (draw_sample(sample, OPENPOSE18, codec, 'grey')[CAPTION:, PANEL:] == 100).all()


def upper_body() -> tuple[dict, np.ndarray]:
    """A sample of a cascade in which every joint is a disc; no label of the left eye. And the joints (10, 2)."""
    joints = np.array([PLACES[name] for name in FLIC10.keypoints])
    people = InstanceData(
        bboxes=np.array([[30.0, -30, 370, 310]], np.float32),
        keypoints=joints[None].astype(np.float32),
        keypoints_visible=np.ones((1, 10), np.float32),
    )
    people.keypoints_visible[0, FLIC10.keypoints.index('left_eye')] = 0
    inputs = torch.from_numpy(discs_image().transpose(2, 0, 1).copy())
    return dict(inputs=inputs, data_samples=PoseDataSample(gt_instances=people)), joints


def cascade_config(*stages: dict, train_stages: list[dict] | None = None) -> Config:
    """With a backbone that cannot be built: browsing must do without networks."""
    head = dict(type='NoHead', decoder=dict(type=DeepPoseLabel, input_size=(128, 128)))
    return Config(
        dict(
            model=dict(
                type=DeepPoseCascade,
                data_preprocessor=dict(type=PoseDataPreprocessor),
                stages=[dict(input_size=128, backbone=dict(type='None'), head=head, **stage) for stage in stages],
            ),
            train_stages=train_stages,
        )
    )


def test_crops_of_a_cascade_show_their_joint(drawn: list) -> None:
    sample, _ = upper_body()
    augmented = dict(scale=(0.9, 1.1), rotation=20.0)
    cfg = cascade_config(dict(copies=3, **augmented), dict(side=1.0, copies=2, **augmented))
    stages = cascade_stages(cfg)
    names = set()
    for seed in range(6):
        torch.manual_seed(seed)
        drawn.clear()
        draw_cascade_sample(sample, stages, FLIC10, 'discs')
        whole, first, later = drawn[:1], drawn[1:4], drawn[4:]
        assert len(later) == 10
        for image, keypoints, scores in whole + first:
            seen = seen_at(image, keypoints[0], scores[0] > 0, FLIC10)
            assert len(seen) == 9
            assert seen in ({name: name for name in seen}, {name: mirrored(name) for name in seen})
        for joint, (image, keypoints, scores) in zip(FLIC10.keypoints, later, strict=True):
            # Twice the spread is usually inside of a crop of one torso.
            seen = seen_at(image, keypoints[0], scores[0] > 0, FLIC10)
            assert len(seen) <= (joint != 'left_eye')
            assert set(seen.values()) <= {joint}
            names |= set(seen)
    assert names >= set(FLIC10.keypoints) - {'left_eye'}


def test_stages_are_as_they_are_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [{}, {'model.stages.1.copies': 7}]
    first, second = cascade_stages(cascade_config(dict(), dict(side=1.0, copies=2), train_stages=settings))
    assert [len(model.stages) for model in (first, second)] == [1, 2]
    assert second.stages[1].copies == 7
    spread = second._simulated_errors(4000)
    np.testing.assert_allclose(spread.std(dim=0), browser.ERROR_SPREAD, rtol=0.1)
    np.testing.assert_allclose(spread.mean(dim=0), 0, atol=0.01)


def test_a_dumped_configs_cascade_is_recognised() -> None:
    assert browser.is_cascade(dict(type='custom_modules.models.DeepPoseCascade'))
    assert browser.is_cascade(dict(type='DeepPoseCascade'))
    assert not browser.is_cascade(dict(type='mmpose.TopdownPoseEstimator'))
    assert not browser.is_cascade(dict())


def test_the_seed_makes_the_image(data: Path) -> None:
    browser = Browser(config(data, CODECS[2][0]), 'train')
    name, first = browser.draw(0, seed=3)
    browser.draw(0, seed=4)
    assert name == '0_discs'
    np.testing.assert_array_equal(browser.draw(0, seed=3)[1], first)
    assert (browser.draw(0, seed=4)[1] != first).any()


def test_a_contact_sheet_holds_every_image() -> None:
    images = [np.full((20 + number, 30, 3), number, np.uint8) for number in range(1, 7)]
    sheet = contact_sheet(images)
    assert [(sheet == number).all(axis=-1).sum() for number in range(1, 7)] == [(20 + n) * 30 for n in range(1, 7)]
    assert 0.5 <= sheet.shape[0] / sheet.shape[1] <= 2
    large = contact_sheet([np.full((100, 9000, 3), number, np.uint8) for number in range(10)])
    assert large.shape[1] == 4000
    assert large[:: large.shape[0] // 10, 0, 0].tolist()[:10] == list(range(10))


def browse(path: Path, split: str) -> tuple[Browser, np.ndarray]:
    cfg = Config.fromfile(path)
    cfg[f'{split}_dataloader'].dataset.pop('indices', None)
    browser = Browser(cfg, split)
    return browser, browser.draw(0)[1]


@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_config(
    path: Path, generated_data: Path, generated_flic: Path, monkeypatch: pytest.MonkeyPatch, drawn: list
) -> None:
    is_cascade = 'deeppose' in path.name
    on_flic = is_cascade and 'lspet' not in path.name
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_flic if on_flic else generated_data))
    browser, shown = browse(path, 'train')
    assert browser.is_cascade == is_cascade
    # The whole image, and crops of stages; or the input, and what is decoded from the targets.
    assert (
        len(drawn)
        == 1
        + sum(
            len(stages.skeleton.keypoints) if stages.stages[-1].side else stages.stages[-1].copies
            for stages in browser.stages
        )
        if is_cascade
        else 2
    )
    assert all((scores > 0).any() for _, _, scores in drawn[:2])
    assert shown.shape[0] == CAPTION + PANEL + (2 * (CAPTION + 160) if is_cascade else 0)


@pytest.mark.parametrize(
    ('name', 'people'), [('openpose_coco', 1), ('resnet18_regression_coco', 1), ('deeppose_flic_resnet18', 1)]
)
def test_validation_data_show_the_people_that_they_tell(
    name: str, people: int, generated_data: Path, generated_flic: Path, monkeypatch: pytest.MonkeyPatch, drawn: list
) -> None:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_flic if 'flic' in name else generated_data))
    _, shown = browse(REPOSITORY / f'configs/{name}.py', 'val')
    ((image, keypoints, scores),) = drawn
    assert len(keypoints) == len(scores) == people
    assert shown.shape == (CAPTION + PANEL, *image.shape[1:])
