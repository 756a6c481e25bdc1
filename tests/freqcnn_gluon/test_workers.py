"""Compare two workers, with a scheduler and a server on this machine, with one process."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from test_training import examples, settings

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.training import checkpoint, launch
from freqcnn_gluon.training import loop as training
from freqcnn_gluon.training.workers import RANK, Workers, join, leave_on_error

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120  # seconds, enough for a busy machine
SCRIPT = """
import os, sys, time
import freqcnn_gluon
from pathlib import Path
from test_workers import trained
out = Path(sys.argv[1])
number = os.environ["FREQCNN_WORKER"]
(out / f"pid-{number}").write_text(str(os.getpid()))
trained(out, **eval(sys.argv[2]))
"""


def network() -> nn.HybridSequential:
    """Return a network whose first batch gives its shapes, as in gluoncv. Dropout would differ by worker."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(3))
    return net


@leave_on_error
def trained(out: Path, step=0.0, micro_batch=4, kept=False) -> list[np.ndarray]:
    """Train on batches of 8 and write this worker's history, weights and probabilities to ``out``.

    ``step`` seconds are added to each evaluation, so that the training can be killed in a known epoch.
    """
    number, data = os.environ.get(RANK, ""), examples(24)
    predict = training.predict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
        patch.setattr(training, "predict", lambda *arguments: time.sleep(step) or predict(*arguments))
        net = network()
        chosen = settings(batch_size=8, micro_batch=micro_batch, epochs=4, seed=3, schedule="cosine")
        outcome = training.train(
            net, chosen, data, {"test": data}, 3, [mx.cpu()], out if kept else None, workers=join()
        )
    values = [parameter.data().asnumpy() for parameter in net.collect_params().values()]
    np.savez(out / f"worker-{number}.npz", *values, **outcome.probabilities)
    (out / f"history-{number}.json").write_text(json.dumps(outcome.history))
    return values


def started(out: Path, arguments: dict | str, *words: str, hosts="localhost,localhost", **environment):
    out.mkdir(exist_ok=True)
    words = words or (sys.executable, "-c", SCRIPT, str(out), repr(arguments))
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests/freqcnn_gluon"), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-m", "freqcnn_gluon", "launch", "--hosts", hosts, "--", *words],
        cwd=ROOT,
        # Each worker has two cores, and so the engine that MXNet uses with several.
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "4"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def history(path: Path) -> list[dict]:
    content = json.loads(path.read_text())
    entries = content["history"] if isinstance(content, dict) else content
    return [{**entry, "seconds": 0} for entry in entries]


def within(state: Path) -> int:
    """Return how many batches of the present epoch the checkpoint has."""
    return json.loads(state.read_text())["batches"]


def values(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


def statistics_by_hand(monkeypatch) -> list[np.ndarray]:
    """Return lists that a training of one process fills with the statistics of two workers' BatchNorm."""
    running = [[np.zeros(4), np.ones(4)] for _ in range(2)]
    batches, gradients = [], training._gradients

    def followed(net, data, shares, devices):
        if batches and len(batches) % 3 == 0:  # 24 examples are three batches an epoch
            running[:] = [[sum(pair) / 2 for pair in zip(*running)] for _ in range(2)]
        for worker, share in enumerate(shares):
            x = net[0](mx.nd.array(data.batch(share)[0])).asnumpy()
            for kept, new in zip(running[worker], (x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3)))):
                kept += 0.1 * (new - kept)
        batches.append(shares)
        return gradients(net, data, shares, devices)

    monkeypatch.setattr(training, "_gradients", followed)
    return running


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """Return the folder of a training by two workers that resumed after one of them was killed."""
    out = tmp_path_factory.mktemp("cluster")
    run = started(out, {"step": 1, "kept": True})
    state, until = out / "checkpoint.json", time.monotonic() + LIMIT
    while not (state.exists() and history(state) and within(state)) and time.monotonic() < until:
        time.sleep(0.02)
    pids = [int((out / f"pid-{number}").read_text()) for number in (0, 1)]
    os.kill(pids[1], signal.SIGKILL)
    killed = time.monotonic()
    _, errors = run.communicate(timeout=LIMIT)
    assert time.monotonic() - killed < 30 and run.returncode == 1
    message = errors.splitlines()[-1]
    assert message.startswith("error: worker 2 of 2 on localhost was killed by signal 9 (SIGKILL)")
    assert (
        message.endswith("The same command resumes from the last checkpoint.") and "Traceback" not in errors
    )
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert 1 <= len(history(state)) < 4
    again = started(out, {"kept": True})
    errors = again.communicate(timeout=LIMIT)
    assert again.returncode == 0, errors
    return out


def test_all_workers_train_as_many_samples_at_a_time_as_fit_everywhere(tmp_path):
    code = (
        "import sys; from pathlib import Path; import freqcnn_gluon\n"
        "from freqcnn_gluon.training.workers import join\nfrom reproduce.runs.systems import _smallest\n"
        "group = join()\n"
        "for number, fitting in enumerate(((24, 8), (6, 6))):\n"
        "    chosen = _smallest(fitting[group.rank], group)\n"
        "    Path(sys.argv[1], f'{number}-{group.rank}').write_text(str(chosen))\n"
    )
    run = started(tmp_path, {}, sys.executable, "-c", code, str(tmp_path))
    _, errors = run.communicate(timeout=LIMIT)
    assert run.returncode == 0, errors
    answers = {
        f"{number}-{rank}": (tmp_path / f"{number}-{rank}").read_text() for number in "01" for rank in "01"
    }
    assert answers == {"0-0": "8", "0-1": "8", "1-0": "6", "1-1": "6"}
    assert errors.count("note:") == 1
    assert (
        "24 samples would fit at a time on some, and all train 8, because no more fit on worker 2." in errors
    )


def test_two_workers_train_like_one_process_even_if_one_was_killed(out, tmp_path, monkeypatch):
    """Losses and weights agree; running statistics are the mean over the workers' shares."""
    running = statistics_by_hand(monkeypatch)
    weights = trained(tmp_path, micro_batch=4)
    ours, reference = history(out / "history-0.json"), history(tmp_path / "history-.json")
    assert [entry["accuracy"] for entry in ours] == [entry["accuracy"] for entry in reference]
    losses = [[entry["loss"] for entry in entries] for entries in (ours, reference)]
    assert len(losses[0]) == 4
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert losses[0][-1] < 0.5 * losses[0][0]
    weights[4:6] = [sum(pair) / 2 for pair in zip(*running)]
    arrays = values(out / "worker-0.npz")
    for number, wanted in enumerate(weights):
        np.testing.assert_allclose(arrays[f"arr_{number}"], wanted, rtol=1e-4, atol=1e-6)


def test_both_workers_end_with_the_same_weights_and_predictions(out):
    first, second = (values(out / f"worker-{number}.npz") for number in (0, 1))
    assert set(first) == set(second) and "test" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert history(out / "history-0.json") == history(out / "history-1.json")


def test_other_hosts_are_reached_by_ssh_and_workers_must_train_the_same(tmp_path):
    """A stand-in for ssh records the host and runs the command here."""
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        f'#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\necho "$1" >>{tmp_path}/hosts\n'
        'cd /; DMLC_NODE_HOST=127.0.0.1 exec env -u PYTHONPATH sh -c "$2"\n'
    )
    ssh.chmod(0o755)
    worker = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from data_prep.base.faults import Faults
from freqcnn_gluon.training.workers import join
workers = join()
print(workers.broadcast(7 - workers.rank), os.getcwd())
workers.require_same("one thing")
try:
    workers.require_same(f"what worker {{workers.rank}} does")
except Faults as fault:
    print(fault, flush=True)
workers.barrier()
sys.exit("no more disk" if workers.rank else 0)
"""
    words = (sys.executable, "-c", worker)
    path = f"{ssh.parent}:{os.environ['PATH']}"
    run = started(tmp_path, "", *words, hosts="127.0.0.1,me@127.0.0.2", PATH=path)
    shown, errors = run.communicate(timeout=LIMIT)
    hosts = sorted((tmp_path / "hosts").read_text().split())  # the processes start side by side
    assert hosts == ["127.0.0.1"] * 3 + ["me@127.0.0.2"]
    assert shown.startswith(f"7.0 {ROOT}\nthe workers do not train the same network")
    assert run.returncode == 1
    assert errors.startswith("\nerror: worker 2 of 2 on me@127.0.0.2 ended with exit code 1 (no more disk)")
    assert errors.endswith(": the others were ended too\n")


@pytest.mark.parametrize(
    ("ends", "role", "resumes"),
    [
        (("exit 1", "sleep 60"), "worker", False),  # wrong input would fail again
        (("exit 2", "exit 1"), "worker", False),
        (("exit 127", "sleep 60"), "worker", False),  # the host has no such program
        (("kill -9 $$", "sleep 60"), "worker", True),
        (("exit 1", "kill -9 $$"), "worker", True),  # it may have failed because the other was killed
        (("exit 137", "sleep 60"), "worker", True),  # killed in a shell
        (("exit 255", "sleep 60"), "worker", True),  # ssh lost the host
        (("exit 1", "sleep 60"), "server", True),
    ],
)
def test_resuming_is_suggested_unless_the_input_is_wrong(ends, role, resumes, capsys):
    """The message names the first process that failed; its advice depends on all that failed."""
    children = [
        launch.Child(f"{role} {number}", role, subprocess.Popen(["sh", "-c", f"{end}; :"]), None)
        for number, end in enumerate(ends)
    ]
    try:
        for child, end in zip(children, ends):
            if end != "sleep 60":
                child.process.wait()
        with pytest.raises(Faults, match=f"{role} 0 .*: the others were ended too") as caught:
            launch._watch(children)
        assert str(caught.value).endswith("The same command resumes from the last checkpoint.") == resumes
    finally:
        for child in children:
            child.process.kill()
            child.process.wait()


@pytest.mark.parametrize(
    "hosts, words, fault",
    [
        ("localhost", ["/nowhere/python"], "/nowhere/python cannot be run"),
        ("localhost,no.such.host.invalid", ["true"], "no.such.host.invalid has no address"),
        (",", ["true"], "names no host"),
        ("gpu3,gpu2,me@gpu2", ["true"], "gpu2 is named more than once"),
    ],
)
def test_a_command_that_cannot_start_is_one_sentence(tmp_path, hosts, words, fault):
    run = started(tmp_path, "", *words, hosts=hosts)
    _, errors = run.communicate(timeout=LIMIT)
    assert run.returncode == 1 and fault in errors and errors.count("\n") == 1


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="GPUs need the engine's own threads")
@pytest.mark.parametrize(
    ("environment", "engine"), [({}, "None"), ({"MXNET_ENGINE_TYPE": "NaiveEngine"}, "NaiveEngine")]
)
def test_a_workers_engine_depends_on_its_own_threads(tmp_path, environment, engine):
    program = "import os, freqcnn_gluon; print(os.environ.get('MXNET_ENGINE_TYPE'))"
    run = started(tmp_path, "", sys.executable, "-c", program, OMP_NUM_THREADS="2", **environment)
    errors, _ = run.communicate(timeout=LIMIT)
    assert (errors, run.returncode) == (f"{engine}\n", 0)


def test_a_worker_without_its_variables_is_a_fault(monkeypatch):
    monkeypatch.setenv("DMLC_ROLE", "worker")
    monkeypatch.setenv("DMLC_NUM_WORKER", "2")
    join.cache_clear()
    with pytest.raises(Faults, match="but DMLC_PS_ROOT_URI, DMLC_PS_ROOT_PORT, DMLC_NUM_SERVER not"):
        join()


def test_a_single_worker_waits_for_nothing():
    alone = Workers()
    arrays = [mx.nd.ones((2, 3))]
    assert (alone.count, alone.rank, alone.broadcast(4.5), alone.gather(3)) == (1, 0, 4.5, [3])
    assert alone.total(arrays)[0] is arrays[0] and alone.add_gradients({}, 1.0, 2) == (1.0, 2)
