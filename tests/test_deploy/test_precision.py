"""Half precision and INT8: what they cost is measured, and too much is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import tiny_cascade
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from onnx import numpy_helper
from shipped_configs import REPOSITORY

from classicpose.errors import UserError
from classicpose.images import read_image
from classicpose.inference import Predictor
from classicpose.inference.zoo import named_model
from classicpose.networks.session import open_session, run_session
from classicpose.skeletons import COCO17, OPENPOSE18, convert_keypoints
from custom_modules.configuration.loading import load_config
from custom_modules.datasets import FlicDataset
from custom_modules.deploy import precision
from custom_modules.deploy.export import export
from custom_modules.deploy.precision import evaluate, export_smaller
from custom_modules.prediction import find_model

PHOTOGRAPHS = REPOSITORY / 'docs/samples'


@pytest.fixture
def lite(
    generated_data: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> tuple[Config, Path]:
    """The shipped network, tested on two photographs with the people that it finds there: its AP is 1."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    folder = tmp_path_factory.mktemp('photographs')
    config, checkpoint = find_model(named_model('openpose_lite'))
    predict = Predictor(config, checkpoint, device='cpu')
    images, annotations = [], []
    for number, path in enumerate(sorted(PHOTOGRAPHS.glob('*.jpg')), start=1):
        people = predict(path)
        height, width = read_image(str(path)).shape[:2]
        images.append(dict(id=number, file_name=path.name, width=width, height=height))
        for keypoints, scores in zip(people.keypoints, people.keypoint_scores, strict=True):
            annotations.append(_annotation(len(annotations) + 1, number, keypoints, scores))
    contents = dict(images=images, annotations=annotations, categories=[dict(id=1, name='person')])
    (folder / 'people.json').write_text(json.dumps(contents))
    options = [
        f'test_dataloader.dataset.data_root={folder}', 'test_dataloader.dataset.ann_file=people.json',
        f'test_dataloader.dataset.data_prefix.img={PHOTOGRAPHS}', f'test_evaluator.ann_file={folder}/people.json',
    ]  # fmt: skip
    cfg = load_config(config, options)
    trained_on = cfg.train_dataloader.dataset.get('datasets', [cfg.train_dataloader.dataset])[0]
    trained_on.update(data_root=str(folder), ann_file='people.json', data_prefix=dict(img=str(PHOTOGRAPHS)))
    return cfg, checkpoint


def _annotation(number: int, image: int, keypoints: np.ndarray, scores: np.ndarray) -> dict:
    points, found = convert_keypoints(keypoints[None], (scores > 0)[None].astype(float), OPENPOSE18, COCO17)
    points, found = points[0], found[0] > 0
    (left, top), (right, bottom) = points[found].min(axis=0), points[found].max(axis=0)
    triplets = np.column_stack([np.where(found[:, None], points, 0), 2 * found])
    return dict(
        id=number, image_id=image, category_id=1, iscrowd=0, num_keypoints=int(found.sum()),
        bbox=[float(left), float(top), float(right - left), float(bottom - top)],
        area=float((right - left) * (bottom - top)), keypoints=triplets.ravel().tolist(),
    )  # fmt: skip


@pytest.mark.parametrize(('kind', 'share', 'loss'), [('half', 0.55, 0.01), ('int8', 0.35, 0.1)])
def test_a_smaller_file(lite: tuple[Config, Path], kind: str, share: float, loss: float, tmp_path: Path) -> None:
    cfg, checkpoint = lite
    smaller = export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', kind, largest_loss=loss)
    assert smaller.metric == 'coco/AP'
    assert smaller.before > 0.95
    assert smaller.after >= smaller.before - loss
    model = MODELS.build(cfg.model)
    parameters = sum(weights.numel() for weights in model.parameters())
    assert smaller.exported.path.stat().st_size < share * 4 * parameters
    predict = Predictor(smaller.exported.path)
    photograph = PHOTOGRAPHS / 'astronaut.jpg'
    assert len(predict(photograph)) == len(Predictor('openpose_lite')(photograph)) == 1


def test_eight_bits_keep_the_maps_on_every_cpu(lite: tuple[Config, Path], tmp_path: Path) -> None:
    """Quantised before their activations instead of after them, the heatmaps would be off by 0.025.

    CPUs without VNNI add two products, of an activation and a weight, in 16 bits.
    """
    cfg, checkpoint = lite
    whole = export(cfg, checkpoint, tmp_path / 'whole.onnx').path
    small = export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', 'int8', force=True).exported.path
    image = cv2.resize(read_image(str(PHOTOGRAPHS / 'baseball_1888.jpg')), (256, 368))
    inputs = np.float32((image[..., ::-1].transpose(2, 0, 1)[None] - 127.0) / 128)
    expected, found = (run_session(open_session(path), inputs) for path in (whole, small))
    for of_file, of_network, limit in zip(found, expected, (0.02, 0.15), strict=True):  # heatmaps, affinity fields
        assert np.linalg.norm(of_file - of_network) < limit * np.linalg.norm(of_network)
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in onnx.load(small).graph.initializer
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 4
    ]
    assert len(weights) > 50
    assert 255 * 2 * max(np.abs(values.astype(int)).max() for values in weights) < 2**15


def spoilt(layers: slice) -> Callable[[Path, Path], None]:
    """A conversion that loses the weights of some of the convolutions, counted from the input."""

    def convert(source: Path, target: Path) -> None:
        proto = onnx.load(source)
        kernels = [tensor for tensor in proto.graph.initializer if len(tensor.dims) == 4]
        for kernel in kernels[layers]:
            kernel.CopyFrom(numpy_helper.from_array(0 * numpy_helper.to_array(kernel), kernel.name))
        onnx.save(proto, target)

    return convert


def test_too_much_is_refused(lite: tuple[Config, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg, checkpoint = lite
    monkeypatch.setattr(precision, '_halve', spoilt(slice(None, 1)))
    with pytest.raises(UserError, match=r'half costs (0\.[5-9]|1\.)\d* of coco/AP, from .* more than 0\.01'):
        export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', 'half')
    assert not list(tmp_path.iterdir())
    assert export_smaller(cfg, checkpoint, tmp_path / 'small.onnx', 'half', force=True).after < 0.5


TRUTH: dict[int, np.ndarray] = {}


class OwnTruth(FlicDataset):
    """FLIC's people where a cascade locates them."""

    def load_data_list(self) -> list[dict]:
        people = super().load_data_list()
        return [dict(person, keypoints=TRUTH.get(person['id'], person['keypoints'])) for person in people]


@pytest.fixture
def cascade(generated_flic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Config, Path]:
    """A cascade of three small networks that know nothing, and data in which everybody is where it says."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_flic))
    monkeypatch.setattr(precision, '_CALIBRATION_IMAGES', 2)
    cfg = load_config(tiny_cascade.write(tmp_path), ['test_dataloader.dataset.indices=6'])
    cfg.test_dataloader.dataset.type = OwnTruth
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    model.init_weights()
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'cascade.pth')
    TRUTH.clear()
    test_step = model.test_step

    def recorded(batch: dict) -> list:
        samples = test_step(batch)
        TRUTH.update({sample.id: sample.pred_instances.keypoints for sample in samples})
        return samples

    monkeypatch.setattr(model, 'test_step', recorded)
    assert evaluate(cfg, model)[1] < 0.9
    return cfg, tmp_path / 'cascade.pth'


def test_a_cascade_is_judged_by_its_last_stage(
    cascade: tuple[Config, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg, checkpoint = cascade
    out = tmp_path / 'out.onnx'
    smaller = export_smaller(cfg, checkpoint, out, 'half')
    assert (smaller.metric, smaller.before) == ('pdj/auc', 1)
    assert smaller.after > 0.99
    smaller = export_smaller(cfg, checkpoint, out, 'int8', force=True)  # measured on crops around real boxes
    assert smaller.metric == 'pdj/auc'
    monkeypatch.setattr(precision, '_halve', spoilt(slice(-3, None)))
    with pytest.raises(UserError, match='of pdj/auc, from 1.0000 to'):
        export_smaller(cfg, checkpoint, out, 'half')
