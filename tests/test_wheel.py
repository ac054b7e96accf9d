"""The installed packages, in another folder: what the wheel holds, and MMPose's own training with our plug-ins."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import mmpose
import pytest
from mmengine.config import Config
from pages import page_commands, page_files
from shipped_configs import REPOSITORY

from classicpose.inference.zoo import named_models

PAGE = (REPOSITORY / 'docs/from_mmpose.md').read_text().replace('1500', '2').replace('500', '2')
FILES = page_files(PAGE)
(INHERITING,) = re.findall(r'```python\n(from mmengine.config import read_base\n.*?)```', PAGE, re.DOTALL)
WHERE = """
import classicpose, custom_modules
print('from', classicpose.__file__, custom_modules.__file__)
"""


@pytest.fixture(scope='module')
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages with ours installed in it, by pip, of a wheel."""
    source, site = tmp_path_factory.mktemp('source'), tmp_path_factory.mktemp('site')
    for name in ('classicpose', 'custom_modules', 'configs', 'projects', 'tools'):
        shutil.copytree(REPOSITORY / name, source / name, symlinks=True, ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('pyproject.toml', 'LICENSE', 'README.md'):
        shutil.copy(REPOSITORY / name, source)
    options = ('--quiet', '--no-deps', '--no-index', '--no-build-isolation', '--target', site)
    subprocess.run([sys.executable, '-m', 'pip', 'install', *options, source], check=True, timeout=300)
    return site


def run(site: Path, folder: Path, *command: object) -> str:
    """What a command prints that sees the installed packages before the repository's."""
    result = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env=os.environ | dict(PYTHONPATH=str(site), OMP_NUM_THREADS='1'),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_holds_the_library_its_models_and_the_plug_ins(site: Path) -> None:
    packages = {path.name for path in site.iterdir() if not path.name.endswith('.dist-info')} - {'bin'}
    assert packages == {'classicpose', 'custom_modules'}
    for model in named_models().values():
        assert not model.onnx or (site / 'classicpose/models' / model.onnx).is_file()
        assert model.config.startswith('projects/') or (site / 'custom_modules' / model.config).is_file()


def test_people_from_another_folder(site: Path, tmp_path: Path) -> None:
    photograph = REPOSITORY / 'docs/samples/baseball_1888.jpg'
    command = (sys.executable, '-m', 'classicpose', 'predict', 'openpose_lite', photograph, '--write_json', 'json')
    run(site, tmp_path, *command)
    assert (tmp_path / 'json/baseball_1888_keypoints.json').is_file()
    assert 'openpose_lite' in run(site, tmp_path, sys.executable, '-m', 'classicpose', 'models')


@pytest.mark.parametrize(
    ('first', 'second', 'form'),
    [
        ('import custom_modules', 'import mmpose.models', 'py'),
        ('import mmpose.models, mmpose.apis', 'import custom_modules', 'yaml'),
        ('', '', 'py'),
    ],
    ids=['ours first', 'ours last', 'by the config alone'],
)
def test_an_mmpose_project_elsewhere_trains_our_codec_and_head(
    first: str, second: str, form: str, site: Path, generated_data: Path, tmp_path: Path
) -> None:
    (tmp_path / 'data').symlink_to(generated_data)
    name = f'openpose_small.{form}'
    (tmp_path / 'openpose_small.py').write_text(FILES['openpose_small.py'])
    if form == 'yaml':
        Config.fromfile(tmp_path / 'openpose_small.py').dump(tmp_path / name)
    (tmp_path / 'train.py').write_text(f'{first}\n{second}\n{FILES["train.py"]}{WHERE}')
    said = run(site, tmp_path, sys.executable, 'train.py', name)
    assert said.splitlines()[-1] == f'from {site}/classicpose/__init__.py {site}/custom_modules/__init__.py'
    assert (tmp_path / 'work/iter_2.pth').is_file()


def test_the_page_to_its_last_line(site: Path, generated_data: Path, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data/generated').symlink_to(generated_data / 'generated')
    shutil.copy(REPOSITORY / 'docs/samples/baseball_1888.jpg', tmp_path / 'photo.jpg')
    for program, *arguments in page_commands(PAGE):
        if 'generate_data.py' not in arguments[0]:
            module = ('-m', 'classicpose') if program == 'classicpose' else ()
            run(site, tmp_path, sys.executable, *module, *arguments)
    assert (tmp_path / 'drawn/photo_rendered.png').is_file()


def test_a_config_elsewhere_inherits_a_shipped_one(site: Path, tmp_path: Path) -> None:
    (tmp_path / 'mine.py').write_text(INHERITING)
    tool = Path(mmpose.__file__).parent / '.mim/tools/analysis_tools/print_config.py'
    assert 'max_iters=1,' in run(site, tmp_path, sys.executable, tool, 'mine.py')
