"""Prediction agrees with the test that models are scored by, whatever the company of an image in its batch."""

from __future__ import annotations

import json
import pickle
import urllib.error
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from mmpose.registry import MODELS
from PIL import Image
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.inference import Predictor
from classicpose.inference.boxes import BoxFile
from classicpose.inference.frames import Frame
from classicpose.skeletons import COCO17, FLIC10, OPENPOSE18
from custom_modules.configuration.loading import load_config
from custom_modules.datasets.flic import FlicDataset
from custom_modules.engine import launch
from custom_modules.prediction import PersonDetector

CONFIGS = REPOSITORY / 'configs'
OPENPOSE = CONFIGS / 'demo/openpose_generated.py'
SINGLE = ['simplepose', 'resnet18_regression', 'resnet18_heatmap', 'resnet18_rle']


def checkpoint_of(config: Path, folder: Path, options: tuple[str, ...] = ()) -> Path:
    """Random weights, strong enough to make a difference."""
    torch.manual_seed(0)
    model = MODELS.build(load_config(config, options).model)
    path = folder / f'{config.stem}.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return path


@pytest.fixture
def data(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    return generated_data / 'generated'


@pytest.fixture
def openpose(data: Path, tmp_path: Path) -> Path:
    return checkpoint_of(OPENPOSE, tmp_path)


@pytest.mark.parametrize('name', SINGLE)
def test_single_people_as_in_the_test(name: str, data: Path, tmp_path: Path) -> None:
    config = CONFIGS / f'demo/{name}_generated.py'
    checkpoint = checkpoint_of(config, tmp_path)
    launch.test(config, checkpoint, work_dir=tmp_path, dump=tmp_path / 'all.pkl')
    expected: dict[str, list] = {}
    for sample in pickle.loads((tmp_path / 'all.pkl').read_bytes()):
        expected.setdefault(Path(sample['img_path']).stem, []).append(sample['pred_instances'])

    def boxes_of(frame: Frame) -> np.ndarray:
        return np.array([[*person['bboxes'][0], 1] for person in expected.get(frame.name, [])]).reshape(-1, 5)

    predict = Predictor(config, checkpoint, boxes=boxes_of, batch_size=64)
    assert predict.skeleton == COCO17
    images = sorted((data / 'val2017').glob('*.jpg'))
    results = list(predict(images))
    assert [people.name for people in results] == [image.stem for image in images]
    for people in results:
        own = expected.get(people.name, [])
        assert len(people) == len(own)
        for row, sample in enumerate(own):
            np.testing.assert_allclose(people.keypoints[row], sample['keypoints'][0], atol=1e-2)
            np.testing.assert_allclose(people.keypoint_scores[row], sample['keypoint_scores'][0], rtol=1e-4)
            np.testing.assert_allclose(people.boxes[row], sample['bboxes'][0], atol=1e-3)


def test_cascade_as_its_own_stages(generated_flic: Path, tmp_path: Path) -> None:
    config = CONFIGS / 'demo/deeppose_generated.py'
    checkpoint = checkpoint_of(config, tmp_path)
    dataset = FlicDataset(data_root=f'{generated_flic}/flic/', split='test', pipeline=[])
    people = [dataset.get_data_info(index) for index in range(3)]
    boxes = {Path(person['img_path']).stem: np.append(person['bbox'][0], 1)[None] for person in people}
    predict = Predictor(config, checkpoint, boxes=lambda frame: boxes[frame.name])
    assert predict.skeleton == FLIC10
    for person in people:
        found = predict(person['img_path'])
        inputs = torch.from_numpy(cv2.imread(person['img_path']).transpose(2, 0, 1)[None]).float()
        located = predict._estimator.model.locate(inputs, torch.from_numpy(person['bbox']))
        np.testing.assert_allclose(found.keypoints, located[-1], atol=1e-3)


def oracle(predict: Predictor, keypoints: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the network put out the ideal maps of people (N, 18, 2) in its input's pixels."""
    codec = predict._estimator.model.head.decoder

    def maps(inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = (size // 8 for size in inputs.shape[-2:])
        ideal = type(codec)((8 * width, 8 * height), (width, height), sigma=codec.sigma, limb_width=codec.limb_width)
        encoded = ideal.encode(keypoints)
        return tuple(
            torch.from_numpy(encoded[name])[None].repeat(len(inputs), 1, 1, 1) for name in ('heatmaps', 'pafs')
        )

    monkeypatch.setattr(predict._estimator.model, 'predict_maps', maps)


def standing_person(x: float, height: float = 130.0) -> np.ndarray:
    """(18, 2) in OPENPOSE18's order, spread so that no two keypoints meet."""
    across = [0, 0, -1, -1.3, -1.5, 1, 1.3, 1.5, -0.6, -0.6, -0.6, 0.6, 0.6, 0.6, -0.2, 0.2, -0.5, 0.5]
    down = [0.1, 0.22, 0.22, 0.36, 0.5, 0.22, 0.36, 0.5, 0.52, 0.74, 0.96, 0.52, 0.74, 0.96, 0.05, 0.05, 0.07, 0.07]
    return np.column_stack([x + 0.14 * height * np.array(across), 40 + height * np.array(down)])


def test_an_image_in_memory_is_the_same_in_any_layout(openpose: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    predict = Predictor(OPENPOSE, openpose, maps=True)
    expected = predict(bgr)
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    for image in (Image.fromarray(rgb), tensor, np.dstack([bgr, bgr[..., :1]])):
        np.testing.assert_array_equal(predict(image).heatmaps, expected.heatmaps)
    for images in (tensor[None], bgr[None], [Image.fromarray(rgb)]):
        (people,) = predict(images)
        np.testing.assert_array_equal(people.heatmaps, expected.heatmaps)
    for mistake in (bgr / 255, bgr[:0], 7):
        with pytest.raises(UserError, match='image'):
            predict(mistake)


def test_people_candidates_and_maps_of_ideal_maps(openpose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.zeros((120, 200, 3), np.uint8)  # the network sees it at twice its size
    people = np.stack([standing_person(90), standing_person(280, 150.0)])
    predict = Predictor(OPENPOSE, openpose, maps=True, candidates=True)
    oracle(predict, people, monkeypatch)
    found = predict(image)
    order = np.argsort(found.keypoints[:, 1, 0])
    in_image = (people + 0.5) / 2 - 0.5
    np.testing.assert_allclose(found.keypoints[order], in_image, atol=0.1)
    np.testing.assert_allclose(found.boxes[order, :2], in_image.min(axis=1), atol=0.1)
    np.testing.assert_allclose(found.boxes[order, 2:], in_image.max(axis=1), atol=0.1)
    assert found.image_size == (200, 120)
    for keypoint, rows in enumerate(found.candidates):
        np.testing.assert_allclose(rows[np.argsort(rows[:, 0]), :2], in_image[:, keypoint], atol=0.1)
        assert (rows[:, 2] > 0.5).all()
    assert found.heatmaps.shape == (19, 30, 50)
    assert found.pafs.shape == (38, 30, 50)
    # The highest cell of the first person's neck lies where the image's pixel does.
    cell = found.image_to_map @ [*in_image[0, 1], 1]
    row, column = np.unravel_index(found.heatmaps[1, :, :25].argmax(), (30, 25))
    assert np.abs(cell - [column, row]).max() <= 0.5

    best = Predictor(OPENPOSE, openpose, number_people_max=1)
    oracle(best, people, monkeypatch)
    only = best(image)
    np.testing.assert_array_equal(only.keypoints[0], found.keypoints[found.scores.argmax()])


def test_more_is_found_with_maximize_positives(openpose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    two_parts = np.full((1, 18, 2), -1000.0)
    two_parts[0, [1, 2]] = [[100, 100], [70, 100]]
    counts = []
    for maximize in (False, True):
        predict = Predictor(OPENPOSE, openpose, maximize_positives=maximize)
        oracle(predict, two_parts, monkeypatch)
        counts.append(len(predict(np.zeros((240, 240, 3), np.uint8))))
    assert counts == [0, 1]


def test_nobody_is_a_result(openpose: Path) -> None:
    people = Predictor(OPENPOSE, openpose)(np.zeros((64, 48, 3), np.uint8))
    assert people.keypoints.shape == (len(people), 18, 2)
    assert people.boxes.shape == (len(people), 4)
    assert people.skeleton is OPENPOSE18


def test_company_changes_nothing(openpose: Path, data: Path) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (*size, 3), dtype=np.uint8) for size in ((80, 60), (80, 60), (60, 90), (80, 60))]
    predict = Predictor(OPENPOSE, openpose, batch_size=4, maps=True)
    one_by_one = [predict(image) for image in images]
    for alone, people in zip(one_by_one, predict(images), strict=True):
        assert people.image_size == alone.image_size
        np.testing.assert_allclose(people.heatmaps, alone.heatmaps, atol=1e-5)


def test_images_are_read_as_results_are(openpose: Path) -> None:
    read = []

    def camera():
        for number in range(100):
            read.append(number)
            yield np.zeros((64, 64, 3), np.uint8)

    results = Predictor(OPENPOSE, openpose, batch_size=2)(camera())
    next(results)
    assert read == [0, 1]


@pytest.mark.parametrize(
    ('resolution', 'expected'),
    [((-1, 120), (120, 200)), ((100, -1), (64, 104)), ((100, 100), (64, 104)), ((400, 40), (40, 72))],
)
def test_net_resolution_keeps_the_aspect(
    resolution: tuple[int, int], expected: tuple[int, int], openpose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = Predictor(OPENPOSE, openpose, net_resolution=resolution)
    seen = []
    original = predict._estimator.model.predict_maps
    monkeypatch.setattr(
        predict._estimator.model, 'predict_maps', lambda inputs: seen.append(inputs.shape) or original(inputs)
    )
    predict(np.zeros((60, 100, 3), np.uint8))
    assert tuple(seen[0][-2:]) == expected


def test_scales_are_openposes(openpose: Path) -> None:
    predict = Predictor(OPENPOSE, openpose, scale_number=3, scale_gap=0.25)
    assert predict._estimator.model.test_cfg['scales'] == (1.0, 0.75, 0.5)
    with pytest.raises(UserError, match='scale_number 5'):
        Predictor(OPENPOSE, openpose, scale_number=5, scale_gap=0.25)


def test_single_people_have_no_maps_and_scales(data: Path, tmp_path: Path) -> None:
    config = CONFIGS / 'demo/simplepose_generated.py'
    with pytest.raises(UserError, match='leave out maximize_positives, candidates'):
        Predictor(config, checkpoint_of(config, tmp_path), maximize_positives=True, candidates=True)


@pytest.mark.parametrize('image', [np.zeros((5, 5, 2), np.uint8), np.zeros((5, 5, 3))])
def test_arrays_that_are_no_images(image: np.ndarray, openpose: Path) -> None:
    with pytest.raises(UserError, match=r'an image is \(H, W, 3\) uint8'):
        Predictor(OPENPOSE, openpose)(image)


@pytest.mark.parametrize('device', ['toaster', 'cuda:99'])
def test_devices_that_are_not_there(device: str, openpose: Path) -> None:
    with pytest.raises(UserError, match=f'device {device} cannot be used'):
        Predictor(OPENPOSE, openpose, device=device)


def frame(name: str) -> Frame:
    return Frame(np.zeros((4, 4, 3), np.uint8), name, name, None, name)


def test_box_files(tmp_path: Path) -> None:
    path = tmp_path / 'boxes.json'
    rows = [
        dict(image_id=139, category_id=1, bbox=[1, 2, 3, 4], score=0.5),
        dict(image_id=139, category_id=3, bbox=[1, 1, 1, 1], score=0.9),
        dict(file_name='a/street.jpg', bbox=[0, 0, 10, 20]),
    ]
    path.write_text(json.dumps(rows))
    boxes = BoxFile(path)
    np.testing.assert_allclose(boxes(frame('000000000139')), [[1, 2, 4, 6, 0.5]])
    np.testing.assert_allclose(boxes(frame('street')), [[0, 0, 10, 20, 1]])
    assert boxes(frame('other')).shape == (0, 5)


@pytest.mark.parametrize(
    'text', ['{', '[1]', '{"images": []}', '[{"bbox": [1, 2, 3, 4]}]', '[{"image_id": 1, "bbox": [1]}]']
)
def test_malformed_box_files(text: str, tmp_path: Path) -> None:
    path = tmp_path / 'boxes.json'
    path.write_text(text)
    with pytest.raises(UserError, match='boxes.json'):
        BoxFile(path)


DETECTOR = 'fasterrcnn_mobilenet_v3_large_320_fpn'


def test_detector_of_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = torchvision.models.get_model(DETECTOR, weights=None, weights_backbone=None)
    torch.save(network.state_dict(), tmp_path / 'detector.pth')
    detect = PersonDetector(DETECTOR, tmp_path / 'detector.pth')
    found = dict(
        boxes=torch.tensor([[1.0, 2, 3, 4], [0, 0, 9, 9], [5, 5, 8, 8]]),
        labels=torch.tensor([1, 3, 1]),
        scores=torch.tensor([0.9, 0.8, 0.2]),
    )
    seen = []
    monkeypatch.setattr(detect, '_network', lambda images: seen.append(images[0]) or [found])
    image = frame('street')
    image.image[..., 0] = 255  # blue
    np.testing.assert_allclose(detect(image), [[1, 2, 3, 4, 0.9]])
    assert seen[0][2].min() == 1  # the last of RGB
    assert seen[0][:2].max() == 0

    with pytest.raises(UserError, match=r'detector.pth are not the weights of torchvision.s retinanet_resnet50_fpn'):
        PersonDetector('retinanet_resnet50_fpn', tmp_path / 'detector.pth')
    with pytest.raises(UserError, match="no detector 'yolo'; give one of"):
        PersonDetector('yolo')


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_detector_goes_where_a_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the network of a pose does; where it only seems to be one, both say so."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    with pytest.raises(UserError, match="device cuda cannot be used .*; give 'cpu'"):
        PersonDetector(DETECTOR)


def test_detector_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError('no route')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', no_network)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: '/nowhere')
    monkeypatch.setattr('os.makedirs', lambda *args, **kwargs: None)
    with pytest.raises(UserError, match=r'cannot be downloaded .*https://.*--detector_weights'):
        PersonDetector(DETECTOR)
