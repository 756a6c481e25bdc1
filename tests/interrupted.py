"""Run a stage and stop it at its N-th change of a file, in a process for each run.

    python tests/interrupted.py STAGE OUT CORPUS LOG [HOW N MORE]
    python tests/interrupted.py serve

``test_interruptions`` starts the second form once. It imports what the stages need, which takes seconds, and
then starts each run that it reads from stdin as a fork of itself (see ``serve``).

HOW is 'kill' (kill -9 with all child processes), 'interrupt' (Ctrl-C) or 'full' (a full disk). The first
two come MORE milliseconds after the change. After 'full', no file may grow beyond MORE bytes. A change
means that a file below OUT is opened for writing, renamed, removed or truncated. N counts from 1, and 0
is the start. LOG gets a line 'begun' for each piece of work that begins (a clip to be spoken, a batch to
be learnt), and a line 'stopped' with the file that changed.
"""

import contextlib
import importlib
import json
import mmap
import os
import resource
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

PROJECT = Path(__file__).parents[1]
sys.path[:0] = [str(PROJECT), str(PROJECT / "tests/freqcnn_gluon")]
CHANGES = ("os.rename", "os.remove", "os.truncate", "os.rmdir")
IMPORTED = (
    "freqcnn_gluon.training.loop",
    "freqcnn_gluon.__main__",
    "freqcnn_gluon.own.fit",
    "data_prep.store",
    "data_prep.standin.ut_podcast",
    "reproduce.commands.table",
    "test_training",
)


def note(log: str | Path, line: str) -> None:
    with contextlib.suppress(OSError), open(log, "a") as file:  # the disk may be full
        file.write(f"{line}\n")


def stop_at(out: str, log: str, how: str, number: int, more: int) -> None:
    """Arrange that the process, or one of its children, stops at their change ``number``."""
    os.environ["STOP_AT"] = json.dumps([out, log, how, more])
    Path(f"{log}.left").write_bytes(number.to_bytes(8, sys.byteorder, signed=True))
    watch(stopping_now=not number)


def watch(stopping_now: bool = False) -> None:
    """Count this process's changes, once; a child that did not inherit this from its parent calls it too."""
    if getattr(sys, "watched", "STOP_AT" not in os.environ):
        return
    sys.watched = True  # in a module that is not copied when this function is sent to a child
    out, log, how, more = json.loads(os.environ["STOP_AT"])
    with open(f"{log}.left", "r+b") as file:  # shared by all processes, so that children's changes count
        left = memoryview(mmap.mmap(file.fileno(), 8)).cast("q")

    def stop(where: str) -> None:
        note(log, f"stopped {where}")
        if how == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (more, resource.RLIM_INFINITY))
        elif more:
            timer = threading.Timer(more / 1000, end)
            timer.daemon = True
            timer.start()
        else:
            end()

    def end() -> None:
        os.killpg(0, signal.SIGKILL if how == "kill" else signal.SIGINT)

    def hook(event: str, arguments: tuple) -> None:
        if event == "open":
            changes = isinstance(arguments[1], str) and arguments[1][0] in "wax"
        else:
            changes = event in CHANGES
        if changes and str(arguments[0]).startswith(f"{out}/"):
            left[0] -= 1
            if left[0] == 0:
                stop(os.path.relpath(arguments[0], out))

    if stopping_now:
        stop("beginning")
    else:
        sys.addaudithook(hook)


def noting(log: Path, function):
    """Return ``function`` with a line in ``log`` for each call."""

    def noted(*arguments):
        watch()
        note(log, "begun")
        return function(*arguments)

    return noted


def standin(out: Path, corpus: Path, log: Path) -> None:
    from data_prep.standin import ut_podcast

    ut_podcast._make = noting(log, ut_podcast._make)
    clips = {"train": {"AU": 6, "US": 5, "UK": 3}, "test": {"AU": 3, "US": 2, "UK": 2}}
    ut_podcast.write(out, clips, (0.6, 0.9), jobs=2)


def training(out: Path, corpus: Path, log: Path) -> None:
    """Train a network with convolution, BatchNorm and dropout, with a checkpoint before every batch."""
    module = _often(log)
    import mxnet as mx
    from mxnet.gluon import nn
    from safetensors.numpy import load_file

    from data_prep.base.files import whole

    class Checked(module.Checkpoint):
        """A checkpoint that compares itself with the network after all pending operations have finished."""

        def save(self, place, last=False):
            super().save(place, last)
            mx.nd.waitall()
            kept = load_file(self.folder / next(iter(json.loads(self.state.read_text())["files"])))
            for name, parameter in self.net._collect_params_with_prefix().items():
                assert (kept[name] == parameter.data().asnumpy()).all(), f"{place}: {name}"

    module.Checkpoint = Checked
    tests = importlib.import_module("test_training")
    net = nn.HybridSequential()
    net.add(nn.Conv2D(8, 3, in_channels=1), nn.BatchNorm(in_channels=8))
    for channels in (8, 16):  # so large that the backward pass is still running at the next line of Python
        net.add(nn.Conv2D(16, 5, padding=2, in_channels=channels), nn.Activation("relu"))
    net.add(nn.GlobalAvgPool2D(), nn.Dropout(0.5), nn.Dense(3, in_units=16))
    data, chosen = tests.examples(44, 32), tests.settings(batch_size=8, schedule="cosine", epochs=3)
    outcome = module.train(net, chosen, data, {"test": data}, 3, tests.CPU, out)
    with whole(out / "answers") as aside:
        aside.write_bytes(outcome.probabilities["test"].tobytes())


def table(out: Path, corpus: Path, log: Path) -> None:
    """Make store, features, training, reports and table for FNN and the i-vectors."""
    from data_prep import store
    from reproduce.__main__ import main
    from reproduce.tables import TABLES

    _often(log)
    store.BATCH = 1
    cells = tuple(cell for cell in TABLES[3].cells if cell.system.name in ("FNN", "i-Vector"))
    TABLES[3] = replace(TABLES[3], cells=cells)
    words = ["table", "3", "--ut-podcast", str(corpus), "--no-check-counts", "--profile", "quick"]
    words += ["--device", "cpu", "--assume", "epochs=3", "--jobs", "1"]
    _exit_if_failed(main([*words, "--data", str(out / "data"), "--results", str(out / "results")]))


def report(out: Path, corpus: Path, log: Path) -> None:
    """Make the page of the table's results, which are in OUT already."""
    from reproduce.__main__ import main

    note(log, "begun")
    _exit_if_failed(main(["report", "--data", str(out / "data"), "--results", str(out / "results")]))


def fit(out: Path, corpus: Path, log: Path) -> None:
    """Train on a user's recordings: split, store, training, model folder."""
    from data_prep import store
    from freqcnn_gluon.__main__ import main

    _often(log)
    store.BATCH = 1
    words = ["fit", str(corpus / "audio" / "train"), "--out", str(out), "--device", "cpu", "--jobs", "1"]
    _exit_if_failed(main([*words, "--size", "32", "--batch-size", "6", "--epochs", "3"]))


def _often(log: Path):
    """Return ``freqcnn_gluon.training.loop`` with a checkpoint before every batch."""
    import freqcnn_gluon.training.loop as module  # before mxnet
    from freqcnn_gluon.training import checkpoint

    checkpoint.SECONDS_BETWEEN, module.PLACE = 0, 1
    module._gradients = noting(log, module._gradients)
    return module


def _exit_if_failed(code: int) -> None:
    if code:
        raise SystemExit(code)  # the command has printed the reason


def serve() -> list[str]:
    """Fork a process for each request on stdin, and return its arguments in that process.

    A request is a line of JSON: the path of a file for stderr and the arguments, which is answered with the
    new process's number; or such a number, which is answered with the exit code when the process has ended.
    """
    for name in IMPORTED:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in iter(sys.stdin.readline, ""):
        request = json.loads(line)
        if isinstance(request, int):
            print(os.waitstatus_to_exitcode(os.waitpid(request, 0)[1]), file=answers)
            continue
        path, words = request
        errors, nothing = os.open(path, os.O_WRONLY), os.open(os.devnull, os.O_RDWR)
        child = os.fork()
        if not child:
            os.setsid()
            for number, file in enumerate((nothing, nothing, errors)):
                os.dup2(file, number)
            answers.close()
        os.close(errors)
        os.close(nothing)
        if not child:
            return words
        print(child, file=answers)
    raise SystemExit


if __name__ == "__main__":
    from data_prep.base.commands import with_plain_errors

    stage, out, corpus, log, *end = serve() if sys.argv[1:] == ["serve"] else sys.argv[1:]

    @with_plain_errors
    def main() -> None:
        if end:
            stop_at(out, log, end[0], *map(int, end[1:]))
        globals()[stage](Path(out), Path(corpus), Path(log))

    raise SystemExit(main())
