"""The page in headless Chromium: what a visitor does, sees and downloads; nobody else is asked for anything."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from shipped_configs import REPOSITORY

pytest.importorskip('gradio', reason='needs gradio: pip install -r requirements-web.txt')
pytest.importorskip('selenium', reason='needs selenium: pip install -r requirements-web.txt')
if not (shutil.which('chromium') and shutil.which('chromedriver')):
    pytest.skip('needs Chromium: apt-get install chromium chromium-driver', allow_module_level=True)

from browser import chromium, find, outside_requests, served, until

PHOTOGRAPH = REPOSITORY / 'docs/samples/baseball_1888.jpg'


@pytest.fixture(scope='module')
def address() -> Iterator[str]:
    with served() as address:
        yield address


@pytest.fixture
def driver(address: str, tmp_path: Path) -> Iterator:
    with chromium(tmp_path) as driver:
        driver.get(address)
        find(driver, 'button', 'Find people')
        yield driver
        assert outside_requests(driver, address) == []


def upload(driver, file: Path) -> None:
    find(driver, 'input[type=file]').send_keys(str(file))


def test_an_image_is_drawn_and_its_json_downloaded(driver, tmp_path: Path) -> None:
    upload(driver, PHOTOGRAPH)
    find(driver, 'button[aria-label="Remove Image"]')
    find(driver, 'button', 'Find people').click()
    assert find(driver, '#summary', '1 person')
    drawn = find(driver, '#drawn img')
    size = 'return arguments[0].naturalWidth + "x" + arguments[0].naturalHeight'
    height, width = cv2.imread(str(PHOTOGRAPH)).shape[:2]
    until(lambda: driver.execute_script(size, drawn) == f'{width}x{height}')
    find(driver, '#downloads a[download$="_keypoints.json"]').click()
    file = tmp_path / 'baseball_1888_keypoints.json'
    until(file.exists)
    (person,) = json.loads(file.read_text())['people']
    keypoints = np.reshape(person['pose_keypoints_2d'], (18, 3))
    assert (keypoints[:, 2] > 0).sum() > 10
    assert (keypoints[:, :2] < (width, height)).all()


def test_a_broken_file_is_told_in_a_line(driver, tmp_path: Path) -> None:
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes(PHOTOGRAPH.read_bytes()[:20_000])
    upload(driver, broken)
    find(driver, 'button[aria-label="Remove Image"]')
    find(driver, 'button', 'Find people').click()
    assert find(driver, '.toast-body', 'image broken.jpg is a truncated JPEG; copy or download it again')
