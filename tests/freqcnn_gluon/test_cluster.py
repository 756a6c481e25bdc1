"""Two workers, a scheduler and a server as processes on this machine, against one process."""

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
from freqcnn_gluon.training import workers as cluster

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120  # seconds; what is bounded is bounded on a busy machine too
SCRIPT = """
import os, sys, time
import freqcnn_gluon
from pathlib import Path
from test_cluster import trained
out = Path(sys.argv[1])
number = os.environ["FREQCNN_WORKER"]
(out / f"pid-{number}").write_text(str(os.getpid()))
trained(out, **eval(sys.argv[2]))
"""


def network() -> nn.HybridSequential:
    """Shapes are told by the first batch, as in gluoncv's networks. No dropout: each worker has its own."""
    net = nn.HybridSequential()
    net.add(nn.Conv2D(4, 3), nn.BatchNorm(), nn.Activation("relu"), nn.Dense(3))
    return net


@cluster.leave_on_error
def trained(out: Path, step=0.0, micro_batch=4, kept=False) -> list[np.ndarray]:
    """Train on batches of 8 and leave history, weights and probabilities of this worker in ``out``.

    ``step``: seconds that an evaluation takes longer, so that it can be killed at a known epoch.
    """
    number, data = os.environ.get(cluster.NUMBER, ""), examples(24)
    checkpoint.SECONDS_BETWEEN = 0
    predict = training.predict
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "predict", lambda *given: time.sleep(step) or predict(*given))
        net = network()
        chosen = settings(batch_size=8, micro_batch=micro_batch, epochs=4, seed=3, schedule="cosine")
        outcome = training.train(
            net, chosen, data, {"test": data}, 3, [mx.cpu()], out if kept else None, workers=cluster.join()
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
        # each worker has two, and with them the engine that MXNet uses with several cores
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "4"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def history(path: Path) -> list[dict]:
    told = json.loads(path.read_text())
    return [{**entry, "seconds": 0} for entry in (told["history"] if isinstance(told, dict) else told)]


def within(state: Path) -> int:
    """How many batches of an epoch that is not over yet the checkpoint has."""
    return json.loads(state.read_text())["batches"]


def values(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)


def statistics_by_hand(monkeypatch) -> list[np.ndarray]:
    """Mean and variance that two workers' BatchNorm must end with, filled in by a training of one process."""
    running = [[np.zeros(4), np.ones(4)] for _ in range(2)]
    batches, gradients = [], training._gradients

    def followed(net, data, shares, devices):
        if batches and len(batches) % 3 == 0:  # 24 examples are three batches an epoch
            running[:] = [[sum(each) / 2 for each in zip(*running)] for _ in range(2)]
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
    """What two workers leave of whom one is killed within the training, which then goes on."""
    out = tmp_path_factory.mktemp("cluster")
    run = started(out, {"step": 1, "kept": True})
    state, until = out / "checkpoint.json", time.monotonic() + LIMIT
    while not (state.exists() and history(state) and within(state)) and time.monotonic() < until:
        time.sleep(0.02)
    pids = [int((out / f"pid-{number}").read_text()) for number in (0, 1)]
    os.kill(pids[1], signal.SIGKILL)
    killed = time.monotonic()
    _, said = run.communicate(timeout=LIMIT)
    assert time.monotonic() - killed < 30 and run.returncode == 1
    told = said.splitlines()[-1]
    assert told.startswith("error: worker 2 of 2 on localhost was killed by signal 9 (SIGKILL)")
    assert told.endswith("the same command goes on from the last checkpoint") and "Traceback" not in said
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert 1 <= len(history(state)) < 4
    again = started(out, {"kept": True})
    said = again.communicate(timeout=LIMIT)
    assert again.returncode == 0, said
    return out


def test_two_workers_of_whom_one_was_killed_are_one_process_with_their_batch(out, tmp_path, monkeypatch):
    """The loss curve, the weights, and of the running statistics their mean over the workers' shares."""
    running = statistics_by_hand(monkeypatch)
    weights = trained(tmp_path, micro_batch=4)
    ours, reference = history(out / "history-0.json"), history(tmp_path / "history-.json")
    assert [each["accuracy"] for each in ours] == [each["accuracy"] for each in reference]
    losses = [[each["loss"] for each in told] for told in (ours, reference)]
    assert len(losses[0]) == 4
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert losses[0][-1] < 0.5 * losses[0][0]
    weights[4:6] = [sum(each) / 2 for each in zip(*running)]
    found = values(out / "worker-0.npz")
    for number, wanted in enumerate(weights):
        np.testing.assert_allclose(found[f"arr_{number}"], wanted, rtol=1e-4, atol=1e-6)


def test_both_workers_end_with_the_same_weights_and_evaluate_alike(out):
    first, second = (values(out / f"worker-{number}.npz") for number in (0, 1))
    assert set(first) == set(second) and "test" in first
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    assert history(out / "history-0.json") == history(out / "history-1.json")


def test_other_hosts_are_reached_by_ssh_and_workers_that_differ_are_told(tmp_path):
    """By a stand-in for ssh that notes the host and runs the line here."""
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
    shown, said = run.communicate(timeout=LIMIT)
    assert (tmp_path / "hosts").read_text().split() == ["127.0.0.1"] * 3 + ["me@127.0.0.2"]
    assert shown.startswith(f"7.0 {ROOT}\nthe workers are not about the same training")
    assert run.returncode == 1
    assert said.startswith("\nerror: worker 2 of 2 on me@127.0.0.2 ended with exit code 1 (no more disk)")
    assert said.endswith(": the others were ended too\n")


@pytest.mark.parametrize(
    ("ends", "role", "goes_on"),
    [
        (("exit 1", "sleep 60"), "worker", False),  # wrong input: the same command ends the same
        (("exit 2", "exit 1"), "worker", False),
        (("exit 127", "sleep 60"), "worker", False),  # no such program there
        (("kill -9 $$", "sleep 60"), "worker", True),
        (("exit 1", "kill -9 $$"), "worker", True),  # it may have failed since the other was gone
        (("exit 137", "sleep 60"), "worker", True),  # killed below a shell
        (("exit 255", "sleep 60"), "worker", True),  # lost by ssh
        (("exit 1", "sleep 60"), "server", True),
    ],
)
def test_the_same_command_is_named_where_it_helps(ends, role, goes_on, capsys):
    """The first is told of; whether to go on hangs on all that have failed."""
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
        assert str(caught.value).endswith("the same command goes on from the last checkpoint") == goes_on
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
def test_what_cannot_be_started_is_one_sentence(tmp_path, hosts, words, fault):
    run = started(tmp_path, "", *words, hosts=hosts)
    _, said = run.communicate(timeout=LIMIT)
    assert run.returncode == 1 and fault in said and said.count("\n") == 1


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="GPUs need the engine's own threads")
@pytest.mark.parametrize(
    ("asked", "engine"), [({}, "None"), ({"MXNET_ENGINE_TYPE": "NaiveEngine"}, "NaiveEngine")]
)
def test_a_worker_has_the_engine_of_its_own_threads(tmp_path, asked, engine):
    program = "import os, freqcnn_gluon; print(os.environ.get('MXNET_ENGINE_TYPE'))"
    run = started(tmp_path, "", sys.executable, "-c", program, OMP_NUM_THREADS="2", **asked)
    said, _ = run.communicate(timeout=LIMIT)
    assert (said, run.returncode) == (f"{engine}\n", 0)


def test_a_role_without_its_variables_is_told(monkeypatch):
    monkeypatch.setenv("DMLC_ROLE", "worker")
    monkeypatch.setenv("DMLC_NUM_WORKER", "2")
    cluster.join.cache_clear()
    with pytest.raises(Faults, match="but DMLC_PS_ROOT_URI, DMLC_PS_ROOT_PORT, DMLC_NUM_SERVER not"):
        cluster.join()


def test_alone_nothing_is_waited_for():
    alone = cluster.Workers()
    arrays = [mx.nd.ones((2, 3))]
    assert (alone.count, alone.rank, alone.broadcast(4.5)) == (1, 0, 4.5)
    assert alone.total(arrays)[0] is arrays[0] and alone.add_gradients({}, 1.0, 2) == (1.0, 2)
