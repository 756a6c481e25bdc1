"""Check that the GPU packages load and compute on this machine, with or without a GPU.

Without an NVIDIA driver, this program compiles a stub of libcuda.so.1: it has the functions that
libmxnet.so needs, and each returns 'no device'. The check then covers the packages but not a GPU, and the
output says so.
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

from data_prep.base.commands import with_plain_errors  # noqa: E402
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
    """Compile a stub of the driver in ``folder``, load it, and return the names of its functions."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not shutil.which("nm"):
        raise Faults(
            "This machine has no NVIDIA driver, and compiling a stub of it needs a C compiler with binutils."
            " Install one (Debian and Ubuntu: apt install gcc) and try again."
        )
    spec = importlib.util.find_spec("mxnet")
    if spec is None or spec.origin is None:
        raise Faults("MXNet is not installed here. Run `make clean check-gpu-setup`.")
    library = Path(spec.origin).with_name("libmxnet.so")
    listing = subprocess.run(
        ["nm", "-D", "--undefined-only", library], stdout=subprocess.PIPE, text=True, check=True
    )
    # Names such as cuInit belong to the driver; cudaMalloc and cublasCreate come from other libraries.
    functions = {"cuInit", *re.findall(r"\b(cu[A-Z]\w*)", listing.stdout)}
    source, stub = Path(folder, "stub.c"), Path(folder, DRIVER)
    source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in sorted(functions)))
    # The soname makes the loader use this library whenever libcuda.so.1 is requested later.
    subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{DRIVER}", "-o", stub, source], check=True)
    ctypes.CDLL(str(stub), ctypes.RTLD_GLOBAL)
    return sorted(functions)


def trained_output(ctx):
    """Return the output (2, 2) of a small network with fixed weights after one training step on ``ctx``."""
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

        runtime.prepare()  # done by the import already; this line keeps the next import in its place
        import mxnet as mx
        import numpy

    print(
        f"MXNet {mx.__version__} for CUDA was imported, with the CUDA libraries of the wheels"
        + (f" and a stub of the driver ({len(stub)} functions that return 'no device')." if stub else ".")
    )
    features = mx.runtime.Features()
    missing = [name for name in ("CUDA", "CUDNN", "NCCL") if not features.is_enabled(name)]
    if missing:
        raise Faults(f"This MXNet is built without {', '.join(missing)}. Run `make clean check-gpu-setup`.")
    print("Built with: CUDA, CUDNN, NCCL.")

    on_cpu = trained_output(mx.cpu())
    if not numpy.isfinite(on_cpu).all():
        raise Faults(f"A small network computes {on_cpu.tolist()} on the CPU, which is not finite.")
    print(f"A small network took a training step on the CPU context: output {on_cpu[0, 0]:.6f}.")

    gpus = devices.gpus()
    usable = [gpu for gpu in gpus if gpu.usable]
    for gpu in usable:
        on_gpu = trained_output(mx.gpu(gpu.number))
        if not numpy.allclose(on_gpu, on_cpu, rtol=1e-2):  # TF32 keeps three digits
            raise Faults(f"{gpu} computes {on_gpu.tolist()}, but the CPU computes {on_cpu.tolist()}.")
        print(f"The same step on {gpu} gives the same output.")
    if not usable:
        why = "; ".join(f"it has no code for {gpu}" for gpu in gpus) or "there is none"
        print(
            "Checked: the packages fit together, load, and compute on the CPU.\n"
            "Not checked: anything on a GPU.\n"
            f"MXNet did not run on a GPU here, because {why}."
        )


if __name__ == "__main__":
    sys.exit(main())
