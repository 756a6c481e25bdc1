"""`make doctor` finds a machine well, and what was made wrong with it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(sys.prefix)


def doctor(venv, data, **environment):
    done = subprocess.run(
        [ROOT / "tools/doctor.sh", venv, data, data.with_name("results")],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(not (HERE / ".ready").is_file(), reason="this environment was not made by make setup")
def test_a_machine_on_which_the_tests_run_is_well(tmp_path):
    code, said = doctor(HERE, tmp_path / "data")
    assert code == 0 and "WRONG" not in said, said
    for what in ("MXNet 1.9.1 loads, and the network computes", "can speak the stand-ins", "can be written"):
        assert f"ok     {what}" in said or what in said
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_said_with_its_remedy(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    code, said = doctor(tmp_path / "none", tmp_path / "data", OMP_NUM_THREADS="1")
    assert code == 1
    assert f"WRONG  there is no finished environment in {tmp_path / 'none'}: run `make setup`" in said
    assert f"WRONG  {tmp_path / 'data'} cannot be written" in said
    broken = tmp_path / "venv/bin"
    broken.mkdir(parents=True)
    (broken / "python").symlink_to(sys._base_executable)  # no packages there
    (broken.parent / ".ready").write_text("cpu 1 2")
    code, said = doctor(tmp_path / "venv", tmp_path / "new")
    assert code == 1 and "WRONG  MXNet does not compute" in said
    assert "does not hold what this version requires: run `make setup`" in said
