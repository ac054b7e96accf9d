"""Weights that others released, under their names and under ours.

A network that we share with another project has the same tensors there, under other names and now and then with input
channels in another order. A :class:`Naming` is one project's, a :class:`Network` all of one network's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

from classicpose.errors import UserError, count_and_name, first_names

Weights = dict[str, torch.Tensor]
Shapes = Mapping[str, torch.Size]


@dataclass(frozen=True)
class Naming:
    """How one project calls the tensors of a network.

    Args:
        name: what the project's naming is called on the command line.
        theirs: from our name of a tensor to theirs.
        input_order: from our name of a tensor and its number of input channels to their channel for each of ours; None
            where it is the same.
        nested: whether its checkpoints hold the weights under ``state_dict``.
    """

    name: str
    theirs: Callable[[str], str]
    input_order: Callable[[str, int], Sequence[int] | None] = lambda name, channels: None
    nested: bool = False


@dataclass(frozen=True)
class Network:
    """A network that others have released weights of.

    Args:
        name: for messages.
        config: path of the config that goes with released weights, from the repository's root.
        namings: those that its weights come in.
        stages_setting: that of the config which sets the number of stages; empty where all weights have ``stages``.
        uncounted_stages: how many stages there are beyond that number.
        stages: how many there are where no setting changes it.
        other_configs: (number of stages, config) where a number has one of its own.
        file: how files of its weights are called in a folder of OpenPose's models.
    """

    name: str
    config: str
    namings: tuple[Naming, ...]
    stages_setting: str = ''
    uncounted_stages: int = 0
    stages: int = 0
    other_configs: tuple[tuple[int, str], ...] = ()
    file: str = ''

    def config_of(self, stages: int) -> str:
        """The config for weights of so many stages."""
        return dict(self.other_configs).get(stages, self.config)

    @property
    def all_namings(self) -> tuple[Naming, ...]:
        """Ours first."""
        return (CLASSICPOSE, *self.namings)


CLASSICPOSE = Naming('classicpose', theirs=lambda name: name, nested=True)


def weights_of(checkpoint: object) -> dict:
    """The tensors in what a checkpoint file held, less the ``module.`` that DataParallel writes before their names.

    Raises:
        UserError: when there are none.
    """
    state = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, Mapping) else None
    if not isinstance(state, Mapping) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError('no tensors by name, so no weights of a model')
    return {str(name).removeprefix('module.'): value for name, value in state.items()}


def recognise(
    names: Mapping, networks: Sequence[Network], shapes_of: Callable[[Network, int], Shapes]
) -> tuple[Network, Naming, int]:
    """Which network's weights these are, in which naming, and how many stages it has.

    The best is what most tensors fit, by name and shape, then by name alone.

    Args:
        names: the weights by their names; anything that has shapes will do.
        shapes_of: our tensors' names and shapes for a network of so many stages.

    Raises:
        UserError: when no name fits.
    """
    found, best = None, (0, 0)
    for network in networks:
        for naming in network.all_namings:
            stages = _count_stages(names, naming) if network.stages_setting else network.stages
            shapes = {naming.theirs(name): shape for name, shape in shapes_of(network, stages).items()}
            same = sum(getattr(names.get(name), 'shape', None) == shape for name, shape in shapes.items())
            known = same, sum(name in names for name in shapes)
            if known > best:
                found, best = (network, naming, stages), known
    if found is None:
        known = [naming.name for network in networks for naming in network.all_namings]
        raise UserError(
            f'no tensor has a name of a known network (the first are {first_names(names)}); '
            f'known namings: {", ".join(dict.fromkeys(known))}'
        )
    return found


def to_ours(state: Mapping, naming: Naming, shapes: Shapes) -> Weights:
    """Weights in another naming under our names.

    Args:
        shapes: our tensors' names and shapes.

    Raises:
        UserError: when a tensor is missing, unexpected or of another shape; it counts them and names the first of each,
            by their names. Only batch normalisation's counters may be missing, which PyTorch 0.4 did not have.
    """
    theirs = {naming.theirs(name): name for name in shapes}
    missing = [name for name in theirs if name not in state and not name.endswith('.num_batches_tracked')]
    unexpected = [name for name in state if name not in theirs]
    misshapen = [
        f'{name} {_shape(state[name])} instead of {_shape(shapes[own])}'
        for name, own in theirs.items()
        if name in state and getattr(state[name], 'shape', None) != shapes[own]
    ]
    problems = count_and_name({'missing': missing, 'unexpected': unexpected, 'of another shape': misshapen})
    if problems:
        raise UserError(
            f'not all tensors fit the naming {naming.name}: of {len(theirs)} {problems}; '
            'is it the weights of another network?'
        )
    return {own: _inputs(state[name], own, naming, False) for name, own in theirs.items() if name in state}


def from_ours(state: Mapping[str, torch.Tensor], naming: Naming) -> Weights:
    """The inverse of :func:`to_ours`, bit for bit."""
    return {naming.theirs(name): _inputs(tensor, name, naming, True) for name, tensor in state.items()}


def _inputs(tensor: torch.Tensor, name: str, naming: Naming, to_theirs: bool) -> torch.Tensor:
    order = naming.input_order(name, tensor.shape[1]) if tensor.ndim == 4 else None
    if order is None:
        return tensor
    index = torch.tensor(order)
    return tensor[:, index.argsort() if to_theirs else index]


def _count_stages(names: Mapping, naming: Naming) -> int:
    """The highest stage of which the names have a branch's first convolution; 1 where there is none."""
    ours = 'head.stages.{}.{}.0.weight'
    present = (
        stage
        for stage in range(20)
        if any(naming.theirs(ours.format(stage, branch)) in names for branch in ('paf', 'heatmap'))
    )
    return max(present, default=0) + 1


def _shape(value: object) -> str:
    if not isinstance(value, torch.Tensor | torch.Size):
        return f'a {type(value).__name__}'
    return 'x'.join(map(str, getattr(value, 'shape', value))) or 'a number'
