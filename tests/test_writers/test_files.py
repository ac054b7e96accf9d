"""Where a file goes when the name that it is given is a link, a pipe or a device; and what is left of a broken one."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from shipped_configs import REPOSITORY

from classicpose.command_line.predict import parse_args
from classicpose.errors import UserError
from classicpose.files import StreamedFile, write_whole

PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'


def whole(path: Path, text: str) -> None:
    write_whole(path, lambda unfinished: unfinished.write_text(text))


def streamed(path: Path, text: str) -> None:
    with StreamedFile(path) as file:
        file.write(text)


BOTH_WAYS = pytest.mark.parametrize('write', [whole, streamed], ids=['whole', 'streamed'])


@BOTH_WAYS
def test_a_link_stays_a_link(write, tmp_path: Path) -> None:
    (tmp_path / 'there').mkdir()
    (tmp_path / 'link.csv').symlink_to('there/table.csv')
    for text in ('a', 'b'):
        write(tmp_path / 'link.csv', text)
        assert (tmp_path / 'link.csv').is_symlink()
        assert (tmp_path / 'there/table.csv').read_text() == text
    assert len(list((tmp_path / 'there').iterdir())) == 1


@BOTH_WAYS
def test_a_pipe_is_written_to(write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe')
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / 'pipe').read_text()), daemon=True)
    reader.start()
    write(tmp_path / 'pipe', 'a table')
    reader.join(60)
    assert read == ['a table']
    assert (tmp_path / 'pipe').is_fifo()


@BOTH_WAYS
def test_a_device_is_written_to(write) -> None:
    full = Path('/dev/full')
    if not full.is_char_device():
        pytest.skip('needs /dev/full')
    with pytest.raises(UserError, match='cannot write /dev/full'):
        write(full, 'a table')
    assert full.is_char_device()
    write(Path(os.devnull), 'a table')
    assert Path(os.devnull).is_char_device()


def predict(*words: str, **settings) -> subprocess.CompletedProcess:
    command = [sys.executable, '-m', 'classicpose', 'predict', 'openpose_lite', *words]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, **settings)


def test_standard_output_may_be_a_table_or_closed(tmp_path: Path) -> None:
    table = predict(str(PHOTOGRAPH), '--write_csv', '/dev/stdout', stdout=subprocess.PIPE)
    assert (table.returncode, table.stderr) == (0, '1 frame\n')
    assert [line.split(',')[0] for line in table.stdout.splitlines()] == ['file', str(PHOTOGRAPH)]
    closed = predict(str(PHOTOGRAPH), '--write_csv', str(tmp_path / 'a.csv'), preexec_fn=lambda: os.close(1))
    assert (closed.returncode, closed.stderr) == (0, '1 frame\n')
    assert (tmp_path / 'a.csv').read_text() == table.stdout


def test_a_video_that_cannot_be_played_is_not_left(tmp_path: Path) -> None:
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))  # noqa: E731
    result = predict(str(PHOTOGRAPH), '--write_video', str(tmp_path / 'a.avi'), preexec_fn=small)
    assert result.returncode == 2
    assert 'a.avi' in result.stderr
    assert not list(tmp_path.iterdir())


def test_names_with_a_line_break(tmp_path: Path) -> None:
    args = parse_args(['openpose_lite', 'a\nb.jpg', '--net_resolution', '-1x64', '--out-dir', '\n'], 'predict')
    assert (args.inputs, args.net_resolution, args.out_dir) == (['a\nb.jpg'], (-1, 64), '\n')
