"""Sound inputs, and what may happen to each kind of them: a case is a command line with one thing wrong in it."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import scipy.io
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'test_tools'))

import tiny_run
from recordings import recorded_by_a_browser

from classicpose.writers.video import VideoFile
from custom_modules.configuration.keys import walk
from custom_modules.configuration.loading import load_config
from custom_modules.datasets.synthetic.flic import generate_flic
from custom_modules.deploy.export import export
from custom_modules.engine import launch

from .harness import CANARY

Command = tuple[str, list[object]]

_ODD_VALUES = (
    None, True, -1, 0, 1, 3.5, 10**400, 1e308, float('nan'), float('inf'), '', 'x', 'ä\0', [], [[]], [None], {},
    {'a': 1}, [1, 2, 3], '0' * 1000, 2**31, 2**63, -(2**31),
)  # fmt: skip
_ODD_SETTINGS = (
    '0', '-1', 'x', 'None', '[]', '1e30', 'True', '0.5', '[1,2]', '(3,)', '2', '99', '1e-30', 'nan', '[x,y]', '[[1]]',
    'a b, c/', '2024', '', '(', "'x", ',', 'ä',
)  # fmt: skip
_DATA_CONFIG = """
train_dataloader = dict(batch_size=1, num_workers=0, dataset=dict(
    type='mmpose.{kind}', data_root={root!r}, ann_file={file!r}, pipeline=[]))
"""
_BATCH = 'train_dataloader.batch_size=2'


class _RunsCode:
    """Makes a file when it is unpickled."""

    def __reduce__(self) -> tuple:
        return open, (CANARY, 'w')


def make_inputs(folder: Path) -> None:
    """Everything that a case mutates, sound."""
    tiny_run.write(folder)
    config = folder / 'tiny.py'
    config.write_text(config.read_text().replace('type=CocoDataset', 'type=TopDownCocoDataset').replace(
        'from torch.optim', 'from custom_modules.datasets import TopDownCocoDataset\nfrom torch.optim'
    ).replace('CocoDataset, GetBBox', 'GetBBox').replace(str(folder), '.'))  # fmt: skip
    people = folder / 'data/people.json'
    contents = json.loads(people.read_text())
    for annotation in contents['annotations'][:3]:
        annotation['segmentation'] = [[10, 10, 60, 10, 60, 60, 10, 60]]
    contents['annotations'][3]['segmentation'] = dict(size=[80, 80], counts=[800, 800, 4800])
    people.write_text(json.dumps(contents))
    bottom_up = _DATA_CONFIG.format(kind='BottomUpCocoDataset', root='./data', file='people.json')
    (folder / 'bottom_up.py').write_text(bottom_up)
    generate_flic(folder / 'flic', num_train=4, num_test=2, size=(90, 60), seed=1)
    (folder / 'flic.py').write_text(_DATA_CONFIG.format(kind='FlicDataset', root='./flic', file='examples.mat'))
    (folder / 'lsp/images').mkdir(parents=True)
    joints = np.random.default_rng(0).uniform(1, 50, (14, 3, 4))
    scipy.io.savemat(folder / 'lsp/joints.mat', dict(joints=joints))
    for number in range(1, 5):
        cv2.imwrite(str(folder / f'lsp/images/im{number:05d}.jpg'), np.zeros((60, 60, 3), np.uint8))
    (folder / 'lsp.py').write_text(_DATA_CONFIG.format(kind='LspDataset', root='./lsp', file='joints.mat'))
    with VideoFile(folder / 'walk.mp4', 25) as video:
        for number in range(4):
            video.write(np.full((64, 64, 3), 40 * number, np.uint8))
    recorded_by_a_browser(folder / 'camera.webm', [np.full((48, 64, 3), 4 * number, np.uint8) for number in range(60)])
    boxes = [dict(image_id=number, category_id=1, bbox=[10, 10, 50, 50], score=0.9) for number in range(1, 5)]
    (folder / 'boxes.json').write_text(json.dumps(boxes))


def train_once(folder: Path) -> None:
    """A checkpoint of the small network, ``last.pth``, and its ONNX file; run in the folder."""
    launch.train('tiny.py', work_dir='trained', validate=False, options=['train_cfg.max_epochs=1'])
    shutil.move(folder / 'trained/epoch_1.pth', folder / 'last.pth')
    export(load_config('tiny.py'), 'last.pth', 'last.onnx')
    shutil.rmtree(folder / 'trained')


def _predict(*inputs: str, model: str = 'last.onnx') -> Command:
    outputs = ['--write_json', 'out', '--write_csv', 'out/people.csv', '--write_coco_json', 'out/people.json']
    return 'predict.py', ['tiny.py', model, *inputs, *outputs]


def _train(*options: str, resume: bool = False) -> Command:
    more = ['--resume', 'last.pth'] if resume else []
    settings = ['train_cfg.max_epochs=2' if resume else 'train_cfg.max_epochs=1', _BATCH, *options]
    return 'train.py', ['tiny.py', '--work-dir', 'out', '--no-validate', *more, '--cfg-options', *settings]


def _test(checkpoint: str = 'last.pth') -> Command:
    return 'test.py', ['tiny.py', checkpoint, '--work-dir', 'out', '--out', 'out/metrics.json']


def annotations(folder: Path, chance: random.Random) -> Command:
    """COCO's annotation files: odd values anywhere, fields taken away, bytes changed."""
    path = folder / 'data/people.json'
    if chance.random() < 0.3:
        _mistake_everywhere(path, chance)
    else:
        _mutate_json(path, chance)
    config = chance.choice(['tiny.py', 'bottom_up.py'])
    return chance.choice([('inspect_data.py', [config, '--no-images'])] * 4 + [_train(), _test()])


def boxes(folder: Path, chance: random.Random) -> Command:
    """Files of boxes for prediction: odd values, other categories, images in several folders of any system."""
    path = folder / 'boxes.json'
    if chance.random() < 0.5:
        _mutate_json(path, chance)
    else:
        found = json.loads(path.read_text())
        slash, category = chance.choice('/\\'), chance.choice([0, 1, 1, 2, None])
        for entry in found:
            entry['category_id'] = category
            if chance.random() < 0.5:
                image = chance.choice(
                    ['1', '01', '1.jpg', 'images/1.jpg', 'other/1.jpg', '/1.jpg', './1.JPG', '..', '']
                )
                entry['file_name'] = image.replace('/', slash)
        path.write_text(json.dumps(found))
    tool, arguments = _predict('data/images/1.jpg', 'data/images/2.jpg')
    return tool, [*arguments, '--boxes', 'boxes.json']


def matlab(folder: Path, chance: random.Random) -> Command:
    """FLIC's and LSP's annotation files."""
    name = chance.choice(['flic', 'lsp'])
    path = folder / name / ('examples.mat' if name == 'flic' else 'joints.mat')
    if chance.random() < 0.5:
        _mutate_bytes(path, chance)
    else:
        odd = [np.nan, np.zeros((3, 14, 0)), np.full((14, 3, 2), np.inf), np.array(['x']), 1j * np.ones((14, 3, 2)), []]
        fields = ['filepath', 'coords', 'torsobox', 'istrain', 'istest']
        examples = {
            field: chance.choice([odd[0], 'x', np.ones((2, 29)), odd[4]]) for field in fields[chance.randrange(3) :]
        }
        scipy.io.savemat(path, dict(joints=chance.choice(odd), examples=chance.choice([examples, [examples] * 2, 'x'])))
    return 'inspect_data.py', [f'{name}.py', '--no-images']


def images(folder: Path, chance: random.Random) -> Command:
    """Image files."""
    path = folder / 'data/images/2.jpg'
    if chance.random() < 0.3:
        encoded = cv2.imencode(chance.choice(['.png', '.tiff', '.webp', '.bmp']), cv2.imread(str(path)))[1].tobytes()
        path.write_bytes(encoded)
    if chance.random() < 0.3:
        tail = chance.choice([b'', (folder / 'walk.mp4').read_bytes(), (folder / 'data/images/1.jpg').read_bytes()])
        path.write_bytes(path.read_bytes() + chance.randbytes(chance.choice([0, 1, 200_000])) + tail)
    else:
        _mutate_bytes(path, chance)
    return chance.choice([_predict('data/images'), _train()])


def videos(folder: Path, chance: random.Random) -> Command:
    """Video files, also such as tell neither rate nor duration."""
    name = chance.choice(['walk.mp4', 'camera.webm'])
    _mutate_bytes(folder / name, chance)
    tool, arguments = _predict(name)
    more = chance.choice([[], ['--smoothing'], ['--frame_first', 2], ['--frame_first', 1, '--frame_step', 2]])
    return tool, [*arguments, *more, '--write_video', chance.choice(['out/drawn.webm', 'out/drawn.mp4'])]


def names(folder: Path, chance: random.Random) -> Command:
    """Names that other programs take for something else, of inputs and of outputs."""
    odd = [
        '10:30', 'http:x', 'rtsp', '%03d', '[1]', '*', '?', '{a}', '~', 'a b', "a'b", 'a"b', 'a;b', 'a|b', '$HOME',
        'a\\b', 'a\nb', '.a', 'ä', '\udcf6\udcdf', 'left_1', 'right_01', '0002', '9' * 99, 'a' * 200, 'x.csv', '1.jpg',
        'x,y', '#', '%',
    ]  # fmt: skip
    inputs = folder / chance.choice(['in', *odd])
    inputs.mkdir()
    sources = {'.jpg': 'data/images/1.jpg', '.png': 'data/images/2.jpg', '.mp4': 'walk.mp4', '.webm': 'camera.webm'}
    given = []
    for name in chance.sample(odd, chance.choice([1, 1, 3])):
        ending = chance.choice(list(sources))
        given.append(shutil.copy(folder / sources[ending], inputs / f'{name}{ending}'))
    given = [os.path.relpath(path, folder) for path in given]
    if chance.random() < 0.3:
        given = chance.choice(
            [[inputs.name], [f'{inputs.name}/*'], ['rtsp://127.0.0.1:9/x'], ['HTTP://127.0.0.1:9/x.mp4']]
        )
    tool, arguments = _predict(*given)
    place = f'out/{chance.choice(odd)}'
    drawn = chance.choice([[], ['--out-dir', place], ['--write_images', place], ['--write_video', f'{place}.mp4']])
    return tool, [*arguments, *drawn]


def overwriting(folder: Path, chance: random.Random) -> Command:
    """Outputs that are inputs, by any of their names."""
    (folder / 'sub').mkdir()
    (folder / 'sub/link').symlink_to('..')
    shutil.copy(folder / 'data/images/1.jpg', folder / '1.jpg')
    os.link(folder / 'walk.mp4', folder / 'hard.mp4')
    (folder / 'soft.mp4').symlink_to('walk.mp4')
    for name in ('1_rendered.png', 'walk_000000000002_rendered.png', 'walk_rendered.mp4'):
        shutil.copy(folder / ('walk.mp4' if name.endswith('mp4') else '1.jpg'), folder / name)
    names = ['walk.mp4', '1.jpg', '1_rendered.png', 'walk_000000000002_rendered.png', 'walk_rendered.mp4']
    given = chance.sample(names, chance.choice([1, 2, 5]))
    into = chance.choice(['', './', 'sub/../', 'sub/link/', f'{folder}/'])
    # Only what is read may not be written over.
    for name in {'1_rendered.png', 'walk_000000000002_rendered.png', 'walk_rendered.mp4'} - {*given}:
        (folder / name).unlink()
    over = chance.choice([*given, *(['hard.mp4', 'soft.mp4'] if 'walk.mp4' in given else [])])
    option = chance.choice(['--write_video', '--write_csv', '--write_coco_json', '--out-dir', '--write_images'])
    output = f'{into}{over}' if option.startswith('--write') and option != '--write_images' else into or '.'
    return 'predict.py', ['tiny.py', 'last.onnx', *given, option, output]


def checkpoints(folder: Path, chance: random.Random) -> Command:
    """Checkpoints: bytes changed, odd values in place of what belongs there, code to run."""
    path = folder / 'last.pth'
    if chance.random() < 0.4:
        _mutate_bytes(path, chance)
    else:
        contents = torch.load(path, weights_only=False)
        place, key = _somewhere(contents, chance)
        odd = [*_ODD_VALUES, torch.zeros(0), torch.full((3, 3), float('nan')), _RunsCode(), np.float64(3)]
        place[key] = chance.choice(odd)
        torch.save(contents, path)
    return chance.choice([_test(), _train(resume=True), _predict('data/images/1.jpg', model='last.pth')])


def networks(folder: Path, chance: random.Random) -> Command:
    """ONNX files: bytes changed; odd values in the graph, its weights' files and what the file tells of itself."""
    path = folder / 'last.onnx'
    if chance.random() < 0.4:
        _mutate_bytes(path, chance)
        return _predict('data/images/1.jpg', model='last.onnx')
    model = onnx.load(path)
    for _ in range(chance.choice([1, 1, 3])):
        match chance.randrange(5):
            case 0 if model.metadata_props:
                told = chance.choice(model.metadata_props)
                told.value = chance.choice(['', 'x', '[]', 'null', '-1', '1e999', '[[1]]', '{"a": 1}', '0' * 1000])
            case 1 if model.metadata_props:
                told = chance.choice(model.metadata_props)
                model.metadata_props.remove(told)
            case 2:
                weights = chance.choice(model.graph.initializer)
                weights.data_location = onnx.TensorProto.EXTERNAL
                entry = weights.external_data.add()
                entry.key, entry.value = 'location', chance.choice(['/etc/passwd', '../last.pth', 'absent', ''])
            case 3:
                node = chance.choice(model.graph.node)
                node.op_type = chance.choice(['Identity', 'Relu', 'NoSuchOperator', 'Loop', ''])
            case _:
                shape = chance.choice([*model.graph.input, *model.graph.output]).type.tensor_type.shape
                chance.choice(shape.dim).dim_value = chance.choice([0, 1, 7, -1, 2**40])
    path.write_bytes(model.SerializeToString())
    return _predict('data/images/1.jpg', model='last.onnx')


def configs(folder: Path, chance: random.Random) -> Command:
    """Config files: a line damaged, doubled, taken away."""
    path = folder / 'tiny.py'
    lines = path.read_text().splitlines()
    number = chance.randrange(len(lines))
    line = lines[number]
    cut = chance.randrange(len(line) + 1)
    lines[number] = chance.choice(
        ['', line[:cut], line[:cut] + chance.choice('()[]{}=,.\'"0x\n\t#') + line[cut:], line + line, line[::-1],
         line.replace('=', '==', 1), line.replace('1', '-1'), line.replace('type=', 'typ='),
         line.replace('dict', 'list')]
    )  # fmt: skip
    path.write_text('\n'.join(lines))
    return chance.choice([_train(), _test(), _predict('data/images/1.jpg')])


def settings(folder: Path, chance: random.Random) -> Command:
    """One wrong value on the command line."""
    keys = ['.'.join(map(str, path)) for path, _ in walk(load_config(folder / 'tiny.py'))]
    key = chance.choice([key for key in keys if not key.startswith(('val_', 'test_', 'work_dir'))])
    return _train(f'{key}={chance.choice(_ODD_SETTINGS)}')


_ALL = (
    annotations, boxes, matlab, images, videos, names, overwriting, checkpoints, configs, settings, networks,
)  # fmt: skip
KINDS: dict[str, Callable[[Path, random.Random], Command]] = {kind.__name__: kind for kind in _ALL}


def _mutate_bytes(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice([1, 1, 3, 20])):
        place = chance.randrange(max(len(data), 1))
        match chance.randrange(4):
            case 0:
                data[place : place + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[place : place + chance.randrange(64)]
            case 2:
                data[place:place] = bytes(chance.randrange(256) for _ in range(chance.randrange(16)))
            case _:
                data[place:] = data[place : chance.randrange(place, len(data) + 1)]
    path.write_bytes(data)


def _mistake_everywhere(path: Path, chance: random.Random) -> None:
    """What tools that write annotation files get wrong in all of them."""
    contents = json.loads(path.read_text())
    people = contents['annotations']
    mistakes = (
        dict(area=0), dict(area=1), dict(id=1), dict(num_keypoints=0), dict(segmentation=[[1, 2, 30, 40]]),
        dict(keypoints=[0.25, 0.5, 2] * 17), dict(keypoints=[0] * 51), dict(bbox=[0.1, 0.1, 0.5, 0.5]), dict(iscrowd=1),
    )  # fmt: skip
    for mistake in chance.sample([*mistakes, 'twice'], chance.choice([1, 1, 3])):
        if mistake == 'twice':
            people += [person | dict(id=person['id'] + 100) for person in people]
        else:
            for person in people:
                person.update(mistake)
    mark = '\ufeff' if chance.random() < 0.2 else ''
    path.write_text(mark + json.dumps(contents))


def _mutate_json(path: Path, chance: random.Random) -> None:
    if chance.random() < 0.2:
        _mutate_bytes(path, chance)
        return
    contents = json.loads(path.read_text())
    for _ in range(chance.choice([1, 1, 1, 3])):
        place, key = _somewhere(contents, chance)
        if isinstance(place, dict) and chance.random() < 0.3:
            del place[key]
        else:
            place[key] = chance.choice(_ODD_VALUES)
    path.write_text(json.dumps(contents))


def _somewhere(contents: object, chance: random.Random) -> tuple[dict | list, object]:
    """A place in nested lists and dictionaries, deep ones as likely as others."""
    place = contents
    while True:
        key = chance.choice(list(place)) if isinstance(place, dict) else chance.randrange(len(place))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or chance.random() < 0.2:
            return place, key
        place = inner
