"""Print this machine's versions and what is wrong with it: ``make doctor``.

Uses the standard library only, because a broken environment is what it often has to report. Leaves nothing
behind. The output begins with the versions that a bug report needs. Each line after them begins with 'ok',
with 'note' (it works, but could work better) or with 'WRONG', and says what to do. The exit code is 1 if
anything is wrong.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # with -I, Python does not look in any folder of ours
from data_prep.base.shadows import shadows  # noqa: E402

# Not imported, because the package around it needs numpy.
ENVIRONMENT = runpy.run_path(str(ROOT / "freqcnn_gluon/environment.py"))
LIBRARIES = "numpy scipy soundfile pandas matplotlib PIL av sklearn kaldi_native_fbank onnxruntime".split()
LIBRARIES += "gluoncv safetensors distributed".split()
PACKAGES = (  # each affects the results or is a frequent cause of faults
    "mxnet mxnet-cu112 gluoncv numpy scipy pandas soundfile av pillow scikit-learn kaldi-native-fbank onnx"
    " onnxruntime safetensors matplotlib espeakng-loader distributed pip"
).split()
QUICK_GB, PAPER_GB = 2, 20  # disk space for the stand-ins, and for the paper's corpora with their images
TRAINING_GB = 16  # memory that a micro-batch may use
EFFECTS = {  # of variables on Python, apart from those that stop MXNet
    "PYTHONHOME": "Python takes its own modules from there, and does not start if another Python's are there",
    "PYTHONSAFEPATH": "`python -m freqcnn_gluon` does not find the packages in this folder",
}
VERSIONS = f"""
from importlib import metadata
for name in {PACKAGES!r}:
    try:
        print(name, metadata.version(name), end=", ")
    except metadata.PackageNotFoundError:
        pass
"""
STEP = """
import freqcnn_gluon, mxnet as mx
from freqcnn_gluon import FreqCNN, architecture
net = FreqCNN(architecture("table7"), size=32)
net.initialize(mx.init.Xavier())
with mx.autograd.record():
    loss = net(mx.nd.ones((2, 1, 32, 32))).norm()
loss.backward()
print(mx.__version__, "ok" if float(loss.asscalar()) > 0 else "computes a loss of 0")
"""
VOICE = """
from data_prep.standin.speech import each_in_fresh_process, espeak_version
print(*each_in_fresh_process(espeak_version, [()]))
"""

Lines = Iterator[tuple[str, str]]


def harmless() -> dict[str, str]:
    """Return this process's variables without those that stop Python or MXNet."""
    stopping = ENVIRONMENT["faults"](os.environ)
    return {
        name: value
        for name, value in os.environ.items()
        if name not in stopping and not name.startswith("PYTHON")
    }


def output(*command: str | Path, **environment: str) -> tuple[bool, str]:
    """Run a command; return whether it succeeded, and the last line of its output or error."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=harmless() | environment, capture_output=True, text=True, timeout=300
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, str(error)
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else f"exit code {done.returncode} without output"


def run(python: str | Path, *words: str) -> tuple[bool, str]:
    """Run Python with the project on its path; return as ``output`` does.

    Variables that ``variables`` reports are left out, so that each is reported once.
    """
    return output(python, *words, PYTHONPATH=str(ROOT), PYTHONDONTWRITEBYTECODE="1")


def field(path: str, name: str) -> str:
    """Return the value of the first line 'name: value' of a file below /proc, or '' if there is none."""
    try:
        match = re.search(rf"^{name}\s*:\s*(.*)$", Path(path).read_text(), re.M)
    except OSError:
        return ""
    return match[1] if match else ""


def project() -> str:
    """Return the project's version and commit, as far as they are known."""
    version = re.search(r'^VERSION = "(.*)"', (ROOT / "freqcnn_gluon/__main__.py").read_text(), re.M)
    known, commit = output("git", "describe", "--always", "--dirty")
    return f"{version[1] if version else 'no version'}, {f'commit {commit}' if known else 'not a git clone'}"


def gpus() -> str:
    """Return each GPU's name, memory and driver, as its driver reports them."""
    query = "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"
    try:
        done = subprocess.run(["nvidia-smi", *query], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return "none (there is no nvidia-smi)"
    return "; ".join(done.stdout.splitlines()) if done.returncode == 0 else "nvidia-smi failed"


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gigabytes(name: str) -> float | None:
    """Return a value of /proc/meminfo in GB, or None on systems without it."""
    kilobytes = field("/proc/meminfo", name).split()
    return int(kilobytes[0]) / 1e6 if kilobytes else None


def versions(venv: Path) -> Iterator[tuple[str, str]]:
    """Yield what a bug report has to state: a name and a value."""
    yield "project", project()
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    fine, packages = run(venv / "bin/python", "-c", VERSIONS)
    yield "packages", packages.rstrip(", ") if fine else f"unknown ({packages})"
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        system = platform.system()
    yield (
        "system",
        f"{system}, kernel {platform.release()}, {platform.machine()}, {platform.libc_ver()[1]} libc",
    )
    yield "CPU", field("/proc/cpuinfo", "model name") or platform.processor() or "unknown"
    yield "cores", f"{cores()} of {os.cpu_count()}"
    total, free = gigabytes("MemTotal"), gigabytes("MemAvailable")
    yield "memory", f"{total:.0f} GB, {free:.0f} GB free" if total and free else "unknown"
    yield "GPU", gpus()


def _loader() -> str:
    """Name the variables that make the system load other libraries than those of the packages."""
    names = [name for name in ("LD_PRELOAD", "LD_LIBRARY_PATH") if os.environ.get(name)]
    return f"Try without {' and '.join(names)}, which may load other libraries. " if names else ""


def environment(venv: Path) -> Lines:
    python = venv / "bin/python"
    if not (venv / ".ready").is_file() or not python.exists():
        yield "WRONG", f"{venv}: there is no finished environment. Run `make setup`."
        return
    if subprocess.run([ROOT / "tools/setup.sh", venv, "ready"], capture_output=True).returncode:
        yield "WRONG", f"{venv}: its packages are not those that this version requires. Run `make setup`."
    yield "ok", f"{venv}: the {(venv / '.ready').read_text().split()[0].upper()} environment exists"
    fine, line = run(python, "-c", STEP)
    if fine and line.endswith("ok"):
        yield "ok", f"MXNet {line.split()[0]} loads, and a network takes a training step"
    else:
        yield (
            "WRONG",
            f"MXNet does not compute ({line}). {_loader()}Run `make clean setup`, or see Troubleshooting in"
            " README.",
        )
    # One after the other only if they cannot all be imported, because each process takes a second.
    together, _ = run(python, "-c", f"import freqcnn_gluon, {', '.join(LIBRARIES)}")
    for library in [] if together else LIBRARIES:
        fine, line = run(python, "-c", f"import freqcnn_gluon, {library}")
        if not fine:
            yield "WRONG", f"{library} cannot be imported ({line}). Run `make clean setup`."
    fine, line = run(python, "-c", VOICE)
    if fine:
        yield "ok", f"eSpeak NG {line} can synthesise the stand-ins"
    else:
        yield "WRONG", f"eSpeak NG cannot synthesise the stand-ins ({line}). Run `make clean setup`."


def variables(*inherited: str) -> Callable[[Path], Lines]:
    """Return a check of environment variables; ``inherited`` are those that the Makefile uses itself."""

    def check(venv: Path) -> Lines:
        for sentence in shadows(os.environ.get("PYTHONPATH", "")):
            yield "WRONG", f"{sentence} Commands of make ignore it."
        for name, sentence in ENVIRONMENT["faults"](os.environ).items():
            yield "WRONG", f"{sentence}{' Commands of make ignore it.' if name.startswith('PYTHON') else ''}"
        for name, effect in EFFECTS.items():
            if value := os.environ.get(name):
                yield "note", f"{name}={value}: {effect}. Unset it; commands of make ignore it."
        for name in inherited:
            yield "note", f"{name}={os.environ.get(name)} comes from the environment, and make uses it"

    return check


def device(venv: Path) -> Lines:
    _, line = run(sys.executable, str(ROOT / "freqcnn_gluon/devices.py"))
    kind, _, reason = line.partition(" ")
    yield ("ok", reason) if kind == "gpu" else ("note", f"training runs on the CPU: {reason}")


def processor(venv: Path) -> Lines:
    limit = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    if limit.isdigit() and int(limit) < cores():
        idle = cores() - int(limit)
        yield "note", f"OMP_NUM_THREADS={limit} leaves {idle} of {cores()} cores idle. Unset it."
    else:
        yield "ok", f"training may use {cores()} cores"
    load = os.getloadavg()[0]
    if load > cores() / 2:
        yield (
            "note",
            f"other programs are computing (load {load:.1f}). Training is much slower until they end.",
        )


def memory(venv: Path) -> Lines:
    free = gigabytes("MemAvailable")
    if free is None:
        return
    if free < TRAINING_GB:
        yield "note", f"{free:.0f} GB of memory are free; the paper's sizes need up to {TRAINING_GB} GB"
    else:
        yield "ok", f"{free:.0f} GB of memory are free"


def folders(*paths: Path) -> Callable[[Path], Lines]:
    """Return a check that files can be written, locked and renamed in ``paths``, and that there is space."""

    def check(venv: Path) -> Lines:
        for folder in paths:
            parents = (folder.absolute(), *folder.absolute().parents)
            existing = next(path for path in parents if path.exists())
            try:
                with tempfile.TemporaryDirectory(dir=existing) as made, open(Path(made) / "a", "w") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.replace(file.name, Path(made) / "b")
            except OSError as error:
                yield (
                    "WRONG",
                    f"{folder}: cannot be written ({error.strerror}). Name another: DATA=, RESULTS=.",
                )
                continue
            free = shutil.disk_usage(existing).free / 1e9
            if free < QUICK_GB:
                yield (
                    "WRONG",
                    f"{folder}: {free:.1f} GB are free, but {QUICK_GB} GB are needed. Free some space.",
                )
            else:
                grade = "ok" if free >= PAPER_GB else "note"
                space = f"{free:.0f} GB are free (the paper's corpora need {PAPER_GB})"
                yield grade, f"{folder}: can be written, {space}"

    return check


def browser(venv: Path) -> Lines:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        yield "note", "there is no chromium with chromedriver: `make test` skips the test of the report page"


def main() -> int:
    venv, data, results = map(Path, sys.argv[1:4])
    for name, value in versions(venv):
        print(f"{name:9} {value}", flush=True)
    print()
    wrong = False
    checks = (
        variables(*sys.argv[4:]),
        environment,
        device,
        processor,
        memory,
        folders(data, results),
        browser,
    )
    for check in checks:
        for grade, line in check(venv):
            wrong |= grade == "WRONG"
            print(f"{grade:6} {line}", flush=True)
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
