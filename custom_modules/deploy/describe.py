"""What the ONNX file of a model is to say of itself, read off the model and its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmpose.codecs import MSRAHeatmap, RegressionLabel, SimCCLabel
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine
from mmpose.registry import TRANSFORMS
from torch import nn

from classicpose.networks.description import BOTTOM_UP, CASCADE, SINGLE_PERSON, Description

from .. import __version__
from ..codecs import PartAffinityField, PoseMachineHeatmap
from ..configuration.skeleton import find_skeleton
from ..datasets.transforms import LoadIntactImage, MirrorLeftHand, ResizeToHeight
from ..models import DeepPoseCascade, OpenPoseEstimator
from ..models.pose_estimators.scales import scales_in

# Steps of a test pipeline that do not change what is seen of the image; hands are mirrored by who finds them.
_SEES_ALL = ('LoadImage', LoadIntactImage.__name__, MirrorLeftHand.__name__, 'PackPoseInputs')


def describe(model: nn.Module, cfg: Config) -> Description:
    """The description of a config's model, whose weights may be anywhere."""
    preprocessor = cfg.model.get('data_preprocessor') or {}
    kind = BOTTOM_UP if isinstance(model, OpenPoseEstimator) else SINGLE_PERSON
    test_cfg = model.test_cfg or {}
    test: dict[str, Any] = dict(flip=bool(test_cfg.get('flip_test', False)))
    if isinstance(model, DeepPoseCascade):
        kind = CASCADE
        decoder = dict(codec=[type(stage.head.decoder).__name__ for stage in model.stages])
    else:
        decoder = _decoder(model.head.decoder)
    if kind == BOTTOM_UP:
        test.update(scales=[float(scale) for scale in scales_in(test_cfg)])
    elif kind == SINGLE_PERSON:
        regresses = decoder['codec'] == RegressionLabel.__name__
        test.update(shift=bool(test_cfg.get('shift_coords', True) if regresses else test_cfg.get('shift_heatmap')))
    return Description(
        name=Path(cfg.filename).stem,
        model=type(model).__name__,
        kind=kind,
        skeleton=find_skeleton(model, cfg),
        # Images are read as BGR.
        channels='RGB' if preprocessor.get('bgr_to_rgb') else 'BGR',
        mean=tuple(float(value) for value in preprocessor.get('mean') or (0, 0, 0)),
        std=tuple(float(value) for value in preprocessor.get('std') or (1, 1, 1)),
        window={} if kind == CASCADE else _window(cfg.test_dataloader.dataset.pipeline),
        decoder=decoder,
        test=test,
        card=dict(licence='not stated', trained_on=_trained_on(cfg)),
        product=f'classicpose {__version__}',
    )


def _decoder(codec: object) -> dict[str, Any]:
    """The codec's name and settings, its name alone where the runtime has no such decoder."""
    name = dict(codec=type(codec).__name__)
    kind = type(codec)
    if kind is PartAffinityField:
        return dict(name, stride=codec.stride, **asdict(codec.settings))
    if kind is MSRAHeatmap and not codec.unbiased:
        return dict(name, stride=float(codec.scale_factor[0]))
    if kind is PoseMachineHeatmap or kind is RegressionLabel:
        return dict(name, size=list(codec.input_size))
    if kind is SimCCLabel and not codec.use_dark and not codec.decode_visibility:
        return dict(name, split_ratio=codec.simcc_split_ratio)
    return name


def _window(pipeline: list[Mapping]) -> dict[str, Any]:
    """What the steps of a test pipeline show of an image, {} where one of them is not known to the runtime."""
    window: dict[str, Any] = {}
    for config in pipeline:
        step = TRANSFORMS.build(dict(config))
        if type(step) is ResizeToHeight:
            window.update(height=step.height, width=step.width, stride=step.stride)
        elif type(step) is GetBBoxCenterScale:
            window.update(padding=step.padding)
        elif type(step) is TopdownAffine and not step.use_udp:
            window.update(size=list(step.input_size))
        elif type(step).__name__ not in _SEES_ALL:
            return {}
    return window


def _trained_on(cfg: Config) -> str:
    """The training data as the config names them."""
    dataset = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    parts = dataset.get('datasets') or [dataset]
    return ', '.join(_named(part) for part in parts) or 'not stated'


def _named(dataset: Mapping) -> str:
    inner = dataset.get('dataset') or dataset
    kind = inner.get('type')
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    return ' '.join(filter(None, (name, inner.get('ann_file') or inner.get('split'))))
