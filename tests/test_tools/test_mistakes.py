"""A user's mistake gives one line that names the thing and the remedy, and exit status 2."""

from __future__ import annotations

import functools
import inspect
import operator
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_lines import only_error, run_tool
from mmengine.runner import Runner
from mmpose.registry import MODELS, TRANSFORMS
from torch import nn

from classicpose.errors import UserError, report_errors
from custom_modules.engine import launch

Mistake = Callable[..., str]


@pytest.fixture
def mistake(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Mistake:
    """Calls a function as a command line would; expects a mistake and returns its line."""

    def call(function: Callable, *args: object, **kwargs: object) -> str:
        with pytest.raises(SystemExit) as stop, report_errors():
            function(*args, **kwargs)
        assert stop.value.code == 2
        return only_error(capsys.readouterr().err)

    return call


@TRANSFORMS.register_module()
class RefuseImage:
    """Stands for whatever finds an image unreadable, in a data-loading worker."""

    def __call__(self, results: dict) -> dict:
        raise UserError(f'image {results["img_path"]} is truncated:\ndownload it again')


def test_the_command_line_ends_with_status_2(tmp_path: Path):
    result = run_tool('train.py', 'configs/none.py', cwd=tmp_path, status=2)
    assert only_error(result.stderr) == 'config configs/none.py does not exist'
    assert result.stdout == ''


@pytest.mark.parametrize('workers', [0, 1])
def test_an_unreadable_image(config: Path, tmp_path: Path, mistake: Mistake, workers: int):
    options = [
        f'train_dataloader.num_workers={workers}',
        'train_dataloader.dataset.pipeline.0.type=mmpose.RefuseImage',
    ]
    message = mistake(launch.train, config, work_dir=tmp_path, options=options)
    assert message.startswith('image ')
    assert message.endswith('.jpg is truncated: download it again')


@pytest.mark.parametrize(
    ('old', 'new', 'expected'),
    [
        ('depth=18', 'dpth=18', 'config model.backbone: ResNet takes no dpth: did you mean depth?'),
        ('depth=18, ', '', "config model.backbone: ResNet needs 'depth'"),
        (
            'type=ResNet,',
            "type='Resnet',",
            'config model.backbone.type: no Resnet is registered as model: '
            'did you mean ResNet or ResNeXt or ResNeSt?',
        ),
        ('lr=0.001', 'learn=1', 'config optim_wrapper.optimizer: SGD takes no learn: there are '),
        ('batch_size', 'batchsize', 'config train_dataloader: train_dataloader takes no batchsize'),
        (
            'depth=18',
            "depth=18, init_cfg=dict(type='Pretrained', checkpoint='none.pth')",
            'config model.backbone.init_cfg.checkpoint: none.pth does not exist',
        ),
        ('val_cfg = dict(type=ValLoop)', 'val_cfg = None', 'val_evaluator: give all of them'),
        ('train_cfg =', 'train_config =', 'bad.py has no train_cfg'),
        (
            'dict(type=ResNet, depth=18, base_channels=2, stem_channels=2)',
            '18',
            'config model (TopdownPoseEstimator): TypeError: cfg should be a dict',
        ),
        ('type=GlobalAveragePooling', 'size=3', 'a group of settings lacks its type: '),
    ],
)  # fmt: skip
def test_a_wrong_setting_in_the_config(
    config: Path, tmp_path: Path, mistake: Mistake, old: str, new: str, expected: str
):
    text = config.read_text()
    assert old in text
    bad = tmp_path / 'bad.py'
    bad.write_text(text.replace(old, new))
    assert expected in mistake(launch.train, bad, work_dir=tmp_path / 'work')


@pytest.mark.parametrize(
    ('option', 'expected'),
    [
        ('train_dataloader.batch_size=0', 'config train_dataloader: ValueError: batch_size should be a positive'),
        ('train_dataloader.num_workers=-1', 'config train_dataloader: ValueError: num_workers'),
        ('train_dataloader.num_workers=999999', 'config train_dataloader: ValueError: num_workers=999999 is too many'),
        ('model.backbone.depth=x', 'config model.backbone (ResNet): KeyError'),
        ('model.backbone.depth=None', 'config model.backbone (ResNet): KeyError'),
        ('model.head.in_channels=None', 'config model.head (RegressionHead): '),
        ('model.head.in_channels=3', 'config model.head (RegressionHead): RuntimeError: mat1 and mat2'),
        ('train_dataloader.dataset.pipeline=[]', 'config model.data_preprocessor (PoseDataPreprocessor): '),
        ('train_dataloader.dataset.ann_file=[]', 'config train_dataloader.dataset (CocoDataset): '),
        (
            'train_dataloader.dataset.pipeline.2.input_size=x',
            'config train_dataloader.dataset.pipeline.2 (TopdownAffine)',
        ),
        ('train_cfg.max_epochs=1.5', 'config train_cfg (EpochBasedTrainLoop): '),
        ('default_scope=1e30', 'default_scope=1e+30'),
        ('optim_wrapper.optimizer.lr=x', 'config optim_wrapper'),
        ('default_hooks=None', 'given on the command line: default_hooks=None'),
        ('param_scheduler=5', 'given on the command line: param_scheduler=5'),
    ],
)
def test_a_wrong_value_on_the_command_line(
    config: Path, tmp_path: Path, mistake: Mistake, option: str, expected: str
) -> None:
    message = mistake(launch.train, config, work_dir=tmp_path, validate=False, options=[option])
    assert expected in message
    assert f'given on the command line: {option.split("=")[0]}=' in message
    assert message.endswith('CLASSICPOSE_TRACEBACK=1 in the environment shows the traceback')


def test_a_training_of_nothing(config: Path, tmp_path: Path, mistake: Mistake) -> None:
    message = mistake(launch.train, config, work_dir=tmp_path, options=['train_cfg.max_epochs=-1'])
    assert 'no iteration was trained' in message


def test_settings_of_worker_processes_without_workers(config: Path, tmp_path: Path) -> None:
    options = ['train_dataloader.persistent_workers=True', 'train_dataloader.prefetch_factor=2']
    launch.train(config, work_dir=tmp_path, validate=False, options=[*options, 'train_cfg.max_epochs=1'])
    assert (tmp_path / 'epoch_1.pth').is_file()


@TRANSFORMS.register_module()
class BuggyPlugIn:
    def __call__(self, results: dict) -> dict:
        return results['no such key']


@pytest.mark.parametrize('workers', [0, 1])
def test_the_bug_of_a_plug_in_is_findable(
    config: Path, tmp_path: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    bad = tmp_path / 'bad.py'
    bad.write_text(
        config.read_text().replace('dict(type=GenerateTarget, encoder=codec)', "dict(type='mmpose.BuggyPlugIn')")
    )
    message = mistake(launch.train, bad, work_dir=tmp_path, options=[f'train_dataloader.num_workers={workers}'])
    line = inspect.getsourcelines(BuggyPlugIn.__call__)[1] + 1
    assert "config train_dataloader.dataset.pipeline.3 (BuggyPlugIn): KeyError: 'no such key'" in message
    assert f'raised in {__file__}, line {line}' in message


def test_a_traceback_is_shown_on_request(config: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv('CLASSICPOSE_TRACEBACK', '1')
    with pytest.raises(SystemExit), report_errors():
        launch.train(config, work_dir=tmp_path, options=['model.backbone.depth=x'])
    error = capsys.readouterr().err
    assert 'Traceback' in error
    assert 'resnet.py' in error
    assert 'error: config model.backbone' in error


@pytest.mark.parametrize('number', ['None', 'x'])
def test_a_wrong_value_that_shows_after_an_epoch(config: Path, tmp_path: Path, mistake: Mistake, number: str) -> None:
    option = f'default_hooks.checkpoint.interval={number}'
    message = mistake(launch.train, config, work_dir=tmp_path, validate=False, options=[option])
    assert 'config default_hooks.checkpoint (CheckpointHook): TypeError' in message
    assert f'given on the command line: {option}' in message


def test_a_bug_in_what_has_worked_keeps_its_traceback(config: Path, tmp_path: Path, monkeypatch) -> None:
    def failing(hook: object, runner: Runner) -> None:
        if runner.epoch == 1:
            raise TypeError('a bug')

    monkeypatch.setattr('mmengine.hooks.CheckpointHook.after_train_epoch', failing)
    with pytest.raises(TypeError, match='a bug'), report_errors():
        launch.train(config, work_dir=tmp_path, validate=False)


@MODELS.register_module()
class Dividing(nn.Module):
    def forward(self, inputs: tuple) -> torch.Tensor:
        return inputs[0] / (1 // 0)


def test_a_division_by_zero_in_the_first_iteration(
    config: Path, tmp_path: Path, mistake: Mistake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A component's own is told in one line; a library's, deep below one, keeps its traceback."""
    bad = tmp_path / 'bad.py'
    bad.write_text(config.read_text().replace('type=GlobalAveragePooling', "type='mmpose.Dividing'"))
    line = inspect.getsourcelines(Dividing.forward)[1] + 1
    message = mistake(launch.train, bad, work_dir=tmp_path, validate=False)
    assert message.startswith('config model.neck (Dividing): ZeroDivisionError: ')
    assert f'raised in {__file__}, line {line};' in message

    of_torch = {}
    exec(compile('def forward(self, inputs): return inputs / (1 // 0)', nn.__file__, 'exec'), of_torch)
    monkeypatch.setattr(nn.ReLU, 'forward', of_torch['forward'])
    with pytest.raises(ZeroDivisionError), report_errors():
        launch.train(config, work_dir=tmp_path, validate=False)


@pytest.mark.parametrize(
    ('where', 'what'),
    [
        *(('meta.iter', count) for count in (10**400, -1, 2**62, 1.5, None)),
        ('optimizer.param_groups.0.lr', {}),
        ('optimizer.state.0', {'momentum_buffer': {}}),
    ],
)
def test_a_checkpoint_with_an_impossible_state(
    config: Path, trained: Path, tmp_path: Path, mistake: Mistake, where: str, what: object
) -> None:
    checkpoint = torch.load(trained / 'epoch_1.pth', weights_only=False)
    *groups, last = (int(part) if part.isdecimal() else part for part in where.split('.'))
    functools.reduce(operator.getitem, groups, checkpoint)[last] = what
    torch.save(checkpoint, tmp_path / 'odd.pth')
    message = mistake(launch.train, config, work_dir=tmp_path, resume=tmp_path / 'odd.pth', validate=False)
    assert 'odd.pth cannot be resumed from' in message


def test_a_checkpoint_that_is_none(config: Path, trained: Path, tmp_path: Path, mistake: Mistake):
    good = trained / 'epoch_2.pth'

    def message(name: str) -> str:
        return mistake(launch.test, config, tmp_path / name, work_dir=tmp_path)

    assert message('none.pth') == f'checkpoint {tmp_path}/none.pth does not exist'
    (tmp_path / 'half.pth').write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    assert 'half.pth is incomplete' in message('half.pth')
    (tmp_path / 'image.pth').write_bytes(b'\xff\xd8\xff\xe0')
    assert 'image.pth is not a checkpoint' in message('image.pth')
    (tmp_path / 'junk.pth').write_bytes(b'\x80\x02junk')
    assert 'junk.pth is damaged or not a checkpoint' in message('junk.pth')
    zipfile.ZipFile(tmp_path / 'archive.pth', 'w').writestr('file', 'text')
    assert 'archive.pth is damaged or not a checkpoint' in message('archive.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    assert 'list.pth holds a list, not the weights of a model' in message('list.pth')
    torch.save({'code': RefuseImage()}, tmp_path / 'code.pth')
    assert 'RefuseImage' in message('code.pth')
    shutil.copy(good, tmp_path / 'epoch_1.pth')
    assert f'is a folder: give a file in it, such as {tmp_path}/' in message('.')


def test_a_checkpoint_of_another_model(config: Path, trained: Path, tmp_path: Path, mistake: Mistake):
    checkpoint = trained / 'epoch_2.pth'
    deeper = dict(options=['model.backbone.depth=34'], work_dir=tmp_path)
    expected = (
        f'checkpoint {checkpoint} does not fit this config (model TopdownPoseEstimator): of 218 '
        'tensors 80 missing (backbone.layer1.2.conv1.weight, backbone.layer1.2.bn1.weight, '
        'backbone.layer1.2.bn1.bias, ...): use the config it was trained with'
    )
    assert mistake(launch.test, config, checkpoint, **deeper) == expected
    assert mistake(launch.train, config, resume=checkpoint, **deeper) == expected


def test_wrong_arguments(config: Path, trained: Path, tmp_path: Path, mistake: Mistake):
    assert 'start with `torchrun' in mistake(launch.train, config, work_dir=tmp_path, launcher='pytorch')
    assert 'gone.pth does not exist' in mistake(launch.train, config, work_dir=tmp_path, resume='gone.pth')
    assert 'cannot make the folder' in mistake(launch.train, config, work_dir=config / 'inside')
    options = ['optim_wrapper.type=SpecialOptimWrapper']
    assert 'optim_wrapper.type is SpecialOptimWrapper' in mistake(
        launch.train, config, work_dir=tmp_path, amp=True, options=options
    )
    test = (launch.test, config, trained / 'epoch_2.pth')
    assert 'must end in .pkl' in mistake(*test, work_dir=tmp_path, dump='all.json')
    assert 'give the name of a file' in mistake(*test, work_dir=tmp_path, out=tmp_path)
