"""Boxes of people by a detector of torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from classicpose.errors import UserError
from classicpose.inference.frames import Frame

from .model import pick_device

_PERSON = 1  # of COCO's categories


class PersonDetector:
    """A detector of torchvision that was trained on COCO.

    Args:
        name: of the model in ``torchvision.models.detection``.
        weights: its state dict's file; without it torchvision downloads it.
        threshold: lowest score of a person.
        device: by default a GPU where there is one.

    Raises:
        UserError: for an unknown name, weights that cannot be had or are of another model, or a device that cannot be
            used.
    """

    def __init__(
        self,
        name: str = 'fasterrcnn_mobilenet_v3_large_fpn',
        weights: str | Path | None = None,
        threshold: float = 0.5,
        device: str | torch.device | None = None,
    ) -> None:
        from torchvision.models import detection, get_model, list_models

        if name not in list_models(detection):
            raise UserError(f'torchvision has no detector {name!r}; give one of {", ".join(list_models(detection))}')
        self.device = pick_device(device)
        state = _downloaded(name) if weights is None else _read_weights(weights)
        self._network = get_model(name, weights=None, weights_backbone=None).to(self.device).eval()
        try:
            self._network.load_state_dict(state)
        except (RuntimeError, AttributeError, TypeError) as error:
            raise UserError(f"{weights} are not the weights of torchvision's {name}") from error
        self.threshold = threshold

    def __call__(self, frame: Frame) -> np.ndarray:
        """(N, 5) x1, y1, x2, y2, score, best first."""
        rgb = np.ascontiguousarray(frame.image[..., ::-1].transpose(2, 0, 1))
        with torch.inference_mode():
            (found,) = self._network([torch.from_numpy(rgb).to(self.device).float() / 255])
        kept = (found['labels'] == _PERSON) & (found['scores'] >= self.threshold)
        return torch.column_stack([found['boxes'], found['scores']])[kept].cpu().numpy()


def _downloaded(name: str) -> dict:
    from torchvision.models import get_model_weights

    source = get_model_weights(name).DEFAULT
    try:
        return source.get_state_dict(check_hash=True)
    except OSError as error:
        raise UserError(
            f'the weights of {name} cannot be downloaded ({error}); get {source.url} elsewhere and give the file with '
            '--detector_weights'
        ) from error


def _read_weights(path: str | Path) -> dict:
    if not Path(path).is_file():
        raise UserError(f'detector weights {path} do not exist; give a .pth file of torchvision')
    try:
        return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch's readers fail as what they stumble over
        raise UserError(f'{path} is not a readable file of weights; download it again') from error
