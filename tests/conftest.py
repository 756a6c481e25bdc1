"""Prepare the tests: import the package before MXNet, keep Ctrl-C working, make hypothesis deterministic."""

import os
import shutil
import signal

import hypothesis
import pytest

import freqcnn_gluon  # noqa: F401

# A process that a shell starts in the background ignores Ctrl-C, and so do the processes that it starts. The
# tests interrupt some of theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("here", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("here")

QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Return headless Chromium. Without it the test is skipped, except in continuous integration."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        message = "there is no browser; install the packages chromium and chromium-driver"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for word in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield opened
    opened.quit()
