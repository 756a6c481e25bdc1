"""What is wrong with this machine, in plain words: ``make doctor``.

Needs nothing but a Python, since what it looks at may be why nothing is installed, and leaves nothing behind.
Each line is 'ok', 'note' (it works, but not at its best) or 'WRONG' with the remedy; exit code 1 if something
is wrong.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = "numpy scipy soundfile pandas matplotlib PIL av sklearn kaldi_native_fbank onnxruntime".split()
LIBRARIES += "gluoncv safetensors distributed".split()
QUICK_GB, PAPER_GB = 2, 20  # disk that the stand-ins, and the paper's corpora with their images, take
TRAINING_GB = 16  # memory that micro-batches are cut to fit
STEP = """
import freqcnn_gluon, mxnet as mx
from freqcnn_gluon import FreqCNN, architecture
net = FreqCNN(architecture("table7"), size=32)
net.initialize(mx.init.Xavier())
with mx.autograd.record():
    loss = net(mx.nd.ones((2, 1, 32, 32))).norm()
loss.backward()
print(mx.__version__, "ok" if float(loss.asscalar()) > 0 else "computes nothing")
"""
VOICE = """
from data_prep.standin.folder import _espeak_version
from data_prep.standin.speech import each_in_fresh_process
print(*each_in_fresh_process(_espeak_version, [()]))
"""

Told = Iterator[tuple[str, str]]


def run(python: Path, *words: str) -> tuple[bool, str]:
    """Whether a Python program ends well, and the last line that it says."""
    done = subprocess.run(
        [python, *words],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    return done.returncode == 0, lines[-1] if lines else f"it ended with {done.returncode} and no word"


def environment(venv: Path) -> Told:
    python = venv / "bin/python"
    if not (venv / ".ready").is_file() or not python.exists():
        yield "WRONG", f"there is no finished environment in {venv}: run `make setup`"
        return
    if subprocess.run([ROOT / "tools/setup.sh", venv, "ready"], capture_output=True).returncode:
        yield "WRONG", f"{venv} does not hold what this version requires: run `make setup`"
    yield "ok", f"the {(venv / '.ready').read_text().split()[0].upper()} environment {venv} is there"
    fine, said = run(python, "-c", STEP)
    if fine and said.endswith("ok"):
        yield "ok", f"MXNet {said.split()[0]} loads, and the network computes"
    else:
        yield (
            "WRONG",
            f"MXNet does not compute ({said}): run `make clean setup`, or see Troubleshooting in README",
        )
    for library in LIBRARIES:
        fine, said = run(python, "-c", f"import freqcnn_gluon, {library}")
        if not fine:
            yield "WRONG", f"{library} cannot be loaded ({said}): run `make clean setup`"
    fine, said = run(python, "-c", VOICE)
    yield (
        ("ok", f"eSpeak NG {said} can speak the stand-ins")
        if fine
        else (
            "WRONG",
            f"eSpeak NG cannot speak the stand-ins ({said}): run `make clean setup`",
        )
    )


def gpu(venv: Path) -> Told:
    _, said = run(Path(sys.executable), str(ROOT / "freqcnn_gluon/devices.py"))
    kind, _, why = said.partition(" ")
    yield ("ok", why) if kind == "gpu" else ("note", f"training runs on the CPU: {why}")


def cores(venv: Path) -> Told:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) < count:
        yield "note", f"OMP_NUM_THREADS={asked} leaves {count - int(asked)} of {count} cores idle: unset it"
    else:
        yield "ok", f"{count} cores may be used"
    busy = os.getloadavg()[0]
    if busy > count / 2:
        yield "note", f"something else computes here (load {busy:.1f}): training is much slower until it ends"


def memory(venv: Path) -> Told:
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free = int(lines["MemAvailable"].split()[0]) / 1e6
    except (OSError, KeyError, ValueError):
        return
    if free < TRAINING_GB:
        yield (
            "note",
            f"{free:.0f} GB of memory are free: the paper's sizes take up to {TRAINING_GB}",
        )
    else:
        yield "ok", f"{free:.0f} GB of memory are free"


def folders(*asked: Path) -> Callable[[Path], Told]:
    """Whether files can be written, locked and renamed there, and how much room there is."""

    def look(venv: Path) -> Told:
        for folder in asked:
            there = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
            try:
                with tempfile.TemporaryDirectory(dir=there) as made, open(Path(made) / "a", "w") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.replace(file.name, Path(made) / "b")
            except OSError as error:
                yield (
                    "WRONG",
                    f"{folder} cannot be written ({error.strerror}): name another folder (DATA=, RESULTS=)",
                )
                continue
            free = shutil.disk_usage(there).free / 1e9
            if free < QUICK_GB:
                yield "WRONG", f"{folder}: {free:.1f} GB are free and {QUICK_GB} are needed: make room"
            else:
                grade = "ok" if free >= PAPER_GB else "note"
                yield (
                    grade,
                    f"{folder} can be written, {free:.0f} GB are free (the paper's corpora take {PAPER_GB})",
                )

    return look


def browser(venv: Path) -> Told:
    if not (shutil.which("chromium") and shutil.which("chromedriver")):
        yield (
            "note",
            "there is no chromium with chromedriver: `make test` leaves out the report page's own test",
        )


def main() -> int:
    venv, data, results = map(Path, sys.argv[1:4])
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"ok     Python {version} ({sys.executable})")
    wrong = False
    for look in (environment, gpu, cores, memory, folders(data, results), browser):
        for grade, said in look(venv):
            wrong |= grade == "WRONG"
            print(f"{grade:6} {said}", flush=True)
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
