"""What an ONNX file says of itself: all that is needed to predict with it, and where it comes from.

It is one JSON document among the file's ``metadata_props``, under :data:`KEY`. docs/deploy.md lists its entries.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..skeletons import Skeleton

KEY = 'classicpose'
"""Name of the document in ``metadata_props``."""

FORMAT = 1
"""Version of the document: higher when what it says is to be understood otherwise."""

BOTTOM_UP, SINGLE_PERSON, CASCADE = KINDS = 'bottom-up', 'single-person', 'cascade'


@dataclass(frozen=True)
class Description:
    """A network that is ready to predict.

    Attributes:
        name: of the config or the zoo's model.
        model: the class of the estimator.
        kind: one of :data:`KINDS`: it finds several people in an image, one in a box, or one in a box in several looks.
        skeleton: of the people.
        channels: 'RGB' or 'BGR'.
        mean, std: by which pixels of 0 to 255 are normalised, in the order of the channels.
        window: what of an image the network sees. Bottom-up: the arguments of :func:`windows.resized`. Single-person:
            ``size`` and ``padding`` of :func:`windows.cut_out`. Empty for a cascade.
        decoder: ``codec``, the name of the class, and what it needs to know. Only the name where this package's runtime
            has no such decoder: then the config is needed to predict.
        test: ``flip``, ``scales`` and, of single people, ``shift``, as in the config's ``test_cfg``.
        card: ``licence``, ``trained_on``, ``precision``.
        product: what wrote the file, with its version.
    """

    name: str
    model: str
    kind: str
    skeleton: Skeleton
    channels: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    window: dict[str, Any] = field(default_factory=dict)
    decoder: dict[str, Any] = field(default_factory=dict)
    test: dict[str, Any] = field(default_factory=dict)
    card: dict[str, str] = field(default_factory=dict)
    product: str = ''

    def with_card(self, **entries: str) -> Description:
        """The same with more on its card."""
        return replace(self, card={**self.card, **entries})

    def to_json(self) -> str:
        """The document."""
        contents = asdict(self)
        contents['skeleton']['mirror_pairs'] = [
            [index, twin] for index, twin in enumerate(self.skeleton.flip_indices) if index < twin
        ]
        return json.dumps(dict(format=FORMAT) | contents, indent=1)


def read_description(metadata: dict[str, str], path: str | Path) -> Description:
    """The description among a file's ``metadata_props``.

    Raises:
        UserError: when there is none, it is of another version, or it is broken.
    """
    text = metadata.get(KEY)
    if text is None:
        raise UserError(
            f'{path} has no description: tools/export_onnx.py of this version did not write it; export '
            'the checkpoint again, or give a config before the file'
        )
    try:
        contents = json.loads(text)
        version = contents.pop('format')
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f'{path}: its description is broken ({error}); export it again') from error
    if version != FORMAT:
        raise UserError(
            f'{path} describes itself in format {version}, this version reads {FORMAT}: export it again, or take the '
            'version that wrote it'
        )
    try:
        return _description(contents)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(f'{path}: its description is broken ({error}); export it again') from error


def _description(contents: dict) -> Description:
    body = {name: value for name, value in contents.pop('skeleton').items() if name != 'mirror_pairs'}
    skeleton = Skeleton(
        name=body['name'],
        keypoints=tuple(body['keypoints']),
        limbs=tuple((int(start), int(end)) for start, end in body['limbs']),
        sigmas=tuple(map(float, body['sigmas'])),
        midpoints={name: tuple(pair) for name, pair in body['midpoints'].items()},
        extending_limbs=tuple(body['extending_limbs']),
    )
    for name in ('mean', 'std'):
        contents[name] = tuple(map(float, contents[name]))
    described = Description(skeleton=skeleton, **contents)
    if described.kind not in KINDS:
        raise ValueError(f'kind {described.kind!r} is none of {", ".join(KINDS)}')
    if described.channels not in ('RGB', 'BGR') or (len(described.mean), len(described.std)) != (3, 3):
        raise ValueError(f'channels {described.channels}, mean {described.mean}, std {described.std}')
    return described
