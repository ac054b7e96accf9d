"""The default decoder against one written from its description: slow, with lists and dicts, one step at a time."""

from __future__ import annotations

import numpy as np
import pytest
from crowds import CELLS, STRIDE, Maps, People, assert_same_people, crowd, draw, draw_noisily
from scipy.ndimage import map_coordinates

from classicpose.paf import DECODERS, decode_people
from classicpose.skeletons import OPENPOSE18

LIMBS = OPENPOSE18.limbs
PARTS = len(OPENPOSE18.keypoints)
# A limb is (score, kind, start, end); a peak (x, y, height), x and y in cells; a person {keypoint: index of its peak}.
Peak = tuple[float, float, float]
Limb = tuple[float, int, int, int]
Person = dict[int, int]


def local_maxima(heatmap: np.ndarray) -> list[Peak]:
    """Cells above 0.002, higher than the neighbours read before them and not lower than the others; the 127 highest."""
    height, width = heatmap.shape
    values = heatmap.tolist()
    peaks = []
    for row in range(height):
        for column in range(width):
            value = values[row][column]
            if value <= np.float32(0.002):
                continue
            around = [
                ((y, x) < (row, column), values[y][x])
                for y in range(max(row - 1, 0), min(row + 2, height))
                for x in range(max(column - 1, 0), min(column + 2, width))
                if (y, x) != (row, column)
            ]
            if all(value > other if before else value >= other for before, other in around):
                x, y = float(column), float(row)
                if 0 < column < width - 1:
                    x += top_of_parabola(values[row][column - 1], value, values[row][column + 1])
                if 0 < row < height - 1:
                    y += top_of_parabola(values[row - 1][column], value, values[row + 1][column])
                peaks.append((x, y, value))
    lowest = sorted((height for _, _, height in peaks), reverse=True)[:127][-1:]
    return [peak for peak in peaks if peak[2] >= lowest[0]]


def top_of_parabola(before: float, center: float, after: float) -> float:
    """Through the logarithms of three values at -1, 0 and 1, by least squares; values under 1 % of the peak are 1 %."""
    logs = [np.log(max(value / center, 0.01)) for value in (before, center, after)]
    square, slope, _ = np.polyfit([-1, 0, 1], logs, 2)
    return float(np.clip(-slope / (2 * square), -0.5, 0.5)) if square < -1e-12 else 0.0


def along_lines(field: np.ndarray, lines: list[tuple[Peak, Peak]], fractions: list[float]) -> np.ndarray:
    """(lines, fractions) the field's component along each line, bilinear, constant beyond the border."""
    start, end = (np.array([line[side][:2] for line in lines]).reshape(-1, 2) for side in (0, 1))
    points = start[:, None] + np.array(fractions)[:, None] * (end - start)[:, None]
    vectors = [map_coordinates(plane, points.T[::-1], order=1, mode='nearest').T for plane in field.astype(float)]
    length = np.maximum(np.linalg.norm(end - start, axis=1), 1e-9)
    return sum(vector * along[:, None] for vector, along in zip(vectors, (end - start).T / length, strict=True))


def limb_score(start: Peak, end: Peak, samples: list[float]) -> float:
    """Their mean, if over 6 of 10 exceed 0.05 (at least 0.05 within a cell), times the heights' geometric mean."""
    passed = sum(sample > 0.05 for sample in samples)
    score = max(sum(samples) / 10, 0.0) if passed > 6 else 0.0
    if np.hypot(end[0] - start[0], end[1] - start[1]) < 8 / STRIDE:
        score = max(score, 0.05)
    return score * (start[2] * end[2]) ** 0.5


def chosen_limbs(peaks: list[list[Peak]], pafs: np.ndarray) -> tuple[list[Limb], dict[tuple[int, int, int], float]]:
    """Of every kind the best limbs that share no end, and the field in the middle of all pairs (kind, start, end)."""
    chosen, middle = [], {}
    for kind, (a, b) in enumerate(LIMBS):
        pairs = [(start, end) for start in range(len(peaks[a])) for end in range(len(peaks[b]))]
        lines = [(peaks[a][start], peaks[b][end]) for start, end in pairs]
        field = pafs[2 * kind : 2 * kind + 2]
        halfway = along_lines(field, lines, [0.5])[:, 0].tolist()
        middle |= {(kind, *pair): value for pair, value in zip(pairs, halfway, strict=True)}
        high = [index for index, line in enumerate(lines) if min(line[0][2], line[1][2]) > np.float32(0.02)]
        samples = along_lines(field, [lines[index] for index in high], [step / 9 for step in range(10)]).tolist()
        limbs = [(limb_score(*lines[index], line), *pairs[index]) for index, line in zip(high, samples, strict=True)]
        starts, ends = set(), set()
        for score, start, end in sorted(limbs, key=lambda limb: -limb[0]):
            if score > 0 and start not in starts and end not in ends:
                starts.add(start)
                ends.add(end)
                chosen.append((score, kind, start, end))
    return chosen, middle


def joined(limbs: list[Limb]) -> list[tuple[Person, float]]:
    """The best limbs of all first: people and the sums of their limbs."""
    people: list[tuple[Person, float]] = []
    for score, kind, start, end in sorted(limbs, key=lambda limb: -limb[0]):
        a, b = LIMBS[kind]
        first = next((entry for entry in people if entry[0].get(a) == start), None)
        second = next((entry for entry in people if entry[0].get(b) == end), None)
        if first is None and second is None:
            if kind not in OPENPOSE18.extending_limbs:
                people.append(({a: start, b: end}, score))
            continue
        touched = [first] if first is second else [entry for entry in (first, second) if entry is not None]
        person = {a: start, b: end}
        fits = all(
            person.setdefault(keypoint, peak) == peak for entry in touched for keypoint, peak in entry[0].items()
        )
        if len(touched) == 2:
            fits = not set(first[0]) & set(second[0])
        if fits:
            people = [entry for entry in people if not any(entry is other for other in touched)]
            people.append((person, sum(entry[1] for entry in touched) + score))
    return people


def side_of_box(points: list[Peak]) -> float:
    """The square root of the area in cells."""
    (left, right), (top, bottom) = ((min(values), max(values)) for values in list(zip(*points, strict=True))[:2])
    return float(np.sqrt((right - left + 1) * (bottom - top + 1)))


def hinted_parts(person: Person, peaks: list[list[Peak]], middle: dict[tuple[int, int, int], float]) -> dict[int, int]:
    """The peaks of the keypoints that were missing: the best hint first, and on from there."""
    reach = max(2 * side_of_box([peaks[keypoint][index] for keypoint, index in person.items()]), 4.0)
    known, hints = dict(person), {}
    while True:
        best = (0.0, -1, -1)
        for kind, (a, b) in enumerate(LIMBS):
            if (a in known) == (b in known):
                continue
            keypoint, neighbour = (b, a) if a in known else (a, b)
            there = peaks[neighbour][known[neighbour]]
            for index, peak in enumerate(peaks[keypoint]):
                pair = (known[a], index) if keypoint == b else (index, known[b])
                evidence = middle[(kind, *pair)] * peak[2]
                near = np.hypot(peak[0] - there[0], peak[1] - there[1]) <= reach if evidence > best[0] else False
                if near:
                    best = (evidence, keypoint, index)
        _, keypoint, index = best
        if keypoint < 0:
            return hints
        known[keypoint] = hints[keypoint] = index


def slow_decoder(heatmaps: np.ndarray, pafs: np.ndarray) -> People:
    peaks = [local_maxima(heatmap) for heatmap in heatmaps[:PARTS]]
    limbs, middle = chosen_limbs(peaks, pafs)
    found = []
    for person, limb_sum in joined(limbs):
        heights = {keypoint: peaks[keypoint][index][2] for keypoint, index in person.items()}
        evidence = sum(heights.values()) + limb_sum
        if len(person) < 3 or evidence / len(person) < 0.05:
            continue
        size = side_of_box([peaks[keypoint][index] for keypoint, index in person.items()])
        instance_score = evidence / (PARTS + len(LIMBS)) * size / (size + 20)
        keypoints, scores = np.zeros((PARTS, 2)), np.zeros(PARTS)
        for keypoint, index in (person | hinted_parts(person, peaks, middle)).items():
            x, y, _ = peaks[keypoint][index]
            keypoints[keypoint] = STRIDE * x + STRIDE / 2 - 0.5, STRIDE * y + STRIDE / 2 - 0.5
            scores[keypoint] = heights.get(keypoint, 0)  # 0 for a guess
        found.append((instance_score, keypoints, scores))
    found.sort(key=lambda entry: -entry[0])
    instance_scores, keypoints, scores = zip(*found, strict=True) if found else ((), (), ())
    return (
        np.array(keypoints).reshape(-1, PARTS, 2),
        np.array(scores).reshape(-1, PARTS),
        np.array(instance_scores),
    )


def assert_decoders_agree(maps: Maps) -> People:
    found = decode_people(*maps, OPENPOSE18, STRIDE, DECODERS['default'])
    expected = slow_decoder(*maps)
    assert_same_people(found, expected)
    np.testing.assert_allclose(found[2], expected[2], atol=1e-5)
    return found


@pytest.mark.parametrize('count', range(1, 13))
def test_ideal_maps_of_crowds(count: int) -> None:
    for seed in range(2):
        rng = np.random.default_rng([seed, count])
        found = assert_decoders_agree(draw(*crowd(count, rng, outside=0.3, missing=0.15)))
        assert len(found[0]) > count / 3


@pytest.mark.parametrize('count', [1, 3, 6, 10])
def test_parts_halfway_between_cells(count: int) -> None:
    """Of such a keypoint two or four cells are equally high."""
    for seed in range(3):
        people, visible = crowd(count, np.random.default_rng([seed, count]), outside=0.3)
        people = np.round(people / (STRIDE / 2)) * STRIDE / 2 - 0.5
        found = assert_decoders_agree(draw(people, visible))
        assert len(found[0]) > count / 3


@pytest.mark.parametrize('count', [1, 3, 5, 8, 12])
@pytest.mark.parametrize('noise', [(0.01, 0.05), (0.05, 0.1)])
def test_noisy_maps_of_crowds(count: int, noise: tuple[float, float]) -> None:
    rng = np.random.default_rng(count)
    found = assert_decoders_agree(draw_noisily(*crowd(count, rng, outside=0.3, missing=0.15), rng, noise=noise))
    assert len(found[0]) > count / 3


def test_more_peaks_than_are_looked_at() -> None:
    rng = np.random.default_rng(0)
    heatmaps, pafs = draw(*crowd(5, rng, outside=0.3, missing=0.15))
    heatmaps += rng.uniform(0, 0.05, heatmaps.shape).astype(np.float32)
    assert_decoders_agree((heatmaps, pafs))


def test_nobody() -> None:
    assert len(assert_decoders_agree((np.zeros((19, *CELLS[::-1])), np.zeros((38, *CELLS[::-1]))))[0]) == 0
