from __future__ import annotations

import errno
import threading

import pytest
from tensorboard.compat.proto import event_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch.utils.data import DataLoader

from classicpose.errors import UserError, message_of, report_errors


class BrokenImages:
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> None:
        try:
            raise OSError('premature end')
        except OSError as error:
            raise UserError('image.jpg is truncated: download it\nagain') from error


@pytest.mark.parametrize('workers', [0, 1])
def test_the_message_is_one_line_wherever_it_was_raised(workers: int):
    with pytest.raises(UserError) as caught:
        list(DataLoader(BrokenImages(), num_workers=workers))
    assert message_of(caught.value) == 'image.jpg is truncated: download it again'


@pytest.mark.parametrize(
    ('error', 'status', 'line'),
    [
        (UserError('no file: make one'), 2, 'error: no file: make one'),
        (KeyboardInterrupt(), 130, 'interrupted'),
    ],
)
def test_mistakes_and_interrupts_end_the_program_with_one_line(error, status, line, capsys):
    with pytest.raises(SystemExit) as stop, report_errors():
        raise error
    assert stop.value.code == status
    assert capsys.readouterr().err == line + '\n'


def test_the_first_process_of_a_machine_speaks(monkeypatch, capsys):
    monkeypatch.setenv('LOCAL_RANK', '1')
    with pytest.raises(SystemExit), report_errors():
        raise UserError('anything')
    assert capsys.readouterr().err == ''


def test_bugs_pass():
    with pytest.raises(ZeroDivisionError), report_errors():
        1 / 0  # noqa: B018


def test_a_thread_that_meets_a_full_disk_is_one_line(tmp_path, monkeypatch, capsys):
    """TensorBoard's thread; other threads' failures keep their tracebacks."""

    def write(data):
        raise OSError(errno.ENOSPC, 'No space left on device')

    writer = EventFileWriter(str(tmp_path))
    monkeypatch.setattr(writer._async_writer._writer, 'write', write)
    with report_errors():
        with pytest.raises(OSError, match='No space left'):
            writer.add_event(event_pb2.Event(step=1))
            writer.flush()
        writer.close()
        assert capsys.readouterr().err == 'warning: No space left on device: a file is incomplete\n'
        failing = threading.Thread(target=lambda: 1 / 0)
        failing.start()
        failing.join()
        assert 'ZeroDivisionError' in capsys.readouterr().err
