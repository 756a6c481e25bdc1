"""A report states the commit of the code, the hardware and what the run spent."""

import subprocess
import sys
import time

import numpy as np
import pytest

from reproduce.runs import provenance
from reproduce.runs.provenance import ROOT, Meter, commit


def git(folder, *words):
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, text=True, capture_output=True
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", "code.py")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_commit_is_heads_and_dirty_if_the_code_differs(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert commit(checkout) == head and len(head) == 40
    (checkout / "results.csv").write_text("made, not tracked\n")
    assert commit(checkout) == head
    (checkout / "code.py").write_text("2\n")
    assert commit(checkout) == f"{head}-dirty"


def test_an_unpacked_archive_has_no_commit_even_inside_another_checkout(checkout, tmp_path_factory):
    inside = checkout / "unpacked"
    inside.mkdir()
    assert commit(inside) is None
    assert commit(tmp_path_factory.mktemp("outside")) is None


def test_without_git_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit(ROOT) is None


VERSIONS = {"cpu": "a processor", "threads": 2}


def test_processor_time_has_the_process_and_its_children():
    meter, started, own = Meter(), time.monotonic(), time.process_time()
    while time.process_time() < own + 0.3:
        pass
    child = "import time\nwhile time.process_time() < 0.4: pass\nprint(time.process_time())"
    of_child = float(subprocess.run([sys.executable, "-c", child], capture_output=True, check=True).stdout)
    spent = meter.spent("cpu", [0], VERSIONS)
    expected = time.process_time() - own + of_child
    assert spent["cpu_seconds"] == pytest.approx(expected, abs=0.2) and expected > 0.7
    assert spent["wall_seconds"] == pytest.approx(time.monotonic() - started, abs=0.2)
    assert (spent["cpu"], spent["threads"], spent["gpus"]) == ("a processor", 2, [])
    assert 0 < spent["peak_memory_gb"] < spent["memory_gb"] and spent["cores"] >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can forget an earlier peak")
def test_the_peak_of_memory_is_that_of_the_run_alone():
    first = Meter()
    np.ones(60_000_000)  # 480 MB, released at once
    large = first.spent("cpu", [0], VERSIONS)["peak_memory_gb"]
    small = Meter().spent("cpu", [0], VERSIONS)["peak_memory_gb"]
    assert large > 0.48 and large - small > 0.4


def test_the_names_of_the_gpus_that_a_run_used(monkeypatch):
    from freqcnn_gluon import devices

    listed = [devices.Gpu(number, f"card {number}", (7, 0), 16 * 10**9) for number in range(3)]
    monkeypatch.setattr(devices, "gpus", lambda: listed)
    assert provenance.Meter().spent("gpu", [0, 2], VERSIONS)["gpus"] == ["card 0", "card 2"]
