"""tools/publish_checkpoint.py: the weights alone, in half precision, compressed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from command_lines import only_error, run_tool


def test_what_is_published(tmp_path: Path) -> None:
    weights = dict(weight=torch.rand(3, 4), steps=torch.tensor(7), zeros=torch.zeros(100, 100))
    rest = dict(optimizer=dict(state={}), message_hub=dict(), ema_state_dict=dict(weight=torch.zeros(3, 4)))
    torch.save(dict(state_dict=weights, **rest), tmp_path / 'iter_7.pth')
    said = run_tool('publish_checkpoint.py', 'iter_7.pth', 'zoo/model.pth', cwd=tmp_path).stdout
    published = tmp_path / 'zoo/model.pth'
    assert hashlib.sha256(published.read_bytes()).hexdigest() in said
    contents = torch.load(published, weights_only=True)
    assert list(contents) == ['state_dict']
    assert torch.equal(contents['state_dict']['weight'], weights['weight'].half())
    assert contents['state_dict']['steps'] == 7
    assert published.stat().st_size < 10_000 < 2 * contents['state_dict']['zeros'].numel()

    torch.save(dict(state_dict=dict(weight=torch.tensor([1e6]))), tmp_path / 'large.pth')
    torch.save(dict(weight=torch.ones(1)), tmp_path / 'bare.pth')
    for name, message in (('large.pth', 'weight has numbers too large'), ('bare.pth', 'has no state_dict')):
        result = run_tool('publish_checkpoint.py', name, 'zoo/other.pth', cwd=tmp_path, status=2)
        assert message in only_error(result.stderr)
    assert [path.name for path in published.parent.iterdir()] == ['model.pth']

    result = run_tool('publish_checkpoint.py', 'iter_7.pth', 'zoo/../iter_7.pth', cwd=tmp_path, status=2)
    assert 'would be written over the input iter_7.pth' in only_error(result.stderr)
