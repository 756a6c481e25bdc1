"""Prepare a process for MXNet, and set its devices, data types and seeds. Importable without MXNet."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import os
import platform
import random
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from data_prep.base.cores import cores
from data_prep.base.faults import Faults
from freqcnn_gluon import environment
from freqcnn_gluon.devices import DRIVER, choose, driver_version, gpus, installed, warn_once

if TYPE_CHECKING:
    import mxnet as mx

__all__ = [
    "DTYPES",
    "GPU_DEFAULTS",
    "SEVERAL_CORES",
    "check_dtype",
    "child_environment",
    "computing_in",
    "contexts",
    "fast_dtype",
    "mixed_precision",
    "prepare",
    "seed",
    "set_here",
    "start",
    "threads",
    "versions",
]

# The libraries that MXNet's wheel links to, in the folders of the nvidia-*-cu11 wheels. Each library comes
# after the libraries that it depends on.
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
# Instruction sets for which libraries have code of their own, whose results differ by roundings.
INSTRUCTIONS = "avx avx2 fma avx512f avx512_vnni avx512_bf16 amx_tile asimd sve".split()
DTYPES = ("float32", "bfloat16")
# Environment variables for processes that compute with several cores of a CPU, see ``prepare``.
SEVERAL_CORES = {
    # This engine computes an operator in the thread that calls it. The default engine's thread has OpenMP
    # threads in addition to its caller's, so there are more threads than cores. The threads then sleep
    # between operators, and a step at the paper's size takes 8 % longer. On a single core the default engine
    # is faster, because it prepares one operator while it computes another.
    "MXNET_ENGINE_TYPE": "NaiveEngine",
    # OpenMP's threads wait for each other in a busy loop, by default for milliseconds. When another program
    # computes too, these loops occupy the cores that the other threads need: a step took 30 times as long.
    "GOMP_SPINCOUNT": "3000",
}
# Environment variables for the GPU packages, see ``prepare``. File names refer to MXNet 1.9.1's source.
GPU_DEFAULTS = {
    # 2 limits an algorithm's workspace to 1 GB. The default 1 should do that too, but MXNet's condition is
    # inverted, so it sets no limit (src/operator/nn/cudnn/cudnn_convolution-inl.h, line 634).
    "MXNET_CUDNN_AUTOTUNE_DEFAULT": "2",
    # The libraries hold gigabytes of kernels; load only those that run.
    "CUDA_MODULE_LOADING": "LAZY",
    # Graphs with static memory otherwise fuse operators through NVRTC (src/imperative/cached_op.h, line 236).
    # That needs driver 520 or newer, and it had wrong results (apache/mxnet #17914).
    "MXNET_USE_FUSION": "0",
    # On cards of capability 8.0 and newer, matrix products of float32 would have TF32's three digits.
    "NVIDIA_TF32_OVERRIDE": "0",
    # Convolutions and pooling then use algorithms that give the same result every time.
    "MXNET_ENFORCE_DETERMINISM": "1",
    # Do not warn that cuDNN is newer than the one that MXNet was built with.
    "MXNET_CUDNN_LIB_CHECKING": "0",
}
# cuDNN compiles some kernels with NVRTC, which it opens by this name. The wheels have no file of that name.
NVRTC = "libnvrtc.so"
# The variables of SEVERAL_CORES that this process has set. A child process must not inherit them, because it
# may have one core.
set_here: set[str] = set()

_dtype = ""  # this process's dtype, '' until its first network is trained


def prepare() -> None:
    """Set up numpy, threads and CUDA for MXNet, before ``import mxnet``. Repeated calls are harmless.

    Raises:
        Faults: MXNet cannot be imported, because numpy 2 is installed, because the GPU packages lack the
            driver or a library, or because an environment variable stops MXNet (see ``environment``).
    """
    environment.prepare()
    # This comes before numpy is imported, because numpy's threads follow the same variable.
    if "OMP_NUM_THREADS" not in os.environ:
        if "mxnet" in sys.modules:
            warn_once(
                f"mxnet was imported before freqcnn_gluon and may use half of the {cores()} cores: import"
                " freqcnn_gluon first, or set OMP_NUM_THREADS."
            )
        else:
            os.environ["OMP_NUM_THREADS"] = str(cores())
    gpu_set = installed("mxnet-cu112")
    if not gpu_set:
        if threads() > 1:
            set_here.update(SEVERAL_CORES.keys() - os.environ.keys())
            os.environ.update({name: SEVERAL_CORES[name] for name in set_here})
        # MXNet updates several weights in one operator, for GPUs. On a CPU this makes an update 50 % slower.
        os.environ.setdefault("MXNET_OPTIMIZER_AGGREGATION_SIZE", "1")
    else:
        for name, value in GPU_DEFAULTS.items():
            os.environ.setdefault(name, value)
    if gpu_set or installed("mxnet"):  # without MXNet, exported models still run, with any numpy
        _restore_numpy_aliases()
    if gpu_set:
        _load_cuda()


@contextlib.contextmanager
def child_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the processes that start in this block, replacements of lost ones included.

    The variables that ``prepare`` set for this process alone are removed meanwhile.
    """
    changed = {**dict.fromkeys(set_here), **variables}
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})


@functools.cache
def start() -> None:
    """Start MXNet's engine without the line that MXNet prints on stderr for all but the default engine."""
    import mxnet as mx

    # OpenMP's threads do not survive a fork, and a child that waits for them hangs. So the thread that forks
    # stops its OpenMP threads first; OpenMP starts new ones at the next computation.
    if stop := getattr(mx.base._LIB, "omp_pause_resource_all", None):
        os.register_at_fork(before=lambda: stop(2))  # 2: omp_pause_hard
    try:
        stderr = os.dup(2)
    except OSError:  # stderr is closed
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        mx.nd.waitall()
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(null)


def contexts(device: str = "auto") -> list[mx.Context]:
    """Return MXNet's contexts for ``device``, see ``devices.choose``."""
    kind, numbers = choose(device)
    import mxnet as mx

    start()
    return [mx.Context(kind, number) for number in numbers]


def check_dtype(dtype: str, kind: str) -> None:
    """Raise Faults unless MXNet can train in ``dtype`` on devices of ``kind``, 'cpu' or 'gpu'."""
    if dtype not in DTYPES:
        raise Faults(f"there is no dtype '{dtype}': choose one of {', '.join(DTYPES)}")
    if dtype == "bfloat16" and kind != "cpu":
        raise Faults("dtype bfloat16 works on CPUs only in MXNet 1.9.1: use DEVICE=cpu or DTYPE=float32")
    if dtype == "bfloat16" and not _cpu_has("avx512bw"):  # oneDNN's bfloat16 kernels need it
        raise Faults(f"dtype bfloat16 needs AVX-512, which {_cpu_model()} does not have: use DTYPE=float32")


def mixed_precision(dtype: str) -> None:
    """Make networks that are built from now on compute convolutions in ``dtype``, one of DTYPES.

    This uses MXNet's automatic mixed precision. Weights, their updates, BatchNorm's statistics and dense
    layers stay float32; converting the weights of dense layers would cost more time than it saves. The
    setting holds for the whole process.

    Raises:
        Faults: This process already computes in another dtype, and the setting cannot be undone.
    """
    global _dtype
    if dtype != _dtype and _dtype:
        raise Faults(f"this process already computes in {_dtype}: train in {dtype} in another process")
    if dtype != "float32" and not _dtype:
        from mxnet.contrib import amp

        # Attention's dense layers do not flatten. Their inputs are float32 in any case, and listing these
        # layers too would copy their weights.
        flattening = ("FullyConnected", "flatten", [True])
        listed = amp.list_conditional_fp32_ops(amp.amp.bfloat16)
        amp.init(dtype, target_precision_ops=["Convolution"], conditional_fp32_ops=[*listed, flattening])
    _dtype = dtype


def fast_dtype(kind: str) -> str:
    """Return the dtype in which devices of ``kind`` train fastest: bfloat16 on AMD's CPUs that compute in it.

    On Intel's, the oneDNN in MXNet 1.9.1 takes longer in bfloat16 than in float32 (docs/speed.md).
    """
    native = _cpu_has("avx512_bf16") and _cpu_has("avx512bw") and _cpuinfo("vendor_id") == "AuthenticAMD"
    return "bfloat16" if kind == "cpu" and native else "float32"


@contextlib.contextmanager
def computing_in(dtype: str) -> Iterator[None]:
    """Allow networks to be built in ``dtype`` in the block, and restore the process's dtype after it.

    A network that was built in the block keeps its dtype. No other thread may build a network meanwhile.
    """
    global _dtype
    if dtype in ("float32", _dtype):
        yield
        return
    from mxnet.contrib import amp

    modules = _operator_modules()
    kept, dtype_before, begun = [dict(vars(module)) for module in modules], _dtype, amp.amp._amp_initialized
    _dtype = ""
    try:
        yield
    finally:
        for module, names in zip(modules, kept):
            vars(module).update(names)
        amp.amp._amp_initialized, _dtype = begun, dtype_before


def _operator_modules() -> list[ModuleType]:
    """Return the modules whose functions MXNet's automatic mixed precision replaces."""
    import mxnet as mx

    prefixes = [prefix[1:-1] for prefix in mx.base._OP_NAME_PREFIX_LIST]
    roots = (mx.symbol, mx.ndarray)
    return [*roots, *(getattr(root, name) for root in roots for name in ("op", "_internal", *prefixes))]


def seed(value: int) -> None:
    """Seed ``random``, ``numpy.random`` and all of MXNet's contexts: a training draws from all three."""
    import mxnet as mx
    import numpy

    start()
    random.seed(value)
    numpy.random.seed(value)
    mx.random.seed(value)


def threads() -> int:
    """Return the number of threads that MXNet computes with on the CPU."""
    return int(os.environ.get("OMP_NUM_THREADS") or cores())


def versions() -> dict[str, str | int]:
    """Return the software and the machine, as a run's report records them.

    With the GPU packages, these include the CUDA libraries, driver, GPUs and the values of GPU_DEFAULTS.
    """
    return {
        "python": platform.python_version(),
        **{package: version for package in PACKAGES if (version := installed(package))},
        "platform": " ".join((platform.system(), platform.machine(), *platform.libc_ver())),
        "cpu": _cpu_model(),
        "instructions": " ".join(name for name in INSTRUCTIONS if _cpu_has(name)),
        "threads": threads(),
        **(_gpu_versions() if installed("mxnet-cu112") else {}),
    }


def _gpu_versions() -> dict[str, str]:
    """Return the versions and settings that can change a result on a GPU."""
    packages = {library.partition("/")[0].replace("_", "-") for library in CUDA_LIBRARIES}
    names = sorted(f"nvidia-{package}-cu11" for package in packages)
    return {
        **{name: version for name in names if (version := installed(name))},
        "driver": driver_version() or "none",
        "gpus": "; ".join(f"{gpu}, {gpu.memory / 1e9:.1f} GB" for gpu in gpus()) or "none",
        **{name: os.environ.get(name, "") for name in GPU_DEFAULTS},
    }


def _restore_numpy_aliases() -> None:
    """Restore names that numpy 1.24 removed: MXNet uses ``bool`` at its import, gluoncv the others."""
    import numpy

    if int(numpy.__version__.split(".")[0]) > 1:
        raise Faults(
            f"numpy {numpy.__version__} is installed, but MXNet 1.9.1 needs numpy 1: run"
            " `make clean setup`, and install further packages with `-c constraints.txt`."
        )
    for builtin in (bool, int, float):
        # getattr would raise numpy 1.20 to 1.23's warning that the alias is deprecated.
        if builtin.__name__ not in vars(numpy):
            setattr(numpy, builtin.__name__, builtin)


def _load_cuda() -> None:
    """Load the CUDA libraries from their wheels, because libmxnet.so does not look for them there."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    for folder in folders:
        _link_nvrtc(folder)  # before the driver is needed, because containers are built without one
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        raise Faults(
            "this environment has MXNet for NVIDIA GPUs, which needs the NVIDIA driver"
            f" ({DRIVER}), and this machine has none: run `make setup DEVICE=cpu`."
        ) from None
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


def _link_nvrtc(folder: Path) -> None:
    """Put the name NVRTC beside cuDNN's libraries in ``folder``, where cuDNN looks for it first.

    If this process may not write there, the name is missing. cuDNN then works without the kernels that it
    would compile; `make check-gpu-setup` reports this.
    """
    library = next((folder / name for name in CUDA_LIBRARIES if "libnvrtc" in name), folder)
    link = folder / "cudnn/lib" / NVRTC
    if library.is_file() and link.parent.is_dir() and not link.exists():
        with contextlib.suppress(OSError):  # also if another process has just made it
            link.unlink(missing_ok=True)  # a link to a version that is gone
            link.symlink_to(Path("../..", *library.relative_to(folder).parts))


def _cpu_model() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpu_has(flag: str) -> bool:
    return flag in _cpuinfo("flags|Features").split()


def _cpuinfo(field: str) -> str:
    """Return a field of the first processor in Linux's /proc/cpuinfo, '' if there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return ""
    match = re.search(rf"^(?:{field})\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else ""
