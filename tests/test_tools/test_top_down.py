"""The single-person networks through the command lines, on synthetic people; and where ImageNet's weights come from."""

from __future__ import annotations

import json
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from command_lines import run_tool
from mmpose.registry import DATASETS
from shipped_configs import REPOSITORY
from torchvision.models import resnet18

from classicpose.errors import UserError
from custom_modules.configuration.loading import load_config
from custom_modules.datasets import TopDownCocoDataset
from custom_modules.engine import launch

CONFIGS = REPOSITORY / 'configs'
NETWORKS = ('simplepose', 'resnet18_regression', 'resnet18_heatmap', 'resnet18_rle')
# Eight people for training and as many for validation, read in the same process.
SMALL = [
    f'{loader}.{setting}'
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader')
    for setting in ('num_workers=0', 'persistent_workers=False', 'batch_size=4', 'dataset.indices=8')
]


@pytest.fixture(autouse=True)
def data(generated_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Synthetic people under both names."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    return generated_data


def options(epochs: int) -> list[str]:
    schedule = [f'train_cfg.max_epochs={epochs}', 'train_cfg.val_interval=1', f'param_scheduler.total_steps={epochs}']
    return [*SMALL, *schedule, 'default_hooks.checkpoint.interval=1']


@pytest.mark.parametrize('network', NETWORKS)
def test_train_resume_and_test(network: str, tmp_path: Path) -> None:
    """In one process each, without the time that starting takes."""
    config = CONFIGS / f'demo/{network}_generated.py'
    launch.train(config, work_dir=tmp_path, options=options(1))
    launch.train(config, work_dir=tmp_path, options=options(2), resume='auto')
    checkpoint = torch.load(tmp_path / 'epoch_2.pth')
    assert (checkpoint['meta']['epoch'], checkpoint['meta']['iter']) == (2, 4)
    metrics = launch.test(config, tmp_path / 'epoch_2.pth', work_dir=tmp_path, options=SMALL)
    assert 0 <= metrics['coco/AP'] <= 1


def test_the_command_lines_in_mixed_precision(tmp_path: Path) -> None:
    """And the images."""
    config = CONFIGS / 'demo/simplepose_generated.py'
    small = ['--cfg-options', *options(1), 'train_dataloader.batch_size=2', 'train_dataloader.dataset.indices=2']
    result = run_tool('train.py', config, '--work-dir', 'work', '--amp', *small, cwd=tmp_path)
    (log,) = (tmp_path / 'work').glob('*/*.log')
    assert 'loss_epoch_mean' in log.read_text()
    emulated = torch.backends.cpu.get_cpu_capability() == 'AVX2' and not torch.cuda.is_available()
    assert ('faster without --amp' in result.stdout + result.stderr) == emulated
    files = ['--out', 'metrics.json', '--show-dir', 'images', '--show-maps']
    run_tool('test.py', config, 'work/epoch_1.pth', '--work-dir', 'work', *files, '--cfg-options', *SMALL, cwd=tmp_path)
    assert 'coco/AP' in json.loads((tmp_path / 'metrics.json').read_text())
    names = {path.stem for path in (tmp_path / 'images').iterdir()}
    maps = {name for name in names if '_heatmaps' in name}  # one a person
    assert maps and {name.partition('_heatmaps')[0] for name in maps} == names - maps


@pytest.mark.parametrize('network', NETWORKS)
def test_mixed_precision_of_every_head(network: str, tmp_path: Path) -> None:
    config = CONFIGS / f'demo/{network}_generated.py'
    few = ['train_dataloader.batch_size=2', 'train_dataloader.dataset.indices=2']
    launch.train(config, work_dir=tmp_path, amp=True, validate=False, options=[*options(1), *few])
    state = torch.load(tmp_path / 'epoch_1.pth')['state_dict']
    assert all(value.dtype != torch.bfloat16 and value.isfinite().all() for value in state.values())


def test_the_first_run_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that names the address and both ways out; each of them works."""

    def unreachable(*args: object, **kwargs: object) -> None:
        raise urllib.error.URLError('no route to host')

    monkeypatch.setattr('torch.hub.urlopen', unreachable)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'empty'))
    config = CONFIGS / 'resnet18_regression_coco.py'
    once = [*SMALL, 'train_cfg.max_epochs=1']
    with pytest.raises(UserError) as caught:
        launch.train(config, work_dir=tmp_path, options=once)
    assert str(caught.value) == (
        'config model.backbone.init_cfg.checkpoint: cannot download '
        'https://download.pytorch.org/models/resnet18-f37072fd.pth (no route to host); download it elsewhere and pass '
        '--cfg-options model.backbone.init_cfg.checkpoint=/path/to/the/file, or train from random weights with '
        '--cfg-options model.backbone.init_cfg=None'
    )
    frozen = 'optim_wrapper.optimizer.lr=0'
    weights = resnet18(weights=None).state_dict()
    torch.save(weights, tmp_path / 'resnet18.pth')
    for way_out in (f'init_cfg.checkpoint={tmp_path}/resnet18.pth', 'init_cfg=None'):
        launch.train(config, work_dir=tmp_path, validate=False, options=[*once, frozen, f'model.backbone.{way_out}'])
        trained = torch.load(tmp_path / 'epoch_1.pth')['state_dict']['backbone.layer4.1.conv2.weight']
        assert torch.equal(trained, weights['layer4.1.conv2.weight']) == way_out.endswith('.pth')


def people(data: Path, **settings: object) -> TopDownCocoDataset:
    return TopDownCocoDataset(
        data_root=str(data / 'generated'),
        ann_file='annotations/person_keypoints_train2017.json',
        data_prefix=dict(img='train2017'),
        **settings,
    )


def test_everybody_with_keypoints_is_a_sample(data: Path) -> None:
    contents = json.loads((data / 'generated/annotations/person_keypoints_train2017.json').read_text())
    annotations = {a['id']: a for a in contents['annotations'] if a['num_keypoints'] and not a['iscrowd']}
    dataset = people(data)
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert {sample['id'] for sample in samples} == set(annotations)
    for sample in samples:
        truth = np.reshape(annotations[sample['id']]['keypoints'], (17, 3))
        np.testing.assert_allclose(sample['keypoints'][0], truth[:, :2], atol=1e-3)
        np.testing.assert_array_equal(sample['keypoints_visible'][0] > 0, truth[:, 2] > 0)


def test_the_whole_image_of_the_largest_person(data: Path) -> None:
    dataset = people(data, whole_image=True)
    samples = [dataset.get_data_info(index) for index in range(len(dataset))]
    alone = people(data)
    largest = {}
    for sample in (alone.get_data_info(index) for index in range(len(alone))):
        largest[sample['img_id']] = max(largest.get(sample['img_id'], 0), sample['area'])
    assert len(largest) < len(alone)
    assert {sample['img_id']: sample['area'] for sample in samples} == largest
    assert all(sample['bbox'].tolist() == [[0, 0, 192, 192]] for sample in samples)

    config = load_config(CONFIGS / 'simplepose_coco_whole_image.py')
    config.train_dataloader.dataset.pipeline = config.val_dataloader.dataset.pipeline
    packed = DATASETS.build(config.train_dataloader.dataset)[0]
    assert packed['inputs'].shape == (3, 256, 256)
    np.testing.assert_array_equal(packed['data_samples'].input_scale, [192, 192])


def test_unlabelled_joints_weigh_zero(data: Path) -> None:
    for network in NETWORKS:
        config = load_config(CONFIGS / f'demo/{network}_generated.py')
        del config.train_dataloader.dataset.pipeline[2:4]  # flips and moved boxes
        dataset = DATASETS.build(config.train_dataloader.dataset)
        seen = 0
        for index in range(len(dataset)):
            visible = dataset.get_data_info(index)['keypoints_visible'][0]
            weights = dataset[index]['data_samples'].gt_instance_labels.keypoint_weights.numpy().reshape(-1)
            assert (weights[visible == 0] == 0).all()
            seen += int((weights[visible > 0] > 0).sum())
        assert seen > 100


def test_an_annotation_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='none.json does not exist'):
        TopDownCocoDataset(data_root=str(tmp_path), ann_file='none.json')
    empty = dict(images=[], annotations=[], categories=[dict(id=1, name='person')])
    (tmp_path / 'empty.json').write_text(json.dumps(empty))
    with pytest.raises(UserError, match='empty.json: nobody has labelled keypoints'):
        TopDownCocoDataset(data_root=str(tmp_path), ann_file='empty.json')
