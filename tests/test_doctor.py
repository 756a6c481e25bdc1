"""`make doctor` reports a working machine as such, names each fault with its remedy, and prints versions."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from freqcnn_gluon.__main__ import VERSION

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sys.prefix)
NAMES = ["project", "Python", "packages", "system", "CPU", "cores", "memory", "GPU"]


def doctor(venv, data, *inherited, **environment):
    """Return the exit code, the versions by name, and the lines after them."""
    done = subprocess.run(
        [ROOT / "tools/doctor.sh", venv, data, data.with_name("results"), *inherited],
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


def test_variables_that_matter_are_named_and_do_not_hide_other_faults(tmp_path):
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy/__init__.py").write_text("__version__ = '2.3.0'")
    given = {
        "PYTHONPATH": str(tmp_path),
        "PYTHONHOME": "/usr",
        "PYTHONSAFEPATH": "1",
        "PYTHONOPTIMIZE": "2",
        "MXNET_ENGINE_TYPE": "Foo",
        "DMLC_ROLE": "server",
        "OMP_NUM_THREADS": "abc",
    }
    code, versions, checks = doctor(HERE, tmp_path / "data", "SEEDS", SEEDS="7", **given)
    assert code == 1 and list(versions) == NAMES
    lines = checks.splitlines()
    assert f"WRONG  PYTHONPATH puts {tmp_path} before" in checks
    for name, value in given.items():
        (line,) = (line for line in lines if name in line.partition(". ")[0])
        assert line.startswith("note" if name in ("PYTHONHOME", "PYTHONSAFEPATH") else "WRONG"), line
    assert "note   SEEDS=7 comes from the environment" in checks
    assert any("MXNet 1.9.1 loads, and a network takes a training step" in line for line in lines), checks
    assert versions["project"].startswith(f"{VERSION}, ")


@pytest.mark.parametrize("path", ["", "ros"])
def test_harmless_variables_are_not_named(path, tmp_path):
    given = {
        "PYTHONPATH": path and str(tmp_path),
        "OMP_NUM_THREADS": "1,1",
        "LANG": "xx",
        "MPLBACKEND": "foo",
    }
    _, _, checks = doctor(tmp_path / "none", tmp_path / "data", **given)
    assert not [name for name in given if name in checks and name != "OMP_NUM_THREADS"]
    assert "OMP_NUM_THREADS=1,1" not in checks
