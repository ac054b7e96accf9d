"""MMPose's own functions and tools work with the shipped configs and checkpoints, and find what the Predictor finds."""

from __future__ import annotations

import json
import runpy
import sys
import time
from pathlib import Path

import cv2
import mmpose
import numpy as np
import pytest
import torch
from mmengine.visualization import Visualizer
from mmpose.apis import MMPoseInferencer, inference_bottomup, inference_topdown, init_model
from shipped_configs import CONFIGS, REPOSITORY

from classicpose import People, Predictor
from classicpose.images import read_image
from classicpose.inference.zoo import named_model
from classicpose.writers.video import VideoFile
from custom_modules.configuration.loading import load_config
from custom_modules.configuration.skeleton import dataset_meta
from custom_modules.prediction import find_model

TOOLS = Path(mmpose.__file__).parent / '.mim'
SAMPLES = REPOSITORY / 'docs/samples'
PHOTOGRAPH = SAMPLES / 'baseball_1888.jpg'
LITE = [str(path) for path in find_model(named_model('openpose_lite'))]
CASCADE = [str(path) for path in find_model(named_model('deeppose_flic_lite0'))]
BOX = np.array([[60, 40, 300, 280]], np.float32)
# The large networks, whose configs differ from others in names and numbers only.
LARGE = ('openpose_coco', 'openpose_hand', 'openpose_face', 'openpose_body25', 'openpose_mpi', 'openpose2019', 'hrnet')


@pytest.fixture(autouse=True)
def own_visualizer(monkeypatch: pytest.MonkeyPatch) -> None:
    """MMEngine keeps one of each name for the whole process."""
    monkeypatch.setattr(Visualizer, '_instance_dict', type(Visualizer._instance_dict)())


def assert_same_people(found: object, expected: People) -> None:
    """To a thousandth of a pixel, where a keypoint was found."""
    instances = found.pred_instances
    np.testing.assert_allclose(instances.keypoint_scores, expected.keypoint_scores, atol=1e-5)
    seen = expected.keypoint_scores > 0
    assert seen.any()
    np.testing.assert_allclose(instances.keypoints[seen], expected.keypoints[seen], atol=1e-3)


@pytest.mark.parametrize('image', [str(PHOTOGRAPH), cv2.imread(str(PHOTOGRAPH))], ids=['path', 'array'])
def test_inference_finds_what_the_predictor_finds(image: str | np.ndarray) -> None:
    (found,) = inference_bottomup(init_model(*LITE, device='cpu'), image)
    assert_same_people(found, Predictor(*LITE, device='cpu')(PHOTOGRAPH))
    (found,) = inference_topdown(init_model(*CASCADE, device='cpu'), image, BOX)
    boxes = np.append(BOX[0], 1)[None]
    assert_same_people(found, Predictor(*CASCADE, device='cpu', boxes=lambda frame: boxes)(PHOTOGRAPH))


@pytest.mark.parametrize(
    'path',
    [pytest.param(path, marks=pytest.mark.slow) if path.stem.startswith(LARGE) else path for path in CONFIGS],
    ids=lambda path: path.stem,
)
def test_every_config_is_a_model_of_mmposes(path: Path, tmp_path: Path) -> None:
    """From random weights, of a small image, with the body model that a checkpoint tells."""
    torch.save(dict(state_dict={}, meta=dataset_meta(load_config(path))), tmp_path / 'body.pth')
    model = init_model(str(path), str(tmp_path / 'body.pth'), device='cpu')
    assert model.dataset_meta['num_keypoints'] == len(model.dataset_meta['keypoint_id2name'])
    image = np.random.default_rng(0).integers(0, 255, (40, 30, 3), np.uint8)
    if model.cfg.data_mode == 'topdown':
        (found,) = inference_topdown(model, image)
    else:
        (found,) = inference_bottomup(model, image)
    assert found.pred_instances.keypoints.shape[1:] == (model.dataset_meta['num_keypoints'], 2)


def test_the_inferencer_reads_images_folders_and_videos_and_draws(tmp_path: Path) -> None:
    with VideoFile(tmp_path / 'walk.mp4') as video:
        video.write(read_image(str(PHOTOGRAPH)))
    config, checkpoint = LITE
    infer = MMPoseInferencer(pose2d=config, pose2d_weights=checkpoint, device='cpu')
    drawn = tmp_path / 'drawn'
    inputs = (str(PHOTOGRAPH), str(SAMPLES), str(tmp_path / 'walk.mp4'))
    (image,), folder, (frame,) = (list(infer(given, vis_out_dir=str(drawn))) for given in inputs)
    expected = Predictor(*LITE, device='cpu')(PHOTOGRAPH)
    for result in (image, folder[1]):
        ((person,),) = result['predictions']
        np.testing.assert_allclose(person['keypoint_scores'], expected.keypoint_scores[0], atol=1e-5)
    assert len(frame['predictions'][0]) == 1
    assert {path.name for path in drawn.iterdir()} == {'astronaut.jpg', PHOTOGRAPH.name, 'walk.mp4'}
    changed = np.abs(cv2.imread(str(drawn / PHOTOGRAPH.name)).astype(int) - cv2.imread(str(PHOTOGRAPH)))
    assert 0.005 < (changed.max(axis=2) > 60).mean() < 0.2

    infer = MMPoseInferencer(pose2d=CASCADE[0], pose2d_weights=CASCADE[1], device='cpu')
    (result,) = infer(str(PHOTOGRAPH))
    assert len(result['predictions'][0]) == 1  # without a detector the full image is the box


def test_heatmaps_are_drawn_where_keypoints_are(tmp_path: Path) -> None:
    """The background's map, which is high nearly everywhere, would cover the image."""
    infer = MMPoseInferencer(pose2d=LITE[0], pose2d_weights=LITE[1], device='cpu')
    (result,) = infer(str(PHOTOGRAPH), draw_heatmap=True, return_vis=True)
    image = result['visualization'][0]  # the drawn image above its heatmaps, or beside them
    reddest = (image[..., 0].astype(int) - image[..., 2] > 120).mean()
    assert reddest < 0.1


def run_tool(monkeypatch: pytest.MonkeyPatch, folder: Path, tool: str, *args: object) -> None:
    """One of MMPose's tools, in this process."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, args)])
    runpy.run_path(str(TOOLS / tool), run_name='__main__')


@pytest.fixture
def data(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    return generated_data


@pytest.mark.parametrize('config', [LITE[0], CASCADE[0]], ids=['openpose_lite', 'cascade'])
def test_tools_that_look_at_a_config(
    config: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    run_tool(monkeypatch, tmp_path, 'tools/analysis_tools/get_flops.py', config, '--input-shape', 64, 64)
    assert 'Flops:' in capsys.readouterr().out
    run_tool(monkeypatch, tmp_path, 'tools/analysis_tools/print_config.py', config)
    assert 'test_dataloader = dict(' in capsys.readouterr().out
    for mode in ('original', 'transformed'):
        for phase in ('train', 'val'):
            out = tmp_path / f'{mode}_{phase}'
            options = ('--not-show', '--mode', mode, '--phase', phase, '--max-item-per-dataset', 1)
            run_tool(monkeypatch, tmp_path, 'tools/misc/browse_dataset.py', config, '--output-dir', out, *options)
            assert len(list(out.iterdir())) >= 1


def test_training_testing_and_publishing(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ('train_cfg.max_iters=1', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1')
    options += ('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False')
    options += ('val_dataloader.num_workers=0', 'val_dataloader.persistent_workers=False')
    config = REPOSITORY / 'configs/demo/openpose_generated.py'
    run_tool(monkeypatch, tmp_path, 'tools/train.py', config, '--work-dir', 'work', '--cfg-options', *options)
    checkpoint = tmp_path / 'work/iter_1.pth'
    run_tool(
        monkeypatch, tmp_path, 'tools/test.py', config, checkpoint, '--work-dir', 'work', '--show-dir', 'shown',
        '--cfg-options', 'test_dataloader.num_workers=0', 'test_dataloader.persistent_workers=False',
    )  # fmt: skip
    assert len(list(tmp_path.glob('work/*/shown/*'))) >= 1
    run_tool(monkeypatch, tmp_path, 'tools/misc/publish_model.py', checkpoint, tmp_path / 'published.pth')
    published = renamed(tmp_path, 'published-*.pth')
    model = init_model(str(config), str(published), device='cpu')
    assert model.dataset_meta['dataset_name'] == 'coco_openpose'


def renamed(folder: Path, pattern: str) -> Path:
    """publish_model.py starts ``mv`` and ends without waiting for it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in folder.glob(pattern):
            return path
        time.sleep(0.05)
    raise AssertionError(f'no {pattern} in {folder}')


def test_the_demo_for_networks_that_find_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ('--input', PHOTOGRAPH, '--output-root', 'demo', '--device', 'cpu', '--save-predictions')
    run_tool(monkeypatch, tmp_path, 'demo/bottomup_demo.py', *LITE, *options)
    (person,) = json.loads((tmp_path / f'demo/results_{PHOTOGRAPH.stem}.json').read_text())['instance_info']
    expected = Predictor(*LITE, device='cpu')(PHOTOGRAPH)
    np.testing.assert_allclose(person['keypoint_scores'], expected.keypoint_scores[0], atol=1e-5)
