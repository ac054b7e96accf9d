from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from generate_data_tool import generate_data

from classicpose.errors import UserError
from classicpose.skeletons import FLIC10, seen_from_behind
from custom_modules.datasets.flic import COORDS_COLUMNS, FlicPeople, person_box, read_flic
from custom_modules.datasets.synthetic.coco import generate_coco
from custom_modules.datasets.synthetic.flic import TWO_PEOPLE_SHARE, draw_still, generate_flic

SIZE = (120, 80)


@pytest.fixture(scope='module')
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 training and 60 test people, drawn by two processes."""
    root = tmp_path_factory.mktemp('drawn_flic')
    generate_flic(root, 300, 60, size=SIZE, seed=3, workers=2)
    return root


@pytest.fixture(scope='module')
def people(data_root: Path) -> FlicPeople:
    return read_flic(str(data_root / 'examples.mat'))


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob('*') if path.is_file()}


def layout(path: Path) -> dict[str, tuple]:
    """For every field of the first person, in order: the kind and number of dimensions of its value."""
    first = scipy.io.loadmat(path)['examples'][0, 0]
    return {field: (first[field].dtype.kind, first[field].ndim) for field in first.dtype.names}


# What is written


def test_the_same_seed_writes_the_same_bytes_with_any_number_of_workers(data_root: Path, tmp_path: Path) -> None:
    generate_flic(tmp_path, 300, 60, size=SIZE, seed=3, workers=1)
    assert contents(tmp_path) == contents(data_root)


def test_images_do_not_depend_on_how_many_there_are(data_root: Path, tmp_path: Path) -> None:
    assert generate_flic(tmp_path, 2, 1, size=SIZE, seed=3) <= 3
    images = {path: data for path, data in contents(tmp_path).items() if path.endswith('.jpg')}
    assert images.items() <= contents(data_root).items()


def test_another_seed_draws_other_images(data_root: Path, tmp_path: Path) -> None:
    generate_flic(tmp_path, 5, 5, size=SIZE, seed=4)
    images = [data for root in (data_root, tmp_path) for path, data in contents(root).items() if path.endswith('.jpg')]
    assert len(images) == len(set(images))


def test_the_file_has_the_genuine_fields(data_root: Path) -> None:
    examples = scipy.io.loadmat(data_root / 'examples.mat', squeeze_me=True)['examples']
    assert examples.shape == (360,)
    assert examples.dtype.names == (
        'poselet_hit_idx', 'moviename', 'coords', 'filepath', 'imgdims', 'currframe', 'torsobox', 'istrain', 'istest',
    )  # fmt: skip
    for example in examples:
        assert np.flatnonzero(np.isfinite(example['coords']).all(axis=0)).tolist() == list(COORDS_COLUMNS)
        assert np.isfinite(example['coords']).sum() == 22
        assert example['imgdims'].tolist() == [80, 120, 3]
        assert example['filepath'] == f'{example["moviename"]}-{example["currframe"]:08d}.jpg'


def test_counts_are_of_people(people: FlicPeople, data_root: Path) -> None:
    assert (people.istrain.sum(), people.istest.sum()) == (300, 60)
    assert not (people.istrain & people.istest).any()
    names = set(people.file_names)
    assert names == {path.name for path in (data_root / 'images').iterdir()}
    assert not set(people.file_names[people.istrain]) & set(people.file_names[people.istest])
    _, counts = np.unique(people.file_names, return_counts=True)
    assert set(counts) == {1, 2}
    assert 0.7 < np.mean(counts == 2) / TWO_PEOPLE_SHARE < 1.3
    for name in sorted(names)[::40]:
        assert cv2.imread(str(data_root / 'images' / name)).shape == (80, 120, 3)


def test_the_last_image_may_show_more_people_than_are_annotated(tmp_path: Path) -> None:
    for count in range(1, 8):
        generate_flic(tmp_path, count, 0, size=(48, 32), seed=5)
        assert len(read_flic(str(tmp_path / 'examples.mat')).file_names) == count


def test_nobody_at_all_is_a_file_too(tmp_path: Path) -> None:
    assert generate_flic(tmp_path, 0, 0) == 0
    assert scipy.io.loadmat(tmp_path / 'examples.mat')['examples'].size == 0


# What is in the images


def test_people_stand_upright_in_the_image(people: FlicPeople) -> None:
    joints = people.coords
    inside = ((joints >= 0) & (joints <= np.array(SIZE) - 1)).all(axis=2)
    assert inside.mean() > 0.99
    shoulders, hips = joints[:, [0, 3]].mean(axis=1), joints[:, [6, 7]].mean(axis=1)
    trunks = hips - shoulders
    assert (trunks[:, 1] > 0).all()
    assert np.mean(np.abs(trunks[:, 0]) < 0.3 * trunks[:, 1]) > 0.98
    assert 0.25 < np.median(trunks[:, 1]) / SIZE[1] < 0.42
    assert 0.3 < np.median(shoulders[:, 1]) / SIZE[1] < 0.5


def test_most_lose_their_legs() -> None:
    images = [draw_still(np.random.default_rng((2, index)), SIZE)[1] for index in range(60)]
    ankles = [person.at(f'{side}_ankle')[1] for people in images for person in people for side in ('left', 'right')]
    knees = [person.at(f'{side}_knee')[1] for people in images for person in people for side in ('left', 'right')]
    assert np.mean(np.array(ankles) > SIZE[1] - 1) > 0.75
    assert np.mean(np.array(knees) > SIZE[1] - 1) > 0.5


def test_some_turn_their_back(people: FlicPeople) -> None:
    assert 0.05 < seen_from_behind(people.coords[:, :10], FLIC10).mean() < 0.25


def test_torso_boxes_are_as_the_genuine_ones(people: FlicPeople) -> None:
    x1, y1, x2, y2 = people.torso_boxes.T
    width, height = x2 - x1, y2 - y1
    np.testing.assert_allclose(height / width, 1.5, atol=1e-3)
    shoulders, hips = people.coords[:, [0, 3]].mean(axis=1), people.coords[:, [6, 7]].mean(axis=1)
    trunk = np.linalg.norm(hips - shoulders, axis=1)
    # The genuine medians: 0.989, 0.010 and 0.016.
    assert np.median(height / trunk) == pytest.approx(0.99, abs=0.05)
    assert np.median(((x1 + x2) / 2 - shoulders[:, 0]) / height) == pytest.approx(0.01, abs=0.02)
    assert np.median((y1 - shoulders[:, 1]) / height) == pytest.approx(0.016, abs=0.03)
    box = person_box(people.torso_boxes)[:, None]
    assert ((people.coords >= box[..., :2]) & (people.coords <= box[..., 2:])).all(axis=2).mean() > 0.98


def test_annotations_are_of_the_people_drawn(people: FlicPeople, data_root: Path) -> None:
    row = 0
    for index in range(10):
        image, drawn = draw_still(np.random.default_rng((3, 0, index)), SIZE)
        written = cv2.imread(str(data_root / 'images' / people.file_names[row]))
        # Blurred, because JPEG loses the colours' noise.
        assert cv2.absdiff(cv2.blur(written, (5, 5)), cv2.blur(image, (5, 5))).mean() < 4
        assert [person.scale for person in drawn] == sorted((person.scale for person in drawn), reverse=True)
        for person in drawn:
            joints = [person.at(name)[:2] for name in (*FLIC10.keypoints, 'nose')]
            np.testing.assert_allclose(people.coords[row], joints, atol=0.006)
            x1, y1, x2, y2 = people.torso_boxes[row]
            assert x1 < np.mean(people.coords[row, [0, 3, 6, 7], 0]) < x2
            assert y1 < np.mean(people.coords[row, [0, 3, 6, 7], 1]) < y2
            row += 1


@pytest.mark.real_data
def test_the_genuine_file_has_the_same_layout(data_root: Path, real_flic: Path) -> None:
    assert list(layout(data_root / 'examples.mat').items()) == list(layout(real_flic / 'examples.mat').items())


# Interruption, refusal, and the command


class Stop(Exception):
    pass


@pytest.mark.parametrize('workers', (1, 2))
def test_an_interrupted_run_leaves_nothing_that_looks_finished(tmp_path: Path, workers: int) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise Stop

    generate_flic(tmp_path, 3, 3, size=(48, 32))
    assert (tmp_path / 'examples.mat').is_file()
    with pytest.raises(Stop):
        generate_flic(tmp_path, 60, 4, size=(48, 32), workers=workers, progress=interrupt)
    assert list(tmp_path.glob('images/*.jpg'))
    assert not (tmp_path / 'examples.mat').exists()


def test_generated_data_is_replaced(tmp_path: Path) -> None:
    generate_flic(tmp_path / 'a', 6, 3, size=(48, 32))
    generate_flic(tmp_path / 'a', 2, 1, size=(48, 32))
    generate_flic(tmp_path / 'b', 2, 1, size=(48, 32))
    assert contents(tmp_path / 'a') == contents(tmp_path / 'b')


def test_other_files_are_not_touched(tmp_path: Path) -> None:
    for root, make in ((tmp_path / 'coco', generate_coco), (tmp_path / 'flic', generate_flic)):
        make(root, 1, 1, size=(48, 32))
    before = contents(tmp_path)
    for root, make in ((tmp_path / 'coco', generate_flic), (tmp_path / 'flic', generate_coco)):
        with pytest.raises(UserError, match='not generated in this format.*new or an empty folder'):
            make(root, 1, 1)
    assert contents(tmp_path) == before


def test_the_command_writes_flic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    generate_data(monkeypatch, str(tmp_path / 'x'), '--format', 'flic', '--train', '3', '--val', '2')
    assert 'images/s' in capsys.readouterr().out
    people = read_flic(str(tmp_path / 'x/examples.mat'))
    assert (people.istrain.sum(), people.istest.sum()) == (3, 2)
    assert cv2.imread(str(tmp_path / 'x/images' / people.file_names[0])).shape == (240, 360, 3)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(('--train', '-1'), '-1 train people'), (('--val', '-5'), '-5 test people'), (('--size', '20', '99'), '20x99')],
)
def test_the_command_explains_mistakes_in_one_line(tmp_path, monkeypatch, capsys, arguments, message) -> None:
    with pytest.raises(SystemExit) as stopped:
        generate_data(monkeypatch, str(tmp_path / 'x'), '--format', 'flic', *arguments)
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert not (tmp_path / 'x').exists()
