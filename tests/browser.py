"""The page of tools/web.py in headless Chromium: for its test, and for its photograph in the README.

python tests/browser.py docs/web.jpg
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait
from shipped_configs import REPOSITORY

_PATIENCE = 240  # seconds, of a busy machine; the first image waits for the network and for loops to be compiled


@contextmanager
def served(*args: str) -> Iterator[str]:
    """The address that tools/web.py serves at, for the time of a ``with`` block."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(REPOSITORY / 'tools/web.py'), '--port', str(port), *args]
    address = f'http://127.0.0.1:{port}'
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        until(lambda: process.poll() is not None or _answers(address))
        assert process.poll() is None, process.stdout.read()
        yield address
    finally:
        process.kill()  # an interrupt is ignored where the tests run in the background
        process.communicate()


def until(holds: Callable[[], object]) -> object:
    """Wait until something holds, and give it back."""
    end = time.monotonic() + _PATIENCE
    while not (found := holds()):
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.2)
    return found


def _answers(address: str) -> bool:
    try:
        return urllib.request.urlopen(address).status == 200
    except OSError:
        return False


@contextmanager
def chromium(downloads: Path) -> Iterator[WebDriver]:
    """A browser that logs what it asks the network for, and puts files into a folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which('chromium')
    for flag in ('--headless=new', '--no-sandbox', '--window-size=1280,1240'):
        options.add_argument(flag)
    options.add_experimental_option('prefs', {'download.default_directory': str(downloads)})
    options.set_capability('goog:loggingPrefs', {'performance': 'ALL', 'browser': 'ALL'})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which('chromedriver')))
    try:
        yield driver
    finally:
        driver.quit()


def outside_requests(driver: WebDriver, address: str) -> list[str]:
    """What the browser has asked for, or was kept from asking for, of others than the page's server."""
    events = [json.loads(entry['message'])['message'] for entry in driver.get_log('performance')]
    urls = [event['params']['request']['url'] for event in events if event['method'] == 'Network.requestWillBeSent']
    assert any(url.startswith(address) for url in urls)
    refused = [entry['message'] for entry in driver.get_log('browser') if 'Content Security Policy' in entry['message']]
    return [url for url in urls if not url.startswith((address, 'data:', 'blob:', 'chrome'))] + refused


def find(driver: WebDriver, selector: str, text: str = '') -> object:
    """The first element on show that a CSS selector names and that holds a text, once it is there."""
    elements = lambda driver: [  # noqa: E731
        element
        for element in driver.find_elements(By.CSS_SELECTOR, selector)
        if text in element.text and (element.is_displayed() or element.tag_name == 'input')
    ]
    return WebDriverWait(driver, _PATIENCE).until(elements)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description='Take the photograph of the page that the README shows.')
    parser.add_argument('out', type=Path)
    args = parser.parse_args()
    with served() as address, chromium(args.out.parent) as driver:
        driver.get(address)
        find(driver, 'input[type=file]').send_keys(str(REPOSITORY / 'docs/samples/baseball_1888.jpg'))
        find(driver, 'button[aria-label="Remove Image"]')
        find(driver, 'label', 'Heatmaps').click()
        find(driver, 'button', 'Find people').click()
        find(driver, '#maps img')
        time.sleep(2)  # for the images to be there
        driver.execute_script('window.scrollTo(0, 0)')
        picture = cv2.imdecode(np.frombuffer(driver.get_screenshot_as_png(), np.uint8), cv2.IMREAD_COLOR)
        cv2.imwrite(str(args.out), picture, [cv2.IMWRITE_JPEG_QUALITY, 72])


if __name__ == '__main__':
    main()
