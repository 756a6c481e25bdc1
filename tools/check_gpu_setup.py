"""Check that the GPU packages load and compute on this machine, with or without a GPU.

Without an NVIDIA driver, this program compiles a stub of libcuda.so.1: it has the functions that
libmxnet.so needs, and each returns 'no device'. The check then covers the packages but not a GPU, and the
output says so.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
import os
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
    functions = {"cuInit", "cuDriverGetVersion", *re.findall(r"\b(cu[A-Z]\w*)", listing.stdout)}
    source, stub = Path(folder, "stub.c"), Path(folder, DRIVER)
    source.write_text("".join(f"int {name}(void) {{ return {NO_DEVICE}; }}\n" for name in sorted(functions)))
    # The soname makes the loader use this library whenever libcuda.so.1 is requested later.
    subprocess.run([compiler, "-shared", "-fPIC", f"-Wl,-soname,{DRIVER}", "-o", stub, source], check=True)
    ctypes.CDLL(str(stub), ctypes.RTLD_GLOBAL)
    return sorted(functions)


def cuda_folder() -> Path:
    """Return the folder of the nvidia-*-cu11 wheels."""
    spec = importlib.util.find_spec("nvidia")
    folders = [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
    if not folders:
        raise Faults("The CUDA libraries are not installed here. Run `make clean check-gpu-setup`.")
    return folders[0]


def open_cudnn(folder: Path) -> list[str]:
    """Load all parts of cuDNN, which it loads itself when it needs them, and return their names."""
    from freqcnn_gluon import runtime

    parts = sorted((folder / "cudnn/lib").glob("libcudnn*.so.8"))
    for part in parts:
        ctypes.CDLL(str(part))
    link = folder / "cudnn/lib" / runtime.NVRTC  # where cuDNN looks for it first
    if not link.is_file():
        raise Faults(
            f"{link}: is missing, so cuDNN cannot compile kernels. Make the folder writable and run"
            " `make check-gpu-setup` again."
        )
    ctypes.CDLL(str(link))
    return [part.name.split(".")[0] for part in parts]


def compile_kernel(capability: str = "70") -> int:
    """Compile a kernel with NVRTC, which needs no GPU, and return the length of its assembly in bytes."""
    nvrtc = ctypes.CDLL("libnvrtc.so.11.2")  # loaded from its wheel already
    source = b'extern "C" __global__ void twice(float *x) { x[threadIdx.x] *= 2; }'
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    options = (ctypes.c_char_p * 1)(f"--gpu-architecture=compute_{capability}".encode())
    code = (
        nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, b"twice.cu", 0, None, None)
        or nvrtc.nvrtcCompileProgram(program, 1, options)
        or nvrtc.nvrtcGetPTXSize(program, ctypes.byref(size))
    )
    if code:
        raise Faults(f"NVRTC cannot compile a kernel (error {code}). Run `make clean check-gpu-setup`.")
    return size.value


def loss_of_training(contexts) -> float:
    """Train Table 2's network on ``contexts``, as ``train`` does, and return the loss after two epochs.

    Its graph is static and has dropout, attention, BatchNorm and several micro-batches per device.
    """
    import numpy

    from freqcnn_gluon import Examples, FreqCNN, Settings, architecture, train

    images = numpy.random.default_rng(0).random((8, 32, 32), numpy.float32)
    data = Examples(images, numpy.arange(8), numpy.arange(8) % 3)
    net = FreqCNN(architecture("table2"), size=32)
    settings = Settings(epochs=2, batch_size=8, micro_batch=2)
    outcome = train(net, settings, data, {"test": data}, 3, contexts)
    return outcome.history[-1]["loss"]


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
        from freqcnn_gluon import runtime

        runtime.prepare()  # done by the import already; this line keeps the next import in its place
        import mxnet as mx

    print(
        f"MXNet {mx.__version__} for CUDA was imported, with the CUDA libraries of the wheels"
        + (f" and a stub of the driver ({len(stub)} functions that return 'no device')." if stub else ".")
    )
    features = mx.runtime.Features()
    missing = [name for name in ("CUDA", "CUDNN", "NCCL") if not features.is_enabled(name)]
    if missing:
        raise Faults(f"This MXNet is built without {', '.join(missing)}. Run `make clean check-gpu-setup`.")
    print("Built with: CUDA, CUDNN, NCCL.")

    folder = cuda_folder()
    parts = open_cudnn(folder)
    print(f"cuDNN opened all of its parts ({', '.join(parts)}) and finds {runtime.NVRTC}.")
    print(f"NVRTC compiled a kernel ({compile_kernel()} bytes of PTX), which needs no GPU.")
    wrong = {name: value for name, value in runtime.GPU_DEFAULTS.items() if os.environ.get(name) != value}
    print(
        "The defaults of the GPU set are in force" + (f", except for {', '.join(wrong)}." if wrong else ".")
    )

    check_training(mx, [mx.cpu(0), mx.cpu(1)], "two CPU contexts")
    on_cpu = trained_output(mx.cpu())
    print(f"A small network took a training step on the CPU context: output {on_cpu[0, 0]:.6f}.")
    check_gpus(mx, on_cpu)


def check_training(mx, contexts, name: str) -> None:
    """Check that the loss of a training is finite on ``contexts``, which have this ``name``."""
    if not math.isfinite(loss := loss_of_training(contexts)):
        raise Faults(f"On {name}, the loss of a training is {loss}.")
    print(f"Table 2's network trained for two epochs on {name}, with dropout and attention: loss {loss:.4f}.")


def check_gpus(mx, on_cpu) -> None:
    """Check each usable GPU against the output of the CPU, and say what was not checked."""
    import numpy

    from freqcnn_gluon import devices

    gpus = devices.gpus()
    usable = [gpu for gpu in gpus if gpu.usable]
    for gpu in usable:
        on_gpu = trained_output(mx.gpu(gpu.number))
        if not numpy.allclose(on_gpu, on_cpu, rtol=1e-3):
            raise Faults(f"{gpu} computes {on_gpu.tolist()}, but the CPU computes {on_cpu.tolist()}.")
        print(f"The same step on {gpu} gives the same output.")
    if usable:
        contexts = [mx.gpu(gpu.number) for gpu in usable[:2]]
        check_training(mx, contexts, " and ".join(map(str, usable[:2])))
        print("Next: `make check-gpu` compares, times and trains on the GPU, in under ten minutes.")
    else:
        why = "; ".join(f"it has no code for {gpu}" for gpu in gpus) or "there is none"
        print(
            "Checked: the packages fit together, load, and compute on the CPU.\n"
            "Not checked: anything on a GPU.\n"
            f"MXNet did not run on a GPU here, because {why}."
        )


if __name__ == "__main__":
    sys.exit(main())
