"""Which GPUs there are and which device to compute on.

Standard library only: ``tools/setup.sh`` runs this file to choose between the CPU and the GPU set of packages
before anything is installed.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

from data_prep.base.faults import Faults

if TYPE_CHECKING:
    pass


DRIVER = "libcuda.so.1"
# The mxnet-cu112 wheel holds machine code for sm_50 to sm_86 and no PTX, and sm_86 code serves 8.9.
CAPABILITIES = (5, 0), (8, 9)


class Gpu(NamedTuple):
    index: int
    name: str
    capability: tuple[int, int]
    memory_bytes: int

    @property
    def usable(self) -> bool:
        """Whether MXNet's last release holds machine code for it."""
        return CAPABILITIES[0] <= self.capability <= CAPABILITIES[1]

    def __str__(self) -> str:
        return f"GPU {self.index} ({self.name}, compute capability {_dotted(self.capability)})"


def gpus() -> list[Gpu]:
    """The GPUs that the NVIDIA driver shows to this process, asked without MXNet; none without a driver."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []

    def attribute(device: ctypes.c_int, which: int) -> int:
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), which, device)
        return value.value

    found = []
    for index in range(count.value):
        device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
        if driver.cuDeviceGet(ctypes.byref(device), index):
            continue
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        capability = attribute(device, 75), attribute(device, 76)  # COMPUTE_CAPABILITY_MAJOR and _MINOR
        found.append(Gpu(index, name.value.decode(errors="replace"), capability, memory.value))
    return found


def choose(device: str = "auto") -> tuple[str, list[int]]:
    """What ``device`` names, 'cpu' or 'gpu' and their numbers, without importing MXNet.

    ``auto`` is the first GPU that can be used, otherwise the CPU with one sentence on stderr that says
    why; ``gpu`` is the same without the second half. ``cpu:0,1`` are two contexts on the same cores, to
    try data-parallel code without GPUs. Raises Faults for a GPU that is asked for and cannot be used,
    and for a device that is none of these.
    """
    match = re.fullmatch(r"auto|(cpu|gpu)(?::(\d+(?:,\d+)*))?", device)
    numbers = [int(number) for number in match[2].split(",")] if match and match[2] else []
    if not match or len(set(numbers)) < len(numbers):
        raise Faults(
            f"device {device!r} is not understood: give auto, cpu, gpu, or different numbers as in"
            " cpu:0,1 or gpu:0."
        )
    if match[1] == "cpu":
        return "cpu", numbers or [0]

    found = gpus()
    first, why = _first_usable(found)
    if first and not installed("mxnet-cu112"):
        remedy = "(`make setup DEVICE=gpu` gets the other)"
        first, why = None, f"{first} can be used, but this environment has the CPU's MXNet {remedy}"
    if not first and device == "auto":
        say_once(f"{why}: using the CPU.")
        return "cpu", [0]
    if not first:
        raise Faults(f"device {device}: {why}; DEVICE=cpu or --device cpu does without.")
    here = {gpu.index: gpu for gpu in found}
    faults = [
        f"device {device}: {_cannot(here[number])}."
        if number in here
        else f"device {device}: there is no GPU {number}, the driver shows {len(found)}, from 0."
        for number in numbers
        if number not in here or not here[number].usable
    ]
    if faults:
        raise Faults(faults)
    return "gpu", numbers or [first.index]


def _first_usable(found: list[Gpu]) -> tuple[Gpu | None, str]:
    """The first GPU that MXNet can use, and that it can; or None, and why."""
    for gpu in found:
        if gpu.usable:
            return gpu, f"{gpu} can be used"
    return None, "; ".join(map(_cannot, found)) or f"no GPU with an NVIDIA driver ({DRIVER}) was found"


def _cannot(gpu: Gpu) -> str:
    low, high = map(_dotted, CAPABILITIES)
    return f"{gpu} cannot be used, since MXNet's last release holds code for {low} to {high} only"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def say_once(sentence: str) -> None:
    """Say it on stderr, once a process."""
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    gpu, reason = _first_usable(gpus())
    print("gpu" if gpu else "cpu", reason)
