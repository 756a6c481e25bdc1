"""List this machine's GPUs, and choose the device to compute on.

This file needs only the standard library and ``data_prep.base``: ``tools/setup.sh`` runs it, before anything
is installed, to choose between the CPU and the GPU packages.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import re
import sys
from pathlib import Path
from typing import NamedTuple

from data_prep.base.faults import Faults

__all__ = ["DRIVER", "Gpu", "choose", "driver_version", "gpus", "installed", "warn_once"]

DRIVER = "libcuda.so.1"
# The mxnet-cu112 wheel holds machine code for sm_50 to sm_86 and no PTX. Code for sm_86 runs on 8.9 too.
CAPABILITIES = (5, 0), (8, 9)
# CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in CUDA's driver API.
MAJOR, MINOR = 75, 76
KERNEL_MODULE = Path("/proc/driver/nvidia/version")


class Gpu(NamedTuple):
    """A GPU that the driver lists.

    Attributes:
        number: The driver's number for it, from 0.
        name: The product's name.
        capability: Major and minor number of its compute capability.
        memory: Its memory in bytes.
    """

    number: int
    name: str
    capability: tuple[int, int]
    memory: int

    @property
    def usable(self) -> bool:
        """Whether MXNet's last release has machine code for it."""
        return CAPABILITIES[0] <= self.capability <= CAPABILITIES[1]

    def __str__(self) -> str:
        return f"GPU {self.number} ({self.name}, compute capability {_dotted(self.capability)})"


def gpus() -> list[Gpu]:
    """Return the GPUs that the NVIDIA driver shows to this process, without MXNet; [] without a driver."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return []
    count = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return []

    def attribute(device: ctypes.c_int, number: int) -> int:
        value = ctypes.c_int()
        driver.cuDeviceGetAttribute(ctypes.byref(value), number, device)
        return value.value

    listed = []
    for number in range(count.value):
        device, name, memory = ctypes.c_int(), ctypes.create_string_buffer(256), ctypes.c_size_t()
        if driver.cuDeviceGet(ctypes.byref(device), number):
            continue
        driver.cuDeviceGetName(name, len(name), device)
        driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
        capability = attribute(device, MAJOR), attribute(device, MINOR)
        listed.append(Gpu(number, name.value.decode(errors="replace"), capability, memory.value))
    return listed


def driver_version() -> str:
    """Return the NVIDIA driver's version and the newest CUDA it supports, '' without a driver."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return ""
    number = ctypes.c_int()
    if driver.cuDriverGetVersion(ctypes.byref(number)):
        return ""
    # 12040 is 12.4
    cuda = f"CUDA {number.value // 1000}.{number.value % 1000 // 10}"
    try:
        match = re.search(r"Kernel Module.*?\s(\d+(?:\.\d+)+)\s", KERNEL_MODULE.read_text())
    except OSError:  # in the Windows Subsystem for Linux, for example
        match = None
    return f"{match[1]}, {cuda}" if match else cuda


def choose(device: str = "auto") -> tuple[str, list[int]]:
    """Return the kind of a device, 'cpu' or 'gpu', and its numbers, without importing MXNet.

    Args:
        device: 'auto' for the first usable GPU; without one, for the CPU, and the reason goes to stderr.
            'gpu' for the first usable GPU, 'gpu:0,2' for these two GPUs, 'cpu' for the CPU. 'cpu:0,1' for two
            contexts on the same cores, to try data-parallel training without GPUs.

    Raises:
        Faults: ``device`` has another form, or a GPU does not exist or is not usable.
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

    listed = gpus()
    first, reason = _first_usable(listed)
    if first and not installed("mxnet-cu112"):
        remedy = "(`make setup DEVICE=gpu` installs the one for GPUs)"
        first, reason = None, f"{first} is usable, but this environment has MXNet for CPUs {remedy}"
    if not first and device == "auto":
        warn_once(f"{reason}: using the CPU.")
        return "cpu", [0]
    if not first:
        raise Faults(f"device {device}: {reason}. Use the CPU: DEVICE=cpu or --device cpu.")
    known = {gpu.number: gpu for gpu in listed}
    faults = [
        f"device {device}: {_unusable(known[number])}."
        if number in known
        else f"device {device}: there is no GPU {number}. The driver lists {len(listed)}, from number 0."
        for number in numbers
        if number not in known or not known[number].usable
    ]
    if faults:
        raise Faults(faults)
    return "gpu", numbers or [first.number]


def installed(package: str) -> str | None:
    """Return the installed version of ``package``, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


@functools.cache
def warn_once(sentence: str) -> None:
    """Print ``sentence`` on stderr, once per process."""
    print(sentence, file=sys.stderr)


def _first_usable(listed: list[Gpu]) -> tuple[Gpu | None, str]:
    """Return the first usable GPU or None, and a clause that gives the reason."""
    for gpu in listed:
        if gpu.usable:
            return gpu, f"{gpu} is usable"
    return None, "; ".join(map(_unusable, listed)) or f"no GPU with an NVIDIA driver ({DRIVER}) was found"


def _unusable(gpu: Gpu) -> str:
    low, high = map(_dotted, CAPABILITIES)
    return f"{gpu} cannot be used, because MXNet's last release has code for {low} to {high} only"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


if __name__ == "__main__":
    gpu, reason = _first_usable(gpus())
    print("gpu" if gpu else "cpu", reason)
