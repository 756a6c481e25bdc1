"""The requirement files pin every package, and each set has one MXNet with its libraries."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_setup import REQUIREMENT_FILES, ROOT

from freqcnn_gluon.runtime import CUDA_LIBRARIES


def requirements(name: str) -> list[Requirement]:
    """Return the requirements in a file, without those of the files that it includes."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def names(name: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements(name)}


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12"])
def test_every_requirement_and_its_dependencies_have_one_exact_version(version):
    pins = [
        pin
        for pin in requirements("constraints.txt")
        if pin.marker is None or pin.marker.evaluate({"python_version": version})
    ]
    assert [str(pin) for pin in pins if not re.fullmatch(r"==[\w.]+", str(pin.specifier))] == []
    for pin in pins:
        try:
            supported = importlib.metadata.metadata(pin.name).get("Requires-Python")
        except importlib.metadata.PackageNotFoundError:
            continue  # it belongs to the other set or to another Python
        if importlib.metadata.version(pin.name) == str(pin.specifier)[2:] and supported:
            assert SpecifierSet(supported).contains(f"{version}.9"), f"{pin} is not for Python {version}"
    pinned = [canonicalize_name(pin.name) for pin in pins]
    assert len(set(pinned)) == len(pinned)

    known, new = set(), set().union(*map(names, REQUIREMENT_FILES[:3]))
    while new:
        known |= new
        pulled = set()
        for package in new:
            try:
                needs = map(Requirement, importlib.metadata.requires(package) or [])
            except importlib.metadata.PackageNotFoundError:
                continue  # it belongs to the other set or to another Python
            pulled |= {
                canonicalize_name(need.name)
                for need in needs
                if need.marker is None
                or need.marker.evaluate(
                    {"extra": "", "python_version": version, "python_full_version": f"{version}.0"}
                )
            }
        new = pulled - known
    assert len(known) > 40
    assert known - set(pinned) == set()


def test_the_sets_share_the_common_file_and_hold_one_mxnet_each():
    for name, flavour in (("requirements.txt", "mxnet-cu112"), ("requirements-cpu.txt", "mxnet")):
        lines = (ROOT / name).read_text().splitlines()
        assert "-r requirements-common.txt" in lines and "-c constraints.txt" in lines
        assert {package for package in names(name) if package.startswith("mxnet")} == {flavour}
    assert not {package for package in names("requirements-common.txt") if package.startswith("mxnet")}
    assert names("requirements-cpu.txt") == {"mxnet"}
    for name in REQUIREMENT_FILES:
        assert "://" not in (ROOT / name).read_text()


def test_every_loaded_cuda_library_is_in_the_gpu_set():
    wheels = {f"nvidia-{library.split('/')[0].replace('_', '-')}-cu11" for library in CUDA_LIBRARIES}
    assert names("requirements.txt") == wheels | {"mxnet-cu112"}


@pytest.mark.skipif(
    not (shutil.which("cc") and shutil.which("nm")), reason="the stub driver needs a C compiler"
)
def test_the_gpu_check_imports_mxnet_and_recognises_a_cpu_environment():
    """A CPU environment is refused, but only after all imports have succeeded in their order."""
    done = subprocess.run([sys.executable, ROOT / "tools/check_gpu_setup.py"], capture_output=True, text=True)
    if names("requirements-cpu.txt") <= {package.name for package in importlib.metadata.distributions()}:
        assert done.returncode == 1 and "built without CUDA, CUDNN, NCCL" in done.stderr
    assert "was imported" in done.stdout and "Traceback" not in done.stderr
