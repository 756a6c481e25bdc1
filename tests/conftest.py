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

# The files that take longest, the longest first.
LONG_FILES = (
    "test_interruptions.py",
    "test_benchmarks.py",
    "test_fitting.py",
    "test_workers.py",
    "test_schedule.py",
    "test_notebooks.py",
    "test_classifier.py",
    "test_check_gpu.py",
    "test_standin.py",
    "test_runtime.py",
    "test_export.py",
    "test_serving.py",
    "test_doctor.py",
    "test_assumptions.py",
    "test_parallel.py",
    "test_standin_chains.py",
    "test_standin_enterface.py",
    "test_readme_commands.py",
    "test_sensitivity.py",
    "test_explain.py",
    "test_execute.py",
)

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


def pytest_collection_modifyitems(items):
    """Begin with the longest files, so that the workers of ``make test`` end at the same time."""
    place = {name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


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
