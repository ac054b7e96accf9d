"""tools/web.py where it cannot serve; its page is tested in test_web/."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_lines import only_error, run_tool


def test_without_gradio_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'gradio.py').write_text("raise ModuleNotFoundError('gradio')")
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    result = run_tool('web.py', cwd=tmp_path, status=2)
    install = "pip install 'classicpose[web]', or in the repository pip install -r requirements-web.txt"
    assert only_error(result.stderr) == f'the page needs gradio: {install}'


def test_an_address_that_cannot_be_had(tmp_path: Path) -> None:
    pytest.importorskip('gradio', reason='needs gradio: pip install -r requirements-web.txt')
    result = run_tool('web.py', '--host', '192.0.2.1', cwd=tmp_path, status=2)
    assert '192.0.2.1:7860 cannot be served' in only_error(result.stderr)
