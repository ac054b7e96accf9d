"""Renderings: what is coloured lies where the people and the maps are, and nowhere else."""

import cv2
import numpy as np
import pytest

from classicpose.paf import image_to_map_matrix
from classicpose.skeletons import COCO17, FLIC10, LSP14, OPENPOSE18, Skeleton
from classicpose.visualization.people_and_maps import draw_heatmaps, draw_pafs, draw_people, side_by_side

STICK = Skeleton(name='stick', keypoints=('foot', 'head'), limbs=((0, 1),), sigmas=(0.1, 0.1))


def drawn_pixels(drawn):
    """(M, 2) positions (x, y) of what is not black."""
    return np.argwhere(drawn.any(axis=2))[:, ::-1]


def black(height=200, width=300):
    return np.zeros((height, width, 3), dtype=np.uint8)


def random_person(rng, width=300, height=200):
    return rng.uniform((20, 20), (width - 20, height - 20), size=(1, 18, 2))


class TestDrawPeople:
    def test_no_people_is_an_equal_copy(self):
        image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        drawn = draw_people(image, np.zeros((0, 18, 2)), np.zeros((0, 18)), OPENPOSE18)
        assert drawn is not image
        np.testing.assert_array_equal(drawn, image)

    def test_the_image_given_stays_as_it_is(self):
        image = black()
        draw_people(image, random_person(np.random.default_rng(0)), np.ones((1, 18)), OPENPOSE18)
        assert not image.any()

    @pytest.mark.parametrize('center', [(100, 80), (100.5, 80.25), (99.7, 80.9)])
    def test_a_dot_lies_on_its_keypoint_to_a_tenth_of_a_pixel(self, center):
        keypoints = np.array([[center, (0, 0)]])
        drawn = draw_people(black(), keypoints, np.array([[1.0, 0.0]]), STICK)
        weight = drawn.sum(axis=2).astype(float)
        rows, columns = np.indices(weight.shape)
        centroid = (weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()
        np.testing.assert_allclose(centroid, center, atol=0.1)

    def test_a_limb_joins_its_parts_in_its_colour_and_is_translucent(self):
        keypoints = np.array([[(50, 100), (250, 100)]])
        drawn = draw_people(black(), keypoints, np.ones((1, 2)), STICK)
        rgb = drawn[100, 150, ::-1].astype(int)
        color = np.array(STICK.limb_colors[0])
        opacity = rgb[color > 0] / color[color > 0]
        assert (rgb[color == 0] == 0).all()
        assert (opacity > 0.4).all()
        assert (opacity < 0.9).all()
        # Dots are opaque.
        np.testing.assert_array_equal(drawn[100, 50, ::-1], STICK.colors[0])
        np.testing.assert_array_equal(drawn[100, 250, ::-1], STICK.colors[1])

    @pytest.mark.parametrize('missing', [0.0, 0.05, float('nan')])
    def test_a_missing_part_takes_its_limb_along(self, missing):
        keypoints = np.array([[(50, 100), (250, 100)]])
        drawn = draw_people(black(), keypoints, np.array([[1.0, missing]]), STICK)
        assert drawn_pixels(drawn)[:, 0].max() < 60

    def test_a_part_with_score_zero_is_missing_at_any_threshold(self):
        keypoints = np.array([[(50, 100), (0, 0)]])
        drawn = draw_people(black(), keypoints, np.array([[1.0, 0.0]]), STICK, -1.0)
        assert drawn_pixels(drawn).min() > 40

    @pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf, 1e9, -1e30])
    def test_absurd_coordinates_are_left_out(self, bad):
        keypoints = np.array([[(50, 100), (bad, 100)]])
        drawn = draw_people(black(), keypoints, np.ones((1, 2)), STICK)
        assert drawn_pixels(drawn)[:, 0].max() < 60

    def test_a_limb_that_leaves_the_image_is_drawn_up_to_its_edge(self):
        keypoints = np.array([[(150, 100), (100_150, 100)]])
        drawn = draw_people(black(), keypoints, np.ones((1, 2)), STICK)
        assert drawn[100, 299].any()

    def test_people_outside_the_image_leave_no_trace(self):
        keypoints = np.array([[(-500, -400), (-300, -390)], [(700, 50), (900, 60)]])
        assert not draw_people(black(), keypoints, np.ones((2, 2)), STICK).any()

    def test_limbs_are_thicker_on_larger_people_within_bounds(self):
        def thickness(length):
            image = black(1000, 1000)
            keypoints = np.array([[(10, 500), (10 + length, 500)]])
            drawn = draw_people(image, keypoints, np.ones((1, 2)), STICK)
            return np.ptp(drawn_pixels(drawn)[:, 1]) + 1

        assert thickness(20) < thickness(400) <= thickness(980)
        assert thickness(20) >= 3
        assert thickness(980) <= 25

    def test_the_mirrored_image_has_the_mirrored_people(self):
        """Mirroring swaps left and right keypoints, and with them their colours."""
        rng = np.random.default_rng(3)
        person = random_person(rng)
        scores = (rng.random((1, 18)) > 0.3).astype(float)
        flip = OPENPOSE18.flip_indices
        mirrored = person[:, flip] * (-1, 1) + (299, 0)

        def where(keypoints, scores):
            return draw_people(black(), keypoints, scores, OPENPOSE18).any(axis=2)

        there = where(person, scores)[:, ::-1]
        differing = (there != where(mirrored, scores[:, flip])).sum()
        # Smooth edges may round differently.
        assert differing < 0.02 * there.sum()


class TestMaps:
    """Maps at stride 8 of an input that is a window of the image, and not a multiple of 8."""

    input_size, map_size = (365, 238), (46, 30)
    scale, center = (184.0, 120.0), (140.3, 97.6)

    def matrix(self):
        return image_to_map_matrix(self.input_size, self.scale, self.center, self.map_size)

    def to_cells(self, point):
        """MMPose's formula and the centres of cells, step by step."""
        in_input = [
            (value - middle + 0.5 * scale) / scale * size
            for value, middle, scale, size in zip(point, self.center, self.scale, self.input_size, strict=True)
        ]
        return np.array([(value - 3.5) / 8 for value in in_input])

    def blob(self, point, sigma=1.2):
        rows, columns = np.indices(self.map_size[::-1])
        x, y = self.to_cells(point)
        return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))

    def test_matrix_is_the_formula(self):
        for point in [(0, 0), (140.3, 97.6), (201.25, 60.5)]:
            cells = self.matrix() @ (*point, 1)
            np.testing.assert_allclose(cells, self.to_cells(point), atol=1e-9)

    def test_matrix_of_an_unscaled_image_has_the_centre_of_cell_g_at_8g_plus_3_5(self):
        matrix = image_to_map_matrix((368, 368), (368, 368), (184, 184), (46, 46))
        np.testing.assert_allclose(matrix @ (8 * 5 + 3.5, 8 * 7 + 3.5, 1), (5, 7), atol=1e-9)

    @pytest.mark.parametrize('point', [(141, 98), (120, 60), (180, 120), (173, 77)])
    def test_a_blob_is_brightest_at_its_keypoint(self, point):
        heatmaps = np.stack([np.zeros(self.map_size[::-1]), self.blob(point)])
        drawn = draw_heatmaps(black(), heatmaps, self.matrix()).sum(axis=2)
        rows, columns = np.nonzero(drawn >= drawn.max() - 2)
        np.testing.assert_allclose((columns.mean(), rows.mean()), point, atol=1)

    def test_all_parts_show_and_empty_places_are_the_dimmed_image(self):
        points = [(100, 70), (180, 120)]
        image = np.full((200, 300, 3), 100, dtype=np.uint8)
        drawn = draw_heatmaps(image, np.stack([*map(self.blob, points)]), self.matrix())
        for x, y in points:
            assert drawn[y, x].max() > 150
        assert (drawn[5, 5] == drawn[190, 290]).all()
        assert 20 < drawn[5, 5, 0] < 80

    def hue(self, direction):
        """The hue in degrees, and the brightness, of a field that points one way everywhere."""
        pafs = np.zeros((4, *self.map_size[::-1]), dtype=np.float32)
        pafs[2:] = np.reshape(direction, (2, 1, 1))
        drawn = draw_pafs(black(), pafs, self.matrix())
        hue, _, value = cv2.cvtColor(drawn, cv2.COLOR_BGR2HSV)[98, 140]
        return 2.0 * hue, value

    def test_hue_is_direction(self):
        for angle in (10, 100, 190, 280):
            hue, _ = self.hue((np.cos(np.radians(angle)), np.sin(np.radians(angle))))
            assert hue == pytest.approx(angle, abs=4)

    def test_strength_is_length_and_the_longest_limb_shows(self):
        _, strong = self.hue((1, 0))
        _, weak = self.hue((0.3, 0))
        _, none = self.hue((0, 0))
        assert strong > 2 * weak > 0
        assert none == 0

    @pytest.mark.parametrize('diverged', [np.nan, np.inf, -np.inf])
    def test_a_diverged_network_spoils_only_its_own_cells(self, diverged):
        heatmaps = self.blob((141, 98))[None]
        column, row = np.round(self.to_cells((141, 98))).astype(int)
        heatmaps[0, row, column + 1] = 0
        expected = draw_heatmaps(black(), heatmaps, self.matrix())
        heatmaps[0, row, column + 1] = diverged
        np.testing.assert_array_equal(draw_heatmaps(black(), heatmaps, self.matrix()), expected)


def test_side_by_side_has_equal_heights_and_each_image_in_its_place():
    red = np.full((100, 200, 3), (0, 0, 255), dtype=np.uint8)
    blue = np.full((50, 50, 3), (255, 0, 0), dtype=np.uint8)
    panel = side_by_side({'red': red, 'blue': blue}, height=60)
    assert panel.shape[1] == 120 + 60
    np.testing.assert_array_equal(panel[-1, 119], (0, 0, 255))
    np.testing.assert_array_equal(panel[-1, 120], (255, 0, 0))
    assert (panel[-60:, :120] == (0, 0, 255)).all()
    # The captions above.
    assert panel[:-60, :120].any()
    assert panel[:-60, 120:].any()


def test_every_body_model_can_be_drawn():
    rng = np.random.default_rng(0)
    for skeleton in (COCO17, FLIC10, LSP14, OPENPOSE18):
        count = len(skeleton.keypoints)
        keypoints = rng.uniform(20, 180, size=(3, count, 2))
        assert draw_people(black(), keypoints, np.ones((3, count)), skeleton).any()
