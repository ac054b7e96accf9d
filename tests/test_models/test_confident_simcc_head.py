"""What the head that looks again puts out, from logits whose meaning is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.models import RTMCCHead
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY

from custom_modules.models import ConfidentRTMCCHead


@pytest.fixture
def head() -> ConfidentRTMCCHead:
    return MODELS.build(Config.fromfile(REPOSITORY / 'configs/lite0_simcc_people.py').model.head).eval()


def predicted(head: ConfidentRTMCCHead, monkeypatch: pytest.MonkeyPatch, *probabilities: torch.Tensor) -> tuple:
    """Places and scores, where the network is so sure of each bin along x and y, whatever its logits' level."""
    logits = tuple(probability.log().expand(1, 17, -1) + 7 for probability in probabilities)
    monkeypatch.setattr(RTMCCHead, 'forward', lambda *_: logits)
    return head.decoder.decode(*(values.numpy() for values in head.forward(())))


def test_sure_and_unsure(head: ConfidentRTMCCHead, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (head.decoder.encode(np.full((1, 17, 2), 60.0))[f'keypoint_{axis}_labels'] for axis in 'xy')
    sure = [torch.from_numpy(target[0, 0]) + 1e-9 for target in (x, y)]
    place, score = predicted(head, monkeypatch, *sure)
    assert place == pytest.approx(60)
    assert score == pytest.approx(1, abs=1e-3)
    anywhere = [torch.full_like(values, 1 / len(values)) for values in sure]
    assert predicted(head, monkeypatch, *anywhere)[1].max() < 0.06
    assert predicted(head, monkeypatch, sure[0], anywhere[1])[1].max() < 0.06


def test_a_high_bin_is_less_than_a_probable_place(head: ConfidentRTMCCHead, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.full((288,), 1e-6)
    x[200] = 0.1
    x[80:101] = 0.04
    y = torch.full((384,), 1e-6)
    y[50] = 1.0
    place, _ = predicted(head, monkeypatch, x, y)
    assert place[0, 0] == pytest.approx([45, 25])
