"""`make doctor` reports a working machine as such, names each fault with its remedy, and prints versions."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sys.prefix)
NAMES = ["project", "Python", "packages", "system", "CPU", "cores", "memory", "GPU"]


def doctor(venv, data, **environment):
    """Return the exit code, the versions by name, and the lines after them."""
    done = subprocess.run(
        [ROOT / "tools/doctor.sh", venv, data, data.with_name("results")],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    versions, _, checks = done.stdout.partition("\n\n")
    pairs = (line.split(maxsplit=1) for line in versions.splitlines())
    return done.returncode, {name: value for name, value in pairs}, checks


@pytest.mark.skipif(not (HERE / ".ready").is_file(), reason="this environment was not made by make setup")
def test_a_working_machine_is_reported_as_working(tmp_path):
    code, versions, checks = doctor(HERE, tmp_path / "data")
    assert code == 0 and "WRONG" not in checks, checks
    for text in ("MXNet 1.9.1 loads, and a network takes a training step", "can synthesise the stand-ins"):
        assert any(line.startswith("ok     ") and text in line for line in checks.splitlines()), text
    assert checks.count(": can be written, ") == 2
    assert list(tmp_path.iterdir()) == []
    assert list(versions) == NAMES
    assert platform.python_version() in versions["Python"]
    assert "mxnet" in versions["packages"] and " 1.9.1, " in versions["packages"]
    assert "numpy 1." in versions["packages"] and "onnxruntime " in versions["packages"]
    assert platform.release() in versions["system"] and versions["memory"].endswith(" GB free")


def test_each_fault_is_reported_with_its_remedy(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    code, versions, checks = doctor(tmp_path / "none", tmp_path / "data", OMP_NUM_THREADS="1")
    assert code == 1
    assert list(versions) == NAMES and versions["packages"].startswith("unknown (")
    assert f"WRONG  {tmp_path / 'none'}: there is no finished environment. Run `make setup`." in checks
    assert f"WRONG  {tmp_path / 'data'}: cannot be written" in checks
    broken = tmp_path / "venv/bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to(sys._base_executable)  # a Python without the packages
    (broken.parent / ".ready").write_text("cpu 1 2")
    code, versions, checks = doctor(tmp_path / "venv", tmp_path / "new")
    assert code == 1 and "WRONG  MXNet does not compute" in checks
    assert "its packages are not those that this version requires. Run `make setup`." in checks
