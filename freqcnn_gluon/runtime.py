"""What must happen before ``import mxnet``; seeds, dtypes and versions. Importable without MXNet."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
import os
import platform
import random
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.cores import cores
from data_prep.base.faults import Faults

if TYPE_CHECKING:
    import mxnet as mx
from freqcnn_gluon.devices import DRIVER, choose, installed, say_once

# What the wheel links to, each after what it needs itself; the folders are those of the nvidia-*-cu11 wheels.
CUDA_LIBRARIES = (
    "cuda_runtime/lib/libcudart.so.11.0",
    "cuda_nvrtc/lib/libnvrtc.so.11.2",
    "nvtx/lib/libnvToolsExt.so.1",
    "cublas/lib/libcublasLt.so.11",
    "cublas/lib/libcublas.so.11",
    "cufft/lib/libcufft.so.10",
    "curand/lib/libcurand.so.10",
    "cusparse/lib/libcusparse.so.11",
    "cusolver/lib/libcusolver.so.11",
    "cudnn/lib/libcudnn.so.8",
    "nccl/lib/libnccl.so.2",
)
PACKAGES = "numpy scipy mxnet mxnet-cu112 gluoncv soundfile av pandas scikit-learn".split()
PACKAGES += "kaldi-native-fbank espeakng-loader".split()
# Those of the processor's that choose between ways to compute, which round differently.
INSTRUCTIONS = "avx avx2 fma avx512f avx512_vnni avx512_bf16 amx_tile asimd sve".split()
DTYPES = ("float32", "bfloat16")
# For processes that compute with several cores of a CPU; each sets them for itself, see ``prepare``, and
# takes those that it has SET from the environment of a child, which may have one core.
SEVERAL_CORES = {
    # An operator is computed where it is asked for. The engine's usual thread has threads of OpenMP's besides
    # its caller's; being more than there are cores, they sleep between operators, at a loss of 8 % of a step
    # at the paper's size. A single core is better used by preparing one operator beside another.
    "MXNET_ENGINE_TYPE": "NaiveEngine",
    # OpenMP's threads wait for each other busily, as a rule for milliseconds. Where another program computes
    # too, they keep the cores from those they wait for: a step took 30 times as long.
    "GOMP_SPINCOUNT": "3000",
}
SET: set[str] = set()


_dtype = ""  # what the networks of this process are trained in, once one is


def prepare() -> None:
    """Make ``import mxnet`` work, and work at full speed; call it before that import, as often as you like.

    Raises Faults where MXNet cannot be imported at all: numpy 2, or the GPU wheel without a driver or
    without the CUDA libraries.
    """
    # Before numpy is loaded, whose own threads follow the same variable.
    if "OMP_NUM_THREADS" not in os.environ:
        if "mxnet" in sys.modules:
            say_once(
                f"mxnet was imported before freqcnn_gluon and may use half of the {cores()} cores: import"
                " freqcnn_gluon first, or set OMP_NUM_THREADS."
            )
        else:
            os.environ["OMP_NUM_THREADS"] = str(cores())
    gpu_set = installed("mxnet-cu112")
    if not gpu_set:
        if threads() > 1:
            SET.update(SEVERAL_CORES.keys() - os.environ.keys())
            os.environ.update({name: SEVERAL_CORES[name] for name in SET})
        # Weights updated several at a time, as for a GPU, take half as long again on a CPU.
        os.environ.setdefault("MXNET_OPTIMIZER_AGGREGATION_SIZE", "1")
    if gpu_set or installed("mxnet"):  # an exported model is run without MXNet, and by any numpy
        _restore_numpy_aliases()
    if gpu_set:
        _load_cuda()


@functools.cache
def start() -> None:
    """Have MXNet begin without the line on stderr by which it announces every engine but its usual one."""
    import mxnet as mx

    try:
        kept = os.dup(2)
    except OSError:  # it is closed
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        mx.nd.waitall()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def contexts(device: str = "auto") -> list[mx.Context]:
    """MXNet's contexts for ``device``, see ``choose``."""
    kind, numbers = choose(device)
    import mxnet as mx

    start()
    return [mx.Context(kind, number) for number in numbers]


def check_dtype(dtype: str, kind: str) -> None:
    """Raise Faults unless MXNet can train in ``dtype`` on devices of ``kind``, 'cpu' or 'gpu'."""
    if dtype not in DTYPES:
        raise Faults(f"there is no dtype '{dtype}': choose one of {', '.join(DTYPES)}")
    if dtype == "bfloat16" and kind != "cpu":
        raise Faults("dtype bfloat16 is the CPU's alone in MXNet 1.9.1: give DEVICE=cpu or DTYPE=float32")
    if dtype == "bfloat16" and not _cpu_has("avx512bw"):  # what oneDNN's kernels of that kind are made of
        raise Faults(f"dtype bfloat16 needs AVX-512, which {_cpu_model()} has not: give DTYPE=float32")


def mixed_precision(dtype: str) -> None:
    """Have networks built from now on compute convolutions in ``dtype``, one of DTYPES.

    Through MXNet's own automatic mixed precision: weights, their updates, BatchNorm's statistics and dense
    layers, whose weights would take longer to convert than is saved, stay float32. It holds for the whole
    process and cannot be taken back: Faults where another dtype was used.
    """
    global _dtype
    if dtype != _dtype and _dtype:
        raise Faults(f"this process computes in {_dtype} already: train in {dtype} in a process of its own")
    if dtype != "float32" and not _dtype:
        from mxnet.contrib import amp

        # Attention's, which do not flatten, are given float32 anyhow: a conversion would copy their weights.
        kept = ("FullyConnected", "flatten", [True])
        known = amp.list_conditional_fp32_ops(amp.amp.bfloat16)
        amp.init(dtype, target_precision_ops=["Convolution"], conditional_fp32_ops=[*known, kept])
    _dtype = dtype


def seed(value: int) -> None:
    """Seed ``random``, ``numpy.random`` and MXNet on all its contexts: all three draw in a training."""
    import mxnet as mx
    import numpy

    start()
    random.seed(value)
    numpy.random.seed(value)
    mx.random.seed(value)


def threads() -> int:
    """How many threads MXNet computes with on the CPU."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]  # '2,1' is two, and one each in nested loops
    return int(first) if first.isdigit() else cores()


def versions() -> dict[str, str | int]:
    """What a run's report says of the software and the machine it ran on."""
    return {
        "python": platform.python_version(),
        **{package: version for package in PACKAGES if (version := installed(package))},
        "platform": " ".join((platform.system(), platform.machine(), *platform.libc_ver())),
        "cpu": _cpu_model(),
        "instructions": " ".join(name for name in INSTRUCTIONS if _cpu_has(name)),
        "threads": threads(),
    }


def _restore_numpy_aliases() -> None:
    """Put back the names that numpy 1.24 dropped: MXNet reads ``bool`` at import, gluoncv the others."""
    import numpy

    if int(numpy.__version__.split(".")[0]) > 1:
        raise Faults(
            f"numpy {numpy.__version__} is installed and MXNet 1.9.1 needs numpy 1: run"
            " `make clean setup`, and install further packages with `-c constraints.txt`."
        )
    for builtin in (bool, int, float):
        # vars, since getattr on numpy 1.20 to 1.23 warns that the alias is deprecated
        if builtin.__name__ not in vars(numpy):
            setattr(numpy, builtin.__name__, builtin)


def _load_cuda() -> None:
    """Load the CUDA libraries out of their wheels, so that libmxnet.so finds them loaded."""
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        raise Faults(
            "this environment holds MXNet for NVIDIA GPUs, which cannot be loaded without the"
            f" NVIDIA driver ({DRIVER}), and there is none here: run `make setup DEVICE=cpu`."
        ) from None
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in spec.submodule_search_locations] if spec else []
    faults = []
    for library in CUDA_LIBRARIES:
        path = next((folder / library for folder in folders if (folder / library).exists()), library)
        try:
            ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        except OSError as error:
            faults.append(
                f"the CUDA library {Path(library).name} cannot be loaded ({error}): run"
                " `make clean setup DEVICE=gpu`."
            )
    if faults:
        raise Faults(faults)


def _cpu_model() -> str:
    return _cpu("model name") or platform.processor() or platform.machine()


def _cpu_has(flag: str) -> bool:
    return flag in _cpu("flags|Features").split()


def _cpu(what: str) -> str:
    """What Linux says of the first processor, empty where it does not."""
    try:
        found = re.search(rf"^(?:{what})\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else ""
