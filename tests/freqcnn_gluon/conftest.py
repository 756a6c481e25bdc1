"""Stand-ins for the NVIDIA driver and for MXNet's packages."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from freqcnn_gluon import devices

DRIVER_SOURCE = """
#include <string.h>
static const int capabilities[] = {CAPABILITIES};
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 12040; return 0; }
int cuDeviceGetCount(int *count) { *count = sizeof capabilities / sizeof *capabilities; return 0; }
int cuDeviceGet(int *device, int index) { *device = 70 + index; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Stand-in", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = 6000000000; return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) {
    int capability = capabilities[device - 70];
    *value = which == 75 ? capability / 10 : which == 76 ? capability % 10 : -1;
    return 0;
}
"""


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Return a function: driver(80, 90) installs a driver with GPUs of compute capability 8.0 and 9.0."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler")
    devices.warn_once.cache_clear()

    def install(*capabilities: int) -> None:
        library = tmp_path / ("libcuda" + "-".join(map(str, capabilities)) + ".so")
        listed = ",".join(map(str, capabilities))
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-x", "c", "-", f"-DCAPABILITIES={listed}", "-o", library],
            input=DRIVER_SOURCE,
            text=True,
            check=True,
        )
        monkeypatch.setattr(devices, "DRIVER", str(library))

    return install


@pytest.fixture
def no_driver(monkeypatch):
    devices.warn_once.cache_clear()
    monkeypatch.setattr(devices, "DRIVER", "libcuda-that-is-nowhere.so.1")


@pytest.fixture
def cuda_wheel(request, monkeypatch):
    """Make MXNet for GPUs appear installed, or not if parametrised with False."""
    gpu_set = getattr(request, "param", True)
    monkeypatch.setattr(devices, "installed", lambda package: gpu_set)
