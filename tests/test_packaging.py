"""pyproject.toml agrees with the requirement files, and the wheel holds what an installation needs."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from freqcnn_gluon.__main__ import VERSION, main

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
PINNED = PYTHONS[:3]  # the Pythons of constraints.txt


def requirements(name):
    """The requirements of a file, without those of the files that it includes."""
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def expand(extra, python=None):
    """The requirements of an extra and of the extras that it includes, all or those for one Python."""
    found = []
    for requirement in map(Requirement, EXTRAS[extra]):
        if requirement.name == PROJECT["name"]:
            found += [each for name in sorted(requirement.extras) for each in expand(name, python)]
        elif python is None or applies(requirement, python):
            found.append(requirement)
    return found


def applies(requirement, python):
    return requirement.marker is None or requirement.marker.evaluate({"python_version": python})


def names(found):
    return {canonicalize_name(requirement.name) for requirement in found}


BASE = [Requirement(line) for line in PROJECT["dependencies"]]


@pytest.mark.parametrize("extra, file", [("cpu", "requirements-cpu.txt"), ("gpu", "requirements.txt")])
def test_the_requirement_files_hold_the_same_packages(extra, file):
    project = names([*BASE, *expand(extra), *expand("dev")])
    assert names([*requirements("requirements-common.txt"), *requirements(file)]) == project


def test_cpu_and_gpu_differ_in_mxnet_and_its_libraries():
    different = names(expand("cpu")) ^ names(expand("gpu"))
    assert different == names([*requirements("requirements-cpu.txt"), *requirements("requirements.txt")])


@pytest.mark.parametrize("python", PINNED)
def test_every_pin_satisfies_pyproject(python):
    pins = {
        canonicalize_name(pin.name): pin.specifier
        for pin in requirements("constraints.txt")
        if applies(pin, python)
    }
    for requirement in [*BASE, *(each for extra in EXTRAS for each in expand(extra, python))]:
        if applies(requirement, python):
            (pin,) = pins[canonicalize_name(requirement.name)]
            assert pin.operator == "==" and requirement.specifier.contains(pin.version), requirement


@pytest.mark.parametrize("python", PYTHONS)
def test_a_model_that_was_exported_needs_no_mxnet_and_no_old_numpy(python):
    found = [*(each for each in BASE if applies(each, python)), *expand("onnx", python)]
    assert names(found).isdisjoint({"mxnet", "mxnet-cu112", "matplotlib", "gluoncv", "dask", "torch"})
    for requirement in found:
        if requirement.name != "av":
            assert all(specifier.operator == ">=" for specifier in requirement.specifier), requirement


@pytest.mark.parametrize("extra", ["cpu", "gpu"])
def test_mxnet_is_asked_for_only_where_it_has_a_wheel(extra):
    for python in PYTHONS:
        found = {requirement.name: requirement for requirement in expand(extra, python)}
        assert any(name.startswith("mxnet") for name in found) == (python in PINNED)
        assert ("numpy" in found) == (python in PINNED)  # MXNet's bound, numpy below 2
        assert ("setuptools" in found) == (python == "3.12")
    assert all(str(each.specifier) == "==1.9.1" for each in expand(extra) if each.name.startswith("mxnet"))


def test_the_pythons_are_the_classifiers():
    prefix = "Programming Language :: Python :: 3."
    assert [f"3.{each.removeprefix(prefix)}" for each in PROJECT["classifiers"] if prefix in each] == PYTHONS
    assert PROJECT["requires-python"] == f">={PYTHONS[0]}"


def test_the_version_is_stated_once():
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    statement = re.compile(rf"version\W+{re.escape(VERSION)}\b", re.IGNORECASE)
    packages = ("data_prep", "freqcnn_gluon", "reproduce", "tools")
    files = [path for package in packages for path in (ROOT / package).rglob("*") if path.suffix != ".pyc"]
    files += [ROOT / "pyproject.toml", ROOT / "CITATION.cff"]
    stated = [path for path in files if path.is_file() and statement.search(path.read_text(errors="replace"))]
    assert stated == [ROOT / "freqcnn_gluon" / "__main__.py"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built without the network, and from a copy because a build writes into its source."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("data_prep", "freqcnn_gluon", "reproduce", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    words = ["-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", folder]
    done = subprocess.run([sys.executable, *words, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_two_packages_and_their_types(wheel):
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(ROOT))
        for package in ("data_prep", "freqcnn_gluon")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == sources and {"data_prep/py.typed", "freqcnn_gluon/py.typed"} <= inside


def test_the_wheels_metadata(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("freqcnn-gluon", VERSION)
    assert metadata["License-Expression"] == "Apache-2.0" and "Wu, Mao and Yi 2018" in metadata["Summary"]
    assert set(metadata.get_all("Provides-Extra")) == set(EXTRAS)
    assert name.replace("METADATA", "licenses/LICENSE") in wheel.namelist()


def test_the_wheels_command_is_main(wheel):
    (name,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    points = configparser.ConfigParser()
    points.read_string(wheel.read(name).decode())
    module, _, function = points["console_scripts"]["freqcnn"].partition(":")
    assert getattr(sys.modules[module], function) is main
