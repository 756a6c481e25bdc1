"""Exported variables are made harmless, or named in one sentence before MXNet is imported."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from data_prep.base import shadows
from freqcnn_gluon import environment

ROOT = Path(__file__).resolve().parents[2]
# The training step of `make doctor`, a picture and a progress bar: what the commands need of the libraries.
STEP = (
    runpy.run_path(str(ROOT / "tools/doctor.py"))["STEP"]
    + """
import os
from freqcnn_gluon.network import explain
from data_prep.base.progress import Bar
print(loss.asscalar() > 0, os.environ.get("OMP_NUM_THREADS"), os.environ.get("MPLBACKEND"))
"""
)


def python(code, *options, **variables):
    """Run ``code`` in a fresh interpreter, with 1 thread unless ``variables`` say otherwise."""
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=ROOT,
        text=True,
        timeout=300,  # with PYTHONOPTIMIZE, Python compiles every module that is imported
        capture_output=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | variables,
    )


def test_the_value_that_this_process_has_is_right():
    assert environment.faults(os.environ) == {} and shadows.shadows(os.environ.get("PYTHONPATH", "")) == []


@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"OMP_NUM_THREADS": "2,1"}, "True 2 None"),
        ({"OMP_NUM_THREADS": " 1 "}, "True 1 None"),
        ({"MXNET_ENGINE_TYPE": "", "MXNET_OPTIMIZER_AGGREGATION_SIZE": " "}, "True 1 None"),
        ({"MXNET_HOME": "/nowhere", "MXNET_ROOT": "/opt/mxnet", "MXNET_VERSION": "1.7"}, "True 1 None"),
        ({"DMLC_ROLE": "worker", "DMLC_NUM_WORKER": "x"}, "True 1 None"),
        ({"MPLBACKEND": "foo"}, "True 1 None"),
        ({"MPLBACKEND": "module://matplotlib_inline.backend_inline"}, "module://"),
        ({"PYTHONWARNINGS": "error"}, "True 1 None"),
        ({"PYTHONOPTIMIZE": "1"}, "True 1 None"),
        ({"LANG": "xx", "LC_ALL": "xx", "TMPDIR": "/nonexistent", "MKL_NUM_THREADS": "x"}, "True 1 None"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_does_not_matter_is_ignored(variables, expected):
    done = python(STEP, **variables)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout and done.stderr == ""


def test_an_empty_number_of_threads_counts_as_unset():
    done = python(
        "import freqcnn_gluon, os; print(os.environ['OMP_NUM_THREADS'].isdecimal())", OMP_NUM_THREADS=""
    )
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_variable_of_tqdm_that_is_not_a_number_is_one_note():
    code = "from data_prep.base.progress import Bar; print(len(list(Bar(range(3), disable=True))))"
    done = python(code, TQDM_MININTERVAL="x", TQDM_NCOLS="wide")
    assert done.stdout == "3\n" and done.stderr.count("\n") == 1
    assert "TQDM_MININTERVAL" in done.stderr and "TQDM_NCOLS" in done.stderr


BAD = [
    *({"OMP_NUM_THREADS": value} for value in ("abc", "1.0", "0", "-1", "10000000", ",2", "²")),
    *({"MXNET_ENGINE_TYPE": value} for value in ("Foo", "naiveengine")),
    *({"MXNET_CPU_WORKER_NTHREADS": value} for value in ("0", "abc", "-1", "1.0", "99999")),
    {"MXNET_CPU_PRIORITY_NTHREADS": "0"},
    {"MXNET_CPU_TEMP_COPY": "0"},
    *({"MXNET_EXEC_BULK_EXEC_INFERENCE": value} for value in ("x", "2", "no")),
    *({name: "x"} for name in ("MXNET_PROFILER_MODE", "MXNET_SAFE_ACCUMULATION", "MXNET_MKLDNN_ENABLED")),
    *(
        {name: "2"}
        for name in ("MXNET_DISABLE_MKLDNN_CONV_OPT", "MXNET_KVSTORE_LOGTREE", "MXNET_ENGINE_INFO")
    ),
    {"MXNET_OPTIMIZER_AGGREGATION_SIZE": "x"},
    {"MXNET_UPDATE_ON_KVSTORE": "x"},
    *({"DMLC_ROLE": value} for value in ("server", "scheduler", "foo")),
    {"PYTHONOPTIMIZE": "2"},
]


def named(variables):
    return " ".join(f"{name}={value}" for name, value in variables.items())


@pytest.mark.parametrize("variables", BAD, ids=named)
def test_what_stops_mxnet_is_one_sentence(variables):
    (sentence,) = environment.faults(variables).values()
    assert named(variables) in sentence and ("nset" in sentence)
    done = python("import freqcnn_gluon", **variables)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {sentence}\n")


def test_without_mxnet_only_the_threads_matter():
    assert environment.faults({"MXNET_ENGINE_TYPE": "Foo", "DMLC_ROLE": "server"}, 2, mxnet=False) == {}
    assert len(environment.faults({"OMP_NUM_THREADS": "abc"}, mxnet=False)) == 1
    assert len(environment.faults({"OMP_NUM_THREADS": "abc", "MXNET_ENGINE_TYPE": "Foo"}, 2)) == 3


def test_double_optimisation_is_one_sentence():
    done = python("import freqcnn_gluon", "-OO")
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "-OO" in done.stderr


@pytest.mark.parametrize(
    "command", ["freqcnn_gluon describe table7", "reproduce table 2", "data_prep --help"]
)
@pytest.mark.parametrize("package", ["numpy", "scipy"])
def test_another_package_on_the_path_is_one_sentence(command, package, tmp_path):
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("__version__ = '2.3.0'\n")
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:/nowhere"},
    )
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1, done.stderr
    assert f"PYTHONPATH puts {tmp_path} before this environment, and {package} there" in done.stderr
    assert "Unset PYTHONPATH" in done.stderr


def test_a_path_that_hides_nothing_is_accepted(tmp_path):
    (tmp_path / "ros_messages").mkdir()
    own = os.path.dirname(os.path.dirname(sys.modules["pytest"].__file__))
    assert shadows.shadows(f"{tmp_path}::{own}:{ROOT}") == []
    done = python("import data_prep", "-E", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
