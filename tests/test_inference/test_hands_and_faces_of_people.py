"""Hands and faces of found people, by a network that knows each keypoint by its brightness."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS
from shipped_configs import REPOSITORY
from test_part_boxes import somebody

from classicpose.errors import UserError
from classicpose.inference.hands_and_faces import PartNetwork
from classicpose.people import People
from classicpose.skeletons import BODY25, FACE70, HAND21
from custom_modules.prediction import trained

HAND_CONFIG = REPOSITORY / 'configs/openpose_hand_coco_wholebody.py'
SEEN: list[torch.Tensor] = []


def brightness(keypoint: int) -> int:
    return 30 + 10 * keypoint


@pytest.fixture(scope='module')
def network() -> PartNetwork:
    """Finds keypoint k where the image has its brightness; remembers what it saw."""

    def load(cfg: object, checkpoint: object) -> torch.nn.Module:
        cfg.model.backbone.weights = None
        cfg.model.head.num_stages = 1
        cfg.model.data_preprocessor.update(mean=[0.0] * 3, std=[1.0] * 3)
        model = MODELS.build(cfg.model)

        def maps(feats: torch.Tensor) -> torch.Tensor:
            SEEN.append(feats)
            values = torch.tensor([brightness(keypoint) for keypoint in range(22)])[:, None, None]
            return F.avg_pool2d((-((feats[:, :1] - values) / 3).square()).exp(), 8)

        model.extract_feat = lambda inputs: inputs
        model.head.forward = maps
        return model

    patch = pytest.MonkeyPatch()
    patch.setattr(trained, 'load_model', load)
    yield PartNetwork('hand', HAND_CONFIG, 'hand.pth', 'cpu')
    patch.undo()


def arms(shift: float = 0.0) -> People:
    """Somebody whose arms point down and aside, with hands of 90 and 108 pixels."""
    return somebody(
        BODY25,
        right_shoulder=(200 + shift, 60), right_elbow=(180 + shift, 120), right_wrist=(160 + shift, 176),
        left_shoulder=(300 + shift, 60), left_elbow=(330 + shift, 130), left_wrist=(370 + shift, 190),
    )  # fmt: skip


def image_of(people: People) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """A black image with a dot of its own brightness at every keypoint of both hands, and where these are."""
    image, places = np.zeros((480, 640, 3), np.uint8), {}
    for number, (name, side) in enumerate((('hand_left', 'left'), ('hand_right', 'right'))):
        wrist = people.keypoints[0, BODY25.keypoints.index(f'{side}_wrist')]
        grid = np.stack(np.meshgrid(np.arange(5), np.arange(5)), axis=-1).reshape(-1, 2)[:21]
        places[name] = wrist + 12.0 * (np.random.default_rng(number).permutation(grid) - [2, 1])
        for keypoint, (x, y) in enumerate(places[name].round().astype(int).tolist()):
            cv2.circle(image, (x, y), 4, (brightness(keypoint),) * 3, -1)
    return image, places


def test_both_hands_are_found_where_they_are(network: PartNetwork) -> None:
    people = arms()
    image, places = image_of(people)
    network.add_to([image], [people])
    assert set(people.parts) == set(network.names) == {'hand_left', 'hand_right'}
    for name, expected in places.items():
        table = people.parts[name]
        assert table.shape == (1, 21, 3)
        assert np.abs(table[0, :, :2] - expected).max() < 3
        assert (table[0, :, 2] > 0.3).all()


def test_left_hands_are_mirrored_for_the_network(network: PartNetwork) -> None:
    """An image of two hands that mirror each other shows the network the same hand twice."""
    people = arms()
    mirrored = people.keypoints[0, BODY25.flip_indices]
    right = [BODY25.keypoints.index(f'right_{joint}') for joint in ('shoulder', 'elbow', 'wrist')]
    people.keypoints[0, right] = mirrored[right] * [-1, 1] + [639, 0]
    rng = np.random.default_rng(0)
    half = cv2.GaussianBlur(rng.integers(0, 255, (480, 320, 3), np.uint8), (0, 0), 3)
    SEEN.clear()
    network.add_to([np.concatenate([half[:, ::-1], half], axis=1)], [people])
    (batch,) = SEEN
    torch.testing.assert_close(batch[0], batch[1], atol=2, rtol=0)


def test_all_crops_of_a_batch_are_one_batch(network: PartNetwork) -> None:
    """And what is found in one image does not depend on the others."""
    people = [arms(), somebody(BODY25), arms(120.0)]
    images = [image_of(found)[0] for found in people]
    SEEN.clear()
    network.add_to(images, people)
    assert [len(batch) for batch in SEEN] == [4]
    assert not people[1].parts['hand_left'].any()
    for image, found in zip(images, people, strict=True):
        alone = People(**vars(found) | dict(parts={}))
        network.add_to([image], [alone])
        for name in network.names:
            np.testing.assert_allclose(alone.parts[name], found.parts[name], atol=1e-3)


def test_hands_outside_the_image_are_none(network: PartNetwork) -> None:
    people = arms(2000.0)
    network.add_to([np.zeros((480, 640, 3), np.uint8)], [people])
    assert not people.parts['hand_left'].any()
    nobody = People('a', (64, 48), BODY25, np.zeros((0, 25, 2)), np.zeros((0, 25)), np.zeros(0), np.zeros((0, 4)))
    network.add_to([np.zeros((48, 64, 3), np.uint8)], [nobody])
    assert nobody.parts['hand_right'].shape == (0, 21, 3)


def test_mistakes_are_explained(network: PartNetwork, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="the body model 'face' has no left_shoulder.*leave out --hand"):
        network.check(FACE70)
    network.check(BODY25)
    with pytest.raises(UserError, match='openpose_hand_coco_wholebody.py is no network for a face'):
        PartNetwork('face', HAND_CONFIG, tmp_path / 'face.pth', 'cpu')
    assert network.skeleton.keypoints == HAND21.keypoints
