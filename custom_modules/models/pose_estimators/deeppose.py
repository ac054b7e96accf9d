from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.model import BaseModel, ModuleList
from mmengine.structures import InstanceData
from mmpose.registry import MODELS
from mmpose.utils.typing import SampleList

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10, Skeleton, get_skeleton

from .cascade_stage import CascadeStage
from .crops import Crops, square_crops
from .scales import scales_in

# How far a stage is believed, and the error, in torso diameters, from which on a joint is simply wrong.
_TRUSTS = torch.linspace(0, 1, 21)
_WRONG = 0.2

# The spread of the looks at a joint, in torso diameters, with which half of FLIC's validation people have it within a
# tenth of one.
_SPREAD = 0.062

# A predicted torso is taken for at least this share of the person's box, or crops would shrink to nothing.
_SMALLEST_TORSO = 0.1


@MODELS.register_module()
class DeepPoseCascade(BaseModel):
    """DeepPose: a regressor that sees the person, and regressors that each look again, closer, at every joint.

    Toshev and Szegedy, "DeepPose: human pose estimation via deep neural networks", CVPR 2014. Symbols: B people, K
    joints, S stages. The first stage sees the person's box; each later one takes, for every joint, a square crop around
    the previous prediction, its side in proportion to the torso diameter of that prediction, from the image itself,
    and regresses the joint in it. Later stages are trained on crops around simulated predictions: truth plus an error
    drawn from the normal distribution of the previous stage's errors on people it was not trained on.

    A later stage sees little but its joint, and a stage that saw more locates a hidden joint better. So a later stage
    moves a joint only a share of the way to its own prediction. This share, the ``trust``, is the one that locates the
    joint and its mirror image best on people whom the stage was not trained on.

    Inputs are full images (B, C, H, W); a sample's ``gt_instances`` hold ``bboxes`` (1, 4), the person's square box,
    and in training ``keypoints`` (1, K, 2) and ``keypoints_visible`` (1, K), all in the image's pixels.

    Args:
        stages: the configs of the stages (``CascadeStage``), first to last. Training changes the last one only.
        backbone: the config of the backbone, for stages that have none of their own.
        skeleton: the body model. Its torso diameter is the distance from the left shoulder to the right hip.
        mean: the mean of RGB pixels, which is subtracted from the crops.
        std: the standard deviation of RGB pixels, by which the crops are divided.
        data_preprocessor: the config of a preprocessor that stacks images, BGR from 0 to 255.
        train_cfg: empty; MMPose gives one to every model.
        test_cfg: ``flip_test``: also predict on mirrored crops. ``scales``: the first stage predicts on boxes with the
            side times each of these factors, (1.0,) by default, and takes the median.
    """

    def __init__(
        self,
        stages: Sequence[dict],
        backbone: dict | None = None,
        skeleton: Skeleton | str = FLIC10,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | list | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.skeleton = get_skeleton(skeleton)
        self.test_cfg = test_cfg or {}
        scales_in(self.test_cfg)  # a mistake is told before the first image
        self.stages = ModuleList(CascadeStage(**{'backbone': backbone, **stage}) for stage in stages)
        self.stages[:-1].requires_grad_(False)
        self.to(memory_format=torch.channels_last)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), persistent=False)
        joints = len(self.skeleton.keypoints)
        # In torso diameters, of the stages before the last.
        self.register_buffer('error_mean', torch.zeros(joints, 2))
        self.register_buffer('error_covariance', torch.zeros(joints, 2, 2))
        self.register_buffer('trust', torch.ones(len(self.stages), joints))
        self.flip_indices = list(self.skeleton.flip_indices)
        self.torso = [self.skeleton.keypoints.index(name) for name in ('left_shoulder', 'right_hip')]

    def train(self, mode: bool = True) -> DeepPoseCascade:
        """The stages before the last are never in training mode."""
        super().train(mode)
        self.stages[:-1].eval()
        return self

    def forward(
        self, inputs: torch.Tensor, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> dict | SampleList | torch.Tensor:
        """MMEngine's entry: losses, samples with predictions, or (S, B, K, 2) positions."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        return self.locate(inputs, stacked_field(data_samples, 'bboxes', inputs))

    def _forward(self, inputs: torch.Tensor, data_samples: SampleList | None = None) -> torch.Tensor:
        """The positions (S, B, K, 2) of people who fill the images: what MMPose's tools take for the network alone."""
        height, width = inputs.shape[2:]
        return self.locate(inputs, inputs.new_tensor([[0, 0, width, height]]).repeat(len(inputs), 1))

    def loss(self, inputs: torch.Tensor, data_samples: SampleList) -> dict:
        """The losses of the last stage's head, on augmented crops.

        Raises:
            UserError: for a later stage before ``measure_errors``.
        """
        stage = self.stages[-1]
        keypoints, visible = (stacked_field(data_samples, name, inputs) for name in ('keypoints', 'keypoints_visible'))
        center, side, counted = self._where_to_look(
            stage, keypoints, visible, stacked_field(data_samples, 'bboxes', inputs)
        )
        crops, mirrored = _augmented(stage, center, side)
        located = crops.from_image(keypoints[:, None], stage.input_size)
        located = torch.where(mirrored[..., None, None], located[:, :, self.flip_indices], located)
        counted = torch.where(mirrored[..., None], counted[..., self.flip_indices], counted)
        return stage.loss(self._cut(crops, inputs, stage), located.flatten(0, 1), counted.flatten(0, 1))

    def _cut(self, crops: Crops, inputs: torch.Tensor, stage: CascadeStage) -> torch.Tensor:
        """(B * M, 3, n, n) normalised RGB."""
        bgr = crops.cut(inputs, stage.input_size).flatten(0, 1)
        return (bgr.flip(1) - self.mean) / self.std

    def _where_to_look(
        self, stage: CascadeStage, keypoints: torch.Tensor, visible: torch.Tensor, boxes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Training crops before augmentation: center (B, M, 2), side (B, M), and the joints that count (B, M, K)."""
        joints = keypoints.shape[1]
        if stage.side is None:
            center, side = _center_and_side(boxes)
            return (
                center[:, None].repeat(1, stage.copies, 1),
                side[:, None].repeat(1, stage.copies),
                visible[:, None].repeat(1, stage.copies, 1),
            )
        if not self.error_covariance.any():
            raise UserError('the errors of the earlier stages are unknown: add a NextStageHook to custom_hooks')
        diameter = self._diameter(keypoints, boxes)
        errors = self._simulated_errors(len(keypoints) * stage.copies).unflatten(0, (len(keypoints), stage.copies))
        center = keypoints[:, None] + errors * diameter[:, None, None, None]
        own = torch.eye(joints, device=visible.device) * (visible * self._torso_is_known(visible)[:, None])[:, None]
        return (
            center.flatten(1, 2),
            (stage.side * diameter)[:, None].repeat(1, stage.copies * joints),
            own.repeat(1, stage.copies, 1),
        )

    def _simulated_errors(self, count: int) -> torch.Tensor:
        """(count, K, 2) drawn from the errors measured, in torso diameters."""
        spread = self.error_covariance + 1e-8 * torch.eye(2, device=self.error_covariance.device)
        normal = torch.randn(count, *self.error_mean.shape, 1, device=self.error_mean.device)
        return self.error_mean + (torch.linalg.cholesky(spread) @ normal)[..., 0]

    def copy_previous_stage(self) -> None:
        """Let the last stage begin with the weights of the one before, where they have the same shape."""
        previous, last = self.stages[-2].state_dict(), self.stages[-1].state_dict()
        fitting = {name: value for name, value in previous.items() if name in last and last[name].shape == value.shape}
        self.stages[-1].load_state_dict(last | fitting)

    def fit_trust(
        self, previous: torch.Tensor, found: torch.Tensor, keypoints: torch.Tensor, visible: torch.Tensor
    ) -> None:
        """Choose the last stage's trust for the least mean error, those beyond 0.2 torso diameters counted as that.

        Args:
            previous, found: (N, K, 2), where the stages before and the last, trusted wholly, locate people.
            keypoints: (N, K, 2), where they are, all in the image's pixels.
            visible: (N, K), > 0 for those that count.
        """
        diameter, counted = self._annotated_torsos(keypoints, visible)
        trusts = _TRUSTS.to(found)[:, None, None, None]
        errors = (previous + trusts * (found - previous) - keypoints).norm(dim=-1) / diameter[:, None]
        errors = torch.where(counted, errors.clamp(max=_WRONG), 0).sum(dim=1)
        best = (errors + errors[:, self.flip_indices]).argmin(dim=0)
        self.trust[-1] = _TRUSTS.to(found)[best]

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: object) -> None:
        # Of fewer stages, or from before there was such a thing.
        trust = state_dict.get(f'{prefix}trust', self.trust[:0])
        state_dict[f'{prefix}trust'] = torch.cat([trust, self.trust.new_ones(self.trust.shape).to(trust)[len(trust) :]])
        super()._load_from_state_dict(state_dict, prefix, *args)

    def measure_errors(self, predicted: torch.Tensor, keypoints: torch.Tensor, visible: torch.Tensor) -> None:
        """Take over the error statistics of the stages before the last: mean and covariance, joint by joint.

        Errors are (N, K, 2), in torso diameters of the truth, where ``visible`` (N, K) is > 0.
        """
        diameter, counted = self._annotated_torsos(keypoints, visible)
        errors = (predicted - keypoints) / diameter[:, None, None]
        for joint in range(errors.shape[1]):
            own = errors[counted[:, joint], joint]
            if len(own) > 1:
                self.error_mean[joint] = own.mean(dim=0)
                self.error_covariance[joint] = own.T.cov()

    def predict(self, inputs: torch.Tensor, data_samples: SampleList) -> SampleList:
        """The samples with ``pred_instances``.

        They have ``keypoints`` (1, K, 2) in the image's pixels, ``keypoint_scores`` (1, K), see
        ``locate_and_score``, and ``stage_keypoints`` (1, S, K, 2), the result of each stage.
        """
        answer = self.locate_and_score(inputs, stacked_field(data_samples, 'bboxes', inputs))
        located, scores = (values.cpu().numpy() for values in answer)
        for index, sample in enumerate(data_samples):
            sample.pred_instances = InstanceData(
                keypoints=located[-1, index][None],
                keypoint_scores=scores[index][None],
                stage_keypoints=located[:, index][None],
            )
        return data_samples

    def locate(self, inputs: torch.Tensor, boxes: torch.Tensor, stages: int | None = None) -> torch.Tensor:
        """(S, B, K, 2) positions in the images' pixels after each stage, or after the first so many ``stages``.

        Args:
            inputs: (B, C, H, W).
            boxes: (B, 4) the people's boxes, x and y of two corners.
        """
        return self.locate_and_score(inputs, boxes, stages)[0]

    @torch.no_grad()
    def locate_and_score(
        self, inputs: torch.Tensor, boxes: torch.Tensor, stages: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What ``locate`` returns, and scores (B, K) from 0 to 1: how well all looks at a joint agree.

        A look is what a stage finds at one scale, mirrored or not. The score is 1 / (1 + (d / 0.062)^2), where d is the
        mean over stages of the mean distance of their looks from the last position, in torso diameters. It is 1 where
        there is one look.
        """
        positions, seen = [], []
        mirrors = (False, True) if self.test_cfg.get('flip_test', False) else (False,)
        for stage, trust in zip(self.stages[:stages], self.trust, strict=False):
            if stage.side is None:
                center, side = (values[:, None] for values in _center_and_side(boxes))
                sides = [scale * side for scale in scales_in(self.test_cfg)]
            else:
                center = positions[-1]
                sides = [(stage.side * self._diameter(center, boxes))[:, None].expand(center.shape[:2])]
            looks = [[self._look(stage, inputs, center, side, mirrored) for mirrored in mirrors] for side in sides]
            found = _median([sum(pair) / len(pair) for pair in looks])
            positions.append(positions[-1] + trust[:, None] * (found - positions[-1]) if positions else found)
            seen.append(torch.stack(sum(looks, [])))
        last = positions[-1]
        spread = sum((looks - last).norm(dim=-1).mean(dim=0) for looks in seen) / len(seen)
        spread = spread / self._diameter(last, boxes)[:, None]
        return torch.stack(positions), 1 / (1 + (spread / _SPREAD) ** 2)

    def _look(
        self, stage: CascadeStage, inputs: torch.Tensor, center: torch.Tensor, side: torch.Tensor, mirrored: bool
    ) -> torch.Tensor:
        """(B, K, 2) in the images' pixels, from crops around (B, 1 or K, 2), or from their mirror images."""
        crops = square_crops(center, side, mirrored=torch.full_like(side, float(mirrored)) > 0)
        located = stage.locate(self._cut(crops, inputs, stage)).unflatten(0, side.shape)
        if mirrored:
            located = located[:, :, self.flip_indices]
        located = crops.to_image(located, stage.input_size)
        return located[:, 0] if stage.side is None else located.diagonal(dim1=1, dim2=2).mT

    def _annotated_torsos(self, keypoints: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Diameters (N,) of annotated people (N, K, 2), and which joints (N, K) can be measured in them."""
        diameter = self._torso_length(keypoints)
        return diameter, (visible > 0) & ((diameter > 0) & self._torso_is_known(visible))[:, None]

    def _torso_length(self, keypoints: torch.Tensor) -> torch.Tensor:
        return (keypoints[:, self.torso[0]] - keypoints[:, self.torso[1]]).norm(dim=-1)

    def _torso_is_known(self, visible: torch.Tensor) -> torch.Tensor:
        """(B,) bool, whether both ends of the torso diameter are labelled, of (B, K)."""
        return (visible[:, self.torso] > 0).all(dim=1)

    def _diameter(self, keypoints: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """(B,) of the torsos of (B, K, 2), at least a share of the people's boxes."""
        return torch.maximum(self._torso_length(keypoints), _SMALLEST_TORSO * _center_and_side(boxes)[1])


def _augmented(stage: CascadeStage, center: torch.Tensor, side: torch.Tensor) -> tuple[Crops, torch.Tensor]:
    """Crops moved, turned and mirrored at random, and which of them (B, M) are mirrored."""

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*side.shape, *shape, device=side.device)

    mirrored = uniform(0, 1) < stage.mirror_prob
    side = side * uniform(*stage.scale)
    center = center + side[..., None] * uniform(-stage.shift, stage.shift, 2)
    return square_crops(center, side, uniform(-stage.rotation, stage.rotation), mirrored), mirrored


def _median(views: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of each coordinate; of an even number of views the mean of the two in the middle."""
    if len(views) == 1:
        return views[0]
    ordered = torch.stack(list(views)).sort(dim=0).values
    return (ordered[(len(views) - 1) // 2] + ordered[len(views) // 2]) / 2


def _center_and_side(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 2) and (B,), the longer side, of boxes (B, 4)."""
    low, high = boxes[:, :2], boxes[:, 2:]
    return (low + high) / 2, (high - low).amax(dim=1)


def stacked_field(data_samples: SampleList, name: str, inputs: torch.Tensor) -> torch.Tensor:
    """(B, ...) float32, a field of ``gt_instances`` of all samples' one person, on the device of the ``inputs``."""
    values = [np.asarray(sample.gt_instances.get(name))[0] for sample in data_samples]
    return torch.as_tensor(np.stack(values), dtype=torch.float32, device=inputs.device)
