"""The preparation of a process for MXNet, in fresh interpreters and with a stand-in for the NVIDIA driver."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from data_prep.base.cores import cores
from data_prep.base.faults import Faults
from freqcnn_gluon import devices, runtime

ROOT = Path(__file__).resolve().parents[2]


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run ``code`` in a fresh interpreter in which every warning is an error."""
    own = {"OMP_NUM_THREADS", *runtime.SEVERAL_CORES}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        text=True,
        timeout=60,
        capture_output=True,
        env={**inherited, **environment},
    )


def test_importing_the_package_restores_numpys_aliases_without_a_warning():
    done = python(
        "import numpy; gone = [n for n in ('bool', 'int', 'float') if n in vars(numpy)]\n"
        "import freqcnn_gluon\n"
        "assert not gone and (numpy.bool, numpy.int, numpy.float) == (bool, int, float)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_threads_are_set_to_the_cores_before_numpy_is_imported_unless_the_user_has_set_them():
    code = """
import builtins, os, sys
before = builtins.__import__
def watched(name, *rest, **more):
    if name == "numpy" and "numpy" not in sys.modules:
        print("numpy", os.environ.get("OMP_NUM_THREADS"))
    return before(name, *rest, **more)
builtins.__import__ = watched
from freqcnn_gluon import runtime
print("end", os.environ["OMP_NUM_THREADS"], runtime.threads())
"""
    count = cores()
    assert python(code).stdout.splitlines() == [f"numpy {count}", f"end {count} {count}"]
    assert python(code, OMP_NUM_THREADS="7").stdout.splitlines() == ["numpy 7", "end 7 7"]


def test_mxnet_imported_too_early_is_one_warning():
    code = (
        "import sys, os; sys.modules['mxnet'] = sys\n"
        "import freqcnn_gluon; print('OMP_NUM_THREADS' in os.environ)"
    )
    done = python(code)
    assert done.stdout == "False\n"
    assert done.stderr.count("\n") == 1 and "import freqcnn_gluon first" in done.stderr
    assert python(code, OMP_NUM_THREADS="2").stderr == ""


def test_the_gpu_set_has_defaults_before_mxnet_is_imported_and_the_user_can_override_them():
    # The import of the package has prepared the process for the CPU set; the second preparation is tested.
    code = (
        "import os, sys; from freqcnn_gluon import runtime\n"
        "runtime.installed = {'mxnet-cu112': '1.9.1', 'nvidia-cudnn-cu11': '8'}.get\n"
        "runtime._load_cuda = lambda: print('mxnet' in sys.modules)\n"
        "[os.environ.pop(name, None) for name in runtime.GPU_DEFAULTS if name != 'NVIDIA_TF32_OVERRIDE']\n"
        "before = dict(os.environ); runtime.prepare()\n"
        "print(sorted(f'{k}={v}' for k, v in os.environ.items() if before.get(k) != v))\n"
        "versions = runtime.versions()\n"
        "print([versions[name] for name in (*runtime.GPU_DEFAULTS, 'driver', 'gpus', 'nvidia-cudnn-cu11')])"
    )
    done = python(code, OMP_NUM_THREADS="1", NVIDIA_TF32_OVERRIDE="1")
    defaults = {
        "MXNET_CUDNN_AUTOTUNE_DEFAULT": "2",
        "CUDA_MODULE_LOADING": "LAZY",
        "MXNET_USE_FUSION": "0",
        "MXNET_ENFORCE_DETERMINISM": "1",
        "MXNET_CUDNN_LIB_CHECKING": "0",
    }
    assert runtime.GPU_DEFAULTS == {**defaults, "NVIDIA_TF32_OVERRIDE": "0"}
    imported, added, recorded = done.stdout.splitlines()
    assert imported == "False", done.stderr
    assert added == str(sorted(f"{name}={value}" for name, value in defaults.items()))
    values = {**defaults, "NVIDIA_TF32_OVERRIDE": "1"}
    assert recorded == str([*(values[name] for name in runtime.GPU_DEFAULTS), "none", "none", "8"])


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="this is the GPU set")
def test_the_cpu_set_has_none_of_the_gpu_sets_variables_and_records_none():
    assert not runtime.GPU_DEFAULTS.keys() & {*os.environ, *runtime.versions()}
    assert not {"driver", "gpus"} & runtime.versions().keys()


def test_reports_record_the_gpus_with_their_memory(driver, monkeypatch):
    driver(75, 86)
    monkeypatch.setattr(runtime, "installed", lambda package: "11.8" if "nvrtc" in package else None)
    recorded = runtime._gpu_versions()
    assert recorded["nvidia-cuda-nvrtc-cu11"] == "11.8" and recorded["driver"].endswith("CUDA 12.4")
    assert recorded["gpus"] == (
        "GPU 0 (Stand-in, compute capability 7.5), 6.0 GB; GPU 1 (Stand-in, compute capability 8.6), 6.0 GB"
    )


def test_nvrtc_has_the_name_that_cudnn_opens(tmp_path):
    for folder in ("cuda_nvrtc/lib", "cudnn/lib"):
        (tmp_path / folder).mkdir(parents=True)
    runtime._link_nvrtc(tmp_path)  # without the library, nothing is linked
    link = tmp_path / "cudnn/lib/libnvrtc.so"
    assert not link.is_symlink()
    (tmp_path / "cuda_nvrtc/lib/libnvrtc.so.11.2").write_text("library")
    link.symlink_to("gone")
    for _ in range(2):
        runtime._link_nvrtc(tmp_path)
        assert link.read_text() == "library" and not Path(os.readlink(link)).is_absolute()
    runtime._link_nvrtc(tmp_path / "nowhere")


def test_a_command_that_ends_early_prints_its_error_alone(tmp_path):
    """It has imported MXNet, whose engine starts at the exit at the latest."""
    words = [sys.executable, "-m", "freqcnn_gluon", "explain", str(tmp_path / "none"), "x.wav"]
    environment = os.environ | {"OMP_NUM_THREADS": "2"}
    done = subprocess.run(words, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=60)
    assert done.returncode == 1 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="GPUs need the engine's own threads")
@pytest.mark.parametrize(
    ("cores", "environment", "engine"),
    [
        ("2", {}, "NaiveEngine"),
        ("1", {}, "None"),
        ("2", {"MXNET_ENGINE_TYPE": "ThreadedEngine"}, "ThreadedEngine"),
    ],
)
def test_the_engine_depends_on_the_cores_and_does_not_announce_itself(cores, environment, engine):
    """This also shows that MXNet can be imported after the package."""
    program = (
        "import warnings; warnings.simplefilter('ignore');"  # MXNet's own
        "import os, freqcnn_gluon; from freqcnn_gluon import runtime; runtime.contexts('cpu');"
        "import sys, mxnet as mx; print(mx.nd.ones(3).sum().asscalar(), os.environ.get('MXNET_ENGINE_TYPE'));"
        "print('heard', file=sys.stderr)"
    )
    done = python(program, OMP_NUM_THREADS=cores, **environment)
    assert (done.stdout, done.stderr) == (f"3.0 {engine}\n", "heard\n")
    if engine == "None":  # MXNet announces an engine only if its variable is set
        return
    words = "import warnings; warnings.simplefilter('ignore'); from freqcnn_gluon.__main__ import main;"
    described = python(words + "main(['describe', 'table7'])", OMP_NUM_THREADS=cores)
    assert (
        described.stdout and "engine" not in described.stderr
    )  # the engine starts at the exit at the latest


def test_mxnet_for_gpus_without_a_driver_names_the_remedy(no_driver, monkeypatch):
    monkeypatch.setattr(runtime, "installed", lambda package: "1.9.1" if package == "mxnet-cu112" else None)
    monkeypatch.setattr(runtime, "DRIVER", devices.DRIVER)
    with pytest.raises(Faults, match="make setup DEVICE=cpu"):
        runtime.prepare()


def test_cuda_libraries_are_loaded_in_order_and_each_missing_one_is_named(driver, tmp_path, monkeypatch):
    driver(80)
    for library in runtime.CUDA_LIBRARIES[1:]:
        (tmp_path / "nvidia" / library).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "nvidia" / library).touch()
    loaded = []

    def load(path, mode=None):
        if "/" in str(path) and not Path(path).exists():
            raise OSError("not found")
        loaded.append((Path(path).name, mode))

    monkeypatch.setattr(runtime, "installed", lambda package: "1.9.1")
    monkeypatch.setattr(runtime.ctypes, "CDLL", load)
    monkeypatch.setattr(
        runtime.importlib.util,
        "find_spec",
        lambda name: type("Spec", (), {"submodule_search_locations": [str(tmp_path / name)]}),
    )
    with pytest.raises(Faults) as raised:
        runtime.prepare()
    assert len(raised.value.faults) == 1 and "libcudart.so.11.0" in raised.value.faults[0]
    names = [name for name, mode in loaded if mode == runtime.ctypes.RTLD_GLOBAL]
    assert len(names) == len(runtime.CUDA_LIBRARIES) - 1
    for needed, by in (
        ("libcublasLt.so.11", "libcublas.so.11"),
        ("libcublas.so.11", "libcusolver.so.11"),
        ("libcusparse.so.11", "libcusolver.so.11"),
        ("libcublas.so.11", "libcudnn.so.8"),
    ):
        assert names.index(needed) < names.index(by)


def test_numpy_2_is_a_fault_with_a_remedy_and_without_a_traceback():
    done = python("import numpy; numpy.__version__ = '2.3.0'; import freqcnn_gluon")
    assert done.returncode == 1
    assert done.stderr.startswith("error: numpy 2.3.0") and done.stderr.count("\n") == 1


def draws() -> list[float]:
    dense = mx.gluon.nn.Dense(3, in_units=3)
    dense.initialize(mx.init.Xavier(), ctx=mx.cpu(1))
    return [
        random.random(),
        np.random.rand(),
        mx.nd.random.normal().asscalar(),
        mx.nd.random.normal(ctx=mx.cpu(1)).asscalar(),
        *dense.weight.data(mx.cpu(1)).asnumpy().ravel().tolist(),
    ]


def test_seed_repeats_every_draw():
    runtime.seed(5)
    first = draws()
    further = draws()
    runtime.seed(5)
    assert draws() == first
    runtime.seed(6)
    other = draws()
    assert all(a != b for a, b in zip(first, other)) and all(a != b for a, b in zip(first, further))


def test_versions_are_those_of_the_environment():
    versions = runtime.versions()
    assert versions["numpy"] == np.__version__
    assert (versions.get("mxnet") or versions["mxnet-cu112"]) == mx.__version__
    assert versions["threads"] == runtime.threads() >= 1
    assert versions["cpu"] and versions["python"] == sys.version.split()[0]
    known = set(Path("/proc/cpuinfo").read_text().split()) & set(runtime.INSTRUCTIONS)
    assert versions["instructions"].split() == sorted(known, key=runtime.INSTRUCTIONS.index)


def test_an_unsupported_dtype_is_one_sentence(monkeypatch):
    runtime.check_dtype("float32", "gpu")
    for supported, dtype, kind, message in (
        (True, "float16", "cpu", "choose one of float32, bfloat16"),
        (True, "bfloat16", "gpu", "DEVICE=cpu"),
        (False, "bfloat16", "cpu", "AVX-512"),
    ):
        monkeypatch.setattr(runtime, "_cpu_has", lambda flag: supported)
        with pytest.raises(Faults, match=message):
            runtime.check_dtype(dtype, kind)
    runtime.check_dtype("float32", "cpu")
    monkeypatch.setattr(runtime, "_cpu_has", lambda flag: True)
    runtime.check_dtype("bfloat16", "cpu")


@pytest.mark.skipif(not runtime._cpu_has("avx512bw"), reason="bfloat16 needs AVX-512")
def test_bfloat16_differs_from_float32_by_its_rounding_and_leaves_weights_float32():
    code = """
import sys, freqcnn_gluon
import mxnet as mx, numpy as np
from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.memory import training_bytes
from freqcnn_gluon.training.loop import Examples, Settings, train
images = np.random.default_rng(0).random((8, 32, 32), dtype=np.float32)
examples = Examples(images, np.arange(8), np.arange(8) % 2)
net = build("table7", 2, 32)
needed = training_bytes(net, 32)
settings = Settings(epochs=2, batch_size=8, micro_batch=4, dtype=sys.argv[1])
outcome = train(net, settings, examples, {"test": examples}, 2, [mx.cpu()])
assert training_bytes(build("table7", 2, 32), 32) == needed  # the next run's micro-batches depend on it
assert {np.dtype(parameter.dtype).name for parameter in net.collect_params().values()} == {'float32'}
lifted = [unit._lifted for unit in (*net.stages[0].local, *net.stages[0].global_)]
assert sum(lifted) == (3 if sys.argv[1] == "bfloat16" else 0)  # the units whose input is the image
assert net.stages[0].global_[0][0].running_mean.data().asscalar() > 0.1  # the images' mean is 0.5
try:
    runtime.mixed_precision("bfloat16" if sys.argv[1] == "float32" else "float32")
except Faults:
    print(*(entry["loss"] for entry in outcome.history))
"""
    losses = {}
    for dtype in runtime.DTYPES:
        words, one = [sys.executable, "-c", code, dtype], os.environ | {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=60, env=one)
        assert done.returncode == 0, done.stderr
        losses[dtype] = [float(word) for word in done.stdout.split()]
    assert np.isfinite(losses["bfloat16"]).all() and len(losses["bfloat16"]) == 2
    ours, other = losses["float32"][0], losses["bfloat16"][0]  # of the first epoch
    assert 0 < abs(ours - other) < 0.03 * ours  # bfloat16 has 8 significant bits: 0.4 %


@pytest.mark.skipif(not runtime._cpu_has("avx512bw"), reason="bfloat16 needs AVX-512")
def test_after_a_training_in_bfloat16_the_process_computes_in_float32_again():
    """The same network predicts bit for bit as before, and a graph that was built in between differs."""
    code = """
import freqcnn_gluon
import mxnet as mx, numpy as np
from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.loop import compute_in
net, images = build("table7", 2, 32), mx.nd.random.uniform(shape=(2, 1, 32, 32))
net.initialize()
def output():
    net.hybridize()  # forgets the graph
    return net(images).asnumpy()
before = output()
with runtime.computing_in("bfloat16"):
    compute_in("bfloat16", net)
    within = output()
runtime.mixed_precision("float32")
net.apply(lambda layer: setattr(layer, "_lifted", False) if hasattr(layer, "_lifted") else None)
after = output()
assert (after == before).all() and (within != before).any() and np.abs(within - before).max() < 0.05
with runtime.computing_in("bfloat16"):  # and again
    compute_in("bfloat16", net)
    assert (output() == within).all()
"""
    words, one = [sys.executable, "-c", code], os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=60, env=one)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "vendor, flags, kind, dtype",
    [
        ("AuthenticAMD", "avx512bw avx512_bf16", "cpu", "bfloat16"),
        ("GenuineIntel", "avx512bw avx512_bf16", "cpu", "float32"),  # bfloat16 would take longer
        ("GenuineIntel", "avx512bw avx512_bf16 amx_bf16", "cpu", "float32"),
        ("AuthenticAMD", "avx512bw", "cpu", "float32"),  # it would emulate bfloat16
        ("AuthenticAMD", "avx512bw avx512_bf16", "gpu", "float32"),
        ("", "", "cpu", "float32"),  # no /proc/cpuinfo
    ],
)
def test_the_fast_dtype_is_what_the_processor_computes_in(monkeypatch, vendor, flags, kind, dtype):
    fields = {"vendor_id": vendor, "flags|Features": flags}
    monkeypatch.setattr(runtime, "_cpuinfo", fields.__getitem__)
    assert runtime.fast_dtype(kind) == dtype
