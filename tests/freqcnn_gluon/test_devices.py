"""The search for GPUs and the choice of devices, with a stand-in for the NVIDIA driver."""

from __future__ import annotations

import mxnet as mx
import pytest
from test_runtime import python

from data_prep.base.faults import Faults
from freqcnn_gluon import devices, runtime

without_cuda = pytest.mark.parametrize("cuda_wheel", [False], indirect=True)


def test_gpus_are_those_that_the_driver_lists(driver):
    driver(80, 120)
    assert devices.gpus() == [(0, "Stand-in", (8, 0), 6_000_000_000), (1, "Stand-in", (12, 0), 6_000_000_000)]
    assert [gpu.usable for gpu in devices.gpus()] == [True, False]


def test_without_a_driver_there_are_no_gpus(no_driver):
    assert devices.gpus() == [] and devices.driver_version() == ""


def test_the_drivers_version_is_the_modules_and_cudas(driver, tmp_path, monkeypatch):
    driver(80)
    monkeypatch.setattr(devices, "KERNEL_MODULE", tmp_path / "version")
    assert devices.driver_version() == "CUDA 12.4"
    for module in ("Kernel Module", "Open Kernel Module for x86_64"):
        line = f"NVRM version: NVIDIA UNIX x86_64 {module}  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
        (tmp_path / "version").write_text(line + "GCC version:  gcc version 12.2.0\n")
        assert devices.driver_version() == "550.54.15, CUDA 12.4"


@pytest.mark.parametrize(
    "capability, usable", [(35, False), (50, True), (86, True), (89, True), (90, False), (120, False)]
)
def test_only_capabilities_5_0_to_8_9_are_used(driver, cuda_wheel, capsys, capability, usable):
    driver(capability)
    if usable:
        assert runtime.contexts("auto") == runtime.contexts("gpu") == runtime.contexts("gpu:0") == [mx.gpu(0)]
        assert capsys.readouterr().err == ""
    else:
        assert runtime.contexts("auto") == runtime.contexts("auto") == [mx.cpu(0)]
        warning = capsys.readouterr().err
        assert warning.count("\n") == 1 and f"Stand-in, compute capability {capability / 10}" in warning
        for device in ("gpu", "gpu:0"):
            with pytest.raises(Faults, match=f"compute capability {capability / 10}"):
                runtime.contexts(device)


def test_auto_skips_a_gpu_that_is_too_new_and_each_number_is_checked(driver, cuda_wheel):
    driver(90, 75, 86)
    assert runtime.contexts("auto") == runtime.contexts("gpu") == [mx.gpu(1)]
    assert runtime.contexts("gpu:2,1") == [mx.gpu(2), mx.gpu(1)]
    with pytest.raises(Faults) as raised:
        runtime.contexts("gpu:0,1,5")
    assert len(raised.value.faults) == 2
    assert "GPU 0 (Stand-in, compute capability 9.0)" in raised.value.faults[0]
    assert "no GPU 5" in raised.value.faults[1]


@without_cuda
def test_a_usable_gpu_with_mxnet_for_cpus_names_the_remedy(driver, cuda_wheel, capsys):
    driver(80)
    assert runtime.contexts("auto") == [mx.cpu(0)]
    assert "make setup DEVICE=gpu" in capsys.readouterr().err
    with pytest.raises(Faults, match="make setup DEVICE=gpu"):
        runtime.contexts("gpu")


@without_cuda
def test_a_missing_driver_is_one_warning_for_auto_and_a_fault_for_gpu(no_driver, cuda_wheel, capsys):
    assert runtime.contexts() == runtime.contexts() == [mx.cpu(0)]
    assert capsys.readouterr().err.count("\n") == 1
    for device in ("gpu", "gpu:0,1"):
        with pytest.raises(Faults, match="no GPU with an NVIDIA driver"):
            runtime.contexts(device)


def test_cpus_by_number(capsys):
    assert runtime.contexts("cpu") == [mx.cpu(0)]
    assert runtime.contexts("cpu:0,1") == [mx.cpu(0), mx.cpu(1)]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "device", ["", "tpu", "gpu:", "gpu:a", "auto:0", "cpu:0,", "GPU", "cpu:-1", "cpu:0,0"]
)
def test_an_unknown_device_lists_the_accepted_forms(device):
    with pytest.raises(Faults, match="auto, cpu, gpu, or different numbers as in cpu:0,1 or gpu:0"):
        runtime.contexts(device)


def test_the_setup_can_run_the_file_without_numpy_and_mxnet(driver):
    program = (
        "import runpy, sys; sys.modules['numpy'] = sys.modules['mxnet'] = None\n"
        "import ctypes; load = ctypes.CDLL; ctypes.CDLL = lambda name: load(DRIVER)\n"
        "runpy.run_path('freqcnn_gluon/devices.py', run_name='__main__')"
    )
    for capability, word in ((80, "gpu"), (90, "cpu")):
        driver(capability)
        done = python(program.replace("DRIVER", repr(devices.DRIVER)))
        expected = f"{word} GPU 0 (Stand-in, compute capability {capability / 10})"
        assert done.stdout.startswith(expected), done.stderr
