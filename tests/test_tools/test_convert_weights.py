"""tools/convert_weights.py: what it writes is what tools/test.py loads, and its users' mistakes."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from command_lines import TOOLS, only_error, run_tool
from mmengine.config import Config
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY
from torch import nn

from custom_modules.models.weights.caffe import read_caffemodel, write_caffemodel
from custom_modules.models.weights.openpose import OPENPOSE, OPENPOSE_MPI
from custom_modules.models.weights.released import Network, from_ours
from projects.lightweight_openpose.released_weights import LIGHTWEIGHT_OPENPOSE

Run = Callable[..., None]


def our_weights(network: Network, number: int) -> dict[str, torch.Tensor]:
    config = Config.fromfile(REPOSITORY / network.config)
    config.merge_from_dict({network.stages_setting: number})
    return MODELS.build(config.model).state_dict()


@pytest.fixture(scope='module')
def osokin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as Osokin's training program writes them, of three refinement stages."""
    torch.manual_seed(0)
    weights = from_ours(our_weights(LIGHTWEIGHT_OPENPOSE, 3), LIGHTWEIGHT_OPENPOSE.namings[0])
    optimizer = torch.optim.Adam([nn.Parameter(torch.ones(2))])
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[100, 200, 260], gamma=0.333)
    path = tmp_path_factory.mktemp('osokin') / 'checkpoint_iter_370000.pth'
    contents = dict(
        state_dict=weights,
        optimizer=optimizer.state_dict(),
        scheduler=scheduler.state_dict(),
        iter=370000,
        current_epoch=9,
    )
    torch.save(contents, path, _use_new_zipfile_serialization=False)  # as PyTorch before 1.6 did
    return path


@pytest.fixture(scope='module')
def caffe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of OpenPose's first stage as body_pose_model.pth holds them."""
    path = tmp_path_factory.mktemp('caffe') / 'body_pose_model.pth'
    torch.save(from_ours(our_weights(OPENPOSE, 1), OPENPOSE.namings[0]), path)
    return path


@pytest.fixture
def convert(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs the tool in this process, which has MMPose imported already."""
    spec = importlib.util.spec_from_file_location('convert_weights', TOOLS / 'convert_weights.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    monkeypatch.chdir(tmp_path)

    def run(*args: object) -> None:
        monkeypatch.setattr(sys, 'argv', ['convert_weights.py', *map(str, args)])
        tool.main()

    return run


def test_convert_then_test(osokin: Path, generated_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command that it prints, from the repository's root."""
    monkeypatch.setenv('CLASSICPOSE_DATA', str(generated_data))
    dest = tmp_path / 'new/lightweight.pth'
    said = run_tool('convert_weights.py', osokin, dest, '--stages', 2, cwd=tmp_path).stdout
    config = LIGHTWEIGHT_OPENPOSE.config
    tensors = len(our_weights(LIGHTWEIGHT_OPENPOSE, 1))
    line = f'{dest}: {tensors} tensors of Lightweight OpenPose, 2 stages; python tools/test.py {config} {dest}\n'
    assert said == line
    assert [path.name for path in dest.parent.iterdir()] == ['lightweight.pth']
    run_tool('test.py', REPOSITORY / config, dest, '--out', tmp_path / 'metrics.json', '--work-dir', tmp_path / 'work',
             cwd=tmp_path)  # fmt: skip
    assert 'coco/AP' in json.loads((tmp_path / 'metrics.json').read_text())


@pytest.fixture(scope='module')
def openpose_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """OpenPose's folder of models, with weights of the first stage only."""
    folder = tmp_path_factory.mktemp('openpose') / 'models'
    for network, file in ((OPENPOSE, 'coco/pose_iter_440000'), (OPENPOSE_MPI, 'mpi/pose_iter_160000')):
        path = folder / f'pose/{file}.caffemodel'
        path.parent.mkdir(parents=True)
        write_caffemodel(from_ours(our_weights(network, 1), network.namings[0]), path)
    return folder


def test_a_folder_of_openposes_models(openpose_models: Path, convert: Run, capsys: pytest.CaptureFixture) -> None:
    """Every model gets its own name; what it writes back is what was read."""
    convert(openpose_models, 'openpose')
    assert sorted(path.name for path in Path('openpose').iterdir()) == ['coco.pth', 'mpi.pth']
    said = capsys.readouterr().out
    assert 'openpose/mpi.pth: 44 tensors of OpenPose MPI, 1 stages; python tools/test.py' in said
    assert 'configs/openpose_mpi_released.py openpose/mpi.pth --cfg-options model.head.num_stages=1' in said
    convert('openpose/mpi.pth', 'back.caffemodel', '--to', 'caffe')
    back, original = (
        read_caffemodel(path) for path in ('back.caffemodel', openpose_models / 'pose/mpi/pose_iter_160000.caffemodel')
    )
    assert back.keys() == original.keys()
    assert all(torch.equal(back[name], original[name]) for name in original)


def test_bad_caffe_files(openpose_models: Path, convert: Run, capsys: pytest.CaptureFixture) -> None:
    good = openpose_models / 'pose/coco/pose_iter_440000.caffemodel'
    Path('short.caffemodel').write_bytes(good.read_bytes()[:-1000])
    Path('deploy.prototxt').write_text('input: "image"\n')
    weights = read_caffemodel(good)
    write_caffemodel(weights | {'conv1_2.bias': torch.zeros(63)}, Path('misshapen.caffemodel'))
    write_caffemodel({'fc6.weight': torch.zeros(3, 4), 'fc6.bias': torch.zeros(3)}, Path('unknown.caffemodel'))
    Path('empty').mkdir()
    for source, message in (
        ('short.caffemodel', 'short.caffemodel is cut short or no .caffemodel'),
        ('deploy.prototxt', 'deploy.prototxt is text'),
        ('misshapen.caffemodel', '1 of another shape (conv1_2.bias 63 instead of 64)'),
        ('unknown.caffemodel', 'no tensor has a name of a known network (the first are fc6.weight, fc6.bias)'),
        ('empty', 'empty has no .caffemodel file'),
    ):
        assert message in fails(convert, capsys, source, 'dest.pth')
    assert 'only --to caffe writes' in fails(convert, capsys, good, 'dest.caffemodel')
    assert '--to and --stages are for single files' in fails(convert, capsys, 'empty', 'dest', '--stages', 2)
    Path('models').mkdir()
    for name in ('a', 'b'):
        Path(f'models/{name}.caffemodel').write_bytes(good.read_bytes())
    assert 'both hold weights of OpenPose' in fails(convert, capsys, 'models', 'dest')


def test_all_stages_need_a_setting(osokin: Path, convert: Run, capsys: pytest.CaptureFixture) -> None:
    convert(osokin, 'all.pth')
    assert capsys.readouterr().out.endswith('all.pth --cfg-options model.head.num_refinements=3\n')
    contents = torch.load('all.pth', weights_only=True)
    assert contents['meta'].pop('dataset_meta')['dataset_name'] == 'coco_openpose'
    assert contents['meta'] == dict(converted_from='checkpoint_iter_370000.pth', naming='lightweight')
    expected = our_weights(LIGHTWEIGHT_OPENPOSE, 3)
    assert {name: tensor.shape for name, tensor in contents['state_dict'].items()} == {
        name: tensor.shape for name, tensor in expected.items()
    }


@pytest.mark.parametrize(
    ('file', 'naming', 'first'),
    [
        ('caffe', 'caffe', 'conv1_1.weight'),
        ('caffe', 'pytorch-openpose', 'model0.conv1_1.weight'),
        ('caffe', 'rtpose', 'model0.0.weight'),
        ('osokin', 'lightweight', 'model.0.0.weight'),
    ],
)
def test_there_and_back(file: str, naming: str, first: str, convert: Run, request: pytest.FixtureRequest) -> None:
    source = request.getfixturevalue(file)
    convert(source, 'ours.pth')
    convert('ours.pth', 'theirs.pth', '--to', naming)
    theirs = torch.load('theirs.pth', weights_only=True)
    if file == 'osokin':
        assert theirs.keys() == {'state_dict'}
        theirs = theirs['state_dict']
    assert next(iter(theirs)) == first
    if naming not in ('caffe', 'lightweight'):
        convert('theirs.pth', 'again.pth', '--to', 'caffe')
        theirs = torch.load('again.pth', weights_only=True)
    original = torch.load(source, weights_only=True)
    original = original.get('state_dict', original)
    assert theirs.keys() == original.keys()
    assert all(torch.equal(theirs[name], original[name]) for name in original)


def fails(convert: Run, capsys: pytest.CaptureFixture, *args: object) -> str:
    """What it says of a mistake; nothing may be left behind."""
    before = set(Path.cwd().rglob('*'))
    with pytest.raises(SystemExit) as end:
        convert(*args)
    assert end.value.code == 2
    assert set(Path.cwd().rglob('*')) == before
    return only_error(capsys.readouterr().err)


@pytest.mark.parametrize(
    ('contents', 'message'),
    [
        (None, 'source.pth does not exist'),
        (b'nothing', 'source.pth is not a checkpoint'),
        (dict(epoch=3), 'source.pth: no tensors by name'),
        ({'fc.weight': torch.zeros(2)}, 'no tensor has a name of a known network (the first are fc.weight)'),
        (
            {'conv1_1.weight': torch.zeros(64, 3, 3, 3), 'conv1_1.bias': torch.zeros(63)},
            'of 44 42 missing (conv1_2.weight, conv1_2.bias, conv2_1.weight, ...), '
            '1 of another shape (conv1_1.bias 63 instead of 64)',
        ),
        (dict(state_dict={'conv1_1.bias': torch.zeros(64)}, code=fails), 'refers to code'),
    ],
    ids=['missing', 'no checkpoint', 'no weights', 'unknown', 'incomplete', 'code'],
)
def test_bad_files(contents: object, message: str, convert: Run, capsys: pytest.CaptureFixture) -> None:
    if isinstance(contents, bytes):
        Path('source.pth').write_bytes(contents)
    elif contents is not None:
        torch.save(contents, 'source.pth')
    assert message in fails(convert, capsys, 'source.pth', 'dest.pth')


def test_mistakes(caffe: Path, osokin: Path, convert: Run, capsys: pytest.CaptureFixture) -> None:
    Path('taken').write_text('mine')
    assert 'taken exists already' in fails(convert, capsys, caffe, 'taken')
    assert Path('taken').read_text() == 'mine'
    assert 'cannot make the folder taken' in fails(convert, capsys, caffe, 'taken/dest.pth')
    assert 'has 1 stages' in fails(convert, capsys, caffe, 'dest.pth', '--stages', 2)
    assert '--stages 0' in fails(convert, capsys, osokin, 'dest.pth', '--stages', 0)
    message = fails(convert, capsys, osokin, 'dest.pth', '--to', 'caffe')
    assert 'weights of Lightweight OpenPose in the naming lightweight: give --to classicpose' in message
    convert(caffe, 'ours.pth')
    message = fails(convert, capsys, 'ours.pth', 'dest.pth')
    assert 'in the naming classicpose: give --to caffe or pytorch-openpose or rtpose' in message


def test_the_options_are_the_namings(convert: Run, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        convert('a', 'b', '--to', 'other')
    offered = capsys.readouterr().err
    for naming in (*OPENPOSE.all_namings, *LIGHTWEIGHT_OPENPOSE.all_namings):
        assert naming.name in offered
