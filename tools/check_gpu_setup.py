"""Prove that the GPU set of packages loads and computes on this machine, with or without a GPU.

Without an NVIDIA driver a stub libcuda.so.1 stands in for it: the functions that libmxnet.so needs,
each answering 'no device'. That proves the packages, not the GPU, and the output says so.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults  # noqa: E402

DRIVER = "libcuda.so.1"
NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE


def driver_here() -> bool:
    try:
        ctypes.CDLL(DRIVER)
    except OSError:
        return False
    return True


def load_stub(folder: str) -> list[str]:
    """Compile and load a stub of the driver in ``folder``; return the functions in it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not shutil.which("nm"):
        raise Faults(
            "there is no NVIDIA driver here, and a stand-in for it needs a C compiler with binutils:"
            " install one (Debian and Ubuntu: apt install gcc) and try again."
        )
    library = Path(importlib.util.find_spec("mxnet").origin).with_name("libmxnet.so")
    listing = subprocess.run(
        ["nm", "-D", "--undefined-only", library], stdout=subprocess.PIPE, text=True, check=True
    )
    # cuInit and the like are the driver's; cudaMalloc, cublasCreate and the like have their own libraries
    functions = {"cuInit", *re.findall(r"\b(cu[A-Z]\w*)", listing.stdout)}
    source, stub = Path(folder, "stub.c"), Path(folder, DRIVER)
    source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in sorted(functions)))
    # The soname is what makes the loader take this one wherever libcuda.so.1 is asked for later.
    subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{DRIVER}", "-o", stub, source], check=True)
    ctypes.CDLL(str(stub), ctypes.RTLD_GLOBAL)
    return sorted(functions)


def trained_output(ctx):
    """The output of a small network after one training step on ``ctx``, from fixed weights."""
    import mxnet as mx
    from mxnet.gluon import Trainer, nn

    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3, activation="relu"), nn.BatchNorm(), nn.GlobalAvgPool2D(), nn.Dense(2))
    net.initialize(mx.init.Constant(0.1), ctx=ctx)
    net.hybridize()
    image = mx.nd.arange(128, ctx=ctx).reshape((2, 1, 8, 8)) / 128
    with mx.autograd.record():
        loss = net(image).square().sum()
    loss.backward()
    Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1}).step(2)
    return net(image).asnumpy()


@with_plain_errors
def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stub = None if driver_here() else load_stub(folder)
        from freqcnn_gluon import devices, runtime

        runtime.prepare()  # the import has done it; here it keeps MXNet's from being sorted before that
        import mxnet as mx
        import numpy

    print(
        f"MXNet {mx.__version__} for CUDA was imported, with the CUDA libraries of the wheels"
        + (f" and a stub of the driver ({len(stub)} functions that answer 'no device')." if stub else ".")
    )
    features = mx.runtime.Features()
    missing = [name for name in ("CUDA", "CUDNN", "NCCL") if not features.is_enabled(name)]
    if missing:
        raise Faults(f"this MXNet is built without {', '.join(missing)}: run `make clean check-gpu-setup`.")
    print("Built with: CUDA, CUDNN, NCCL.")

    on_cpu = trained_output(mx.cpu())
    if not numpy.isfinite(on_cpu).all():
        raise Faults(f"a small network gave {on_cpu.tolist()} on the CPU, which is no number.")
    print(f"A small network took a training step on the CPU context: output {on_cpu[0, 0]:.6f}.")

    gpus = devices.gpus()
    usable = [gpu for gpu in gpus if gpu.usable]
    for gpu in usable:
        on_gpu = trained_output(mx.gpu(gpu.number))
        if not numpy.allclose(on_gpu, on_cpu, rtol=1e-2):  # TF32 keeps three digits
            raise Faults(f"{gpu} gave {on_gpu.tolist()} where the CPU gave {on_cpu.tolist()}.")
        print(f"The same step on {gpu}: the same output.")
    if not usable:
        why = "; ".join(f"{gpu} is outside what it holds code for" for gpu in gpus) or "there is none"
        print(
            "Proven: the packages fit together, load, and compute on the CPU. Not proven: anything on a"
            f" GPU.\nMXNet was never run on a GPU here, since {why}."
        )


if __name__ == "__main__":
    sys.exit(main())
