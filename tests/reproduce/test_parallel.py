"""Runs in several processes and in a Dask cluster's workers, against the same runs one after the other."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import dask
import pytest
from distributed import LocalCluster
from distributed.system import MEMORY_LIMIT
from test_produce import fnn_only
from tones import write_tones

from data_prep.base.faults import Faults
from data_prep.base.files import locked
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import workers as cluster
from freqcnn_gluon.training.memory import micro_batch, training_bytes
from reproduce.__main__ import main
from reproduce.assumptions import choices
from reproduce.corpora import prepare
from reproduce.options import Options
from reproduce.runs import parallel
from reproduce.runs.resolve import runs_of, sizes
from reproduce.runs.schedule import run_all
from reproduce.tables import TABLES

ROOT = Path(__file__).parents[2]
LIMIT = 120  # seconds; what is bounded is bounded on a busy machine too
# What the workers are made to do: every epoch takes a while and leaves a checkpoint, every training is noted.
# Dask executes it twice in a process.
SLOW = """
import os, time
import freqcnn_gluon
from freqcnn_gluon.training import checkpoint, loop as training
checkpoint.SECONDS_BETWEEN = 0
predict, train = training.own = getattr(training, "own", (training.predict, training.train))

def noted(*given, **more):
    with open({notes!r}, "a") as notes:
        print(given[7], os.environ["OMP_NUM_THREADS"], os.getpid(), file=notes)
    return train(*given, **more)

training.predict = lambda *given: time.sleep(0.25) or predict(*given)
training.train = noted
"""
WILD = """
import freqcnn_gluon
from dataclasses import replace
from freqcnn_gluon.training import loop as training
train = training.own = getattr(training, "own", training.train)
training.train = lambda net, settings, *rest, **more: train(
    net, replace(settings, learning_rate=1e6), *rest, **more)
"""


def preload(code):
    """Let Dask's workers execute the ``code`` before they begin."""
    return dask.config.set({"distributed.worker.preload": [code]})


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """Table 3, two of its systems, with two seeds each."""
    out = tmp_path_factory.mktemp("parallel")
    root = write_tones(out / "Tones")
    systems = [each for each in TABLES[3].systems() if each.name in ("FNN", "i-Vector")]
    options = Options({"ut_podcast": root}, "quick", seeds=2, device="cpu", jobs=1, check_counts=False)
    options = replace(options, assume=["epochs=8"], data=out / "data", results=out / "one")
    return TABLES[3], systems[::-1], options


@pytest.fixture(scope="module")
def alone(asked):
    """The reports of one run after the other."""
    return run_all(*asked)


def prepared(options):
    image = ImageSettings(size=64, **choices(3, ())["image"])
    return prepare("ut_podcast", options.roots["ut_podcast"], options.data, image, {}, False, 1)


def same(reports):
    """All of the reports that must not depend on when and beside what they were made."""
    told = json.loads(json.dumps([[report.link, report.content] for report in reports]))
    for _, content in told:
        for name in ("finished", "seconds", "training_seconds"):
            del content[name]
        for entry in content["history"]:
            del entry["seconds"]
    return told


def until(true):
    end = time.monotonic() + LIMIT
    while not true() and time.monotonic() < end:
        time.sleep(0.02)


def test_two_processes_of_which_one_is_killed_leave_what_one_leaves(
    asked, alone, tmp_path, monkeypatch, capsys
):
    """Each run is done once, with its share of cores and memory; the lost one goes on from its checkpoint."""
    table, systems, options = asked
    threads, notes, out = runtime.threads(), tmp_path / "notes", tmp_path / "results"
    monkeypatch.setenv("OMP_NUM_THREADS", str(2 * threads))
    given, kept = {}, {}
    monkeypatch.setattr(
        parallel, "LocalCluster", lambda **words: given.update(words) or LocalCluster(**words)
    )

    def epochs():
        states = out.glob("Tones/table03/fnn/*/checkpoint.json")
        return {path.parent.name: json.loads(path.read_text())["history"] for path in states}

    def kill():
        """The process that began last, when both have an epoch of their first run."""
        until(lambda: sum(map(bool, epochs().values())) == 2)
        kept.update(epochs())
        os.kill(int(notes.read_text().split()[-1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with preload(SLOW.format(notes=str(notes))):
        reports = run_all(table, systems, replace(options, jobs=2, results=out))
    killer.join()
    assert same(reports) == same(alone)
    assert [report.content["versions"]["threads"] for report in reports] == 4 * [threads]
    assert given["n_workers"] == 2 and given["memory_limit"] == MEMORY_LIMIT // 2
    trained = [line.rsplit(" ", 1)[0] for line in notes.read_text().splitlines()]
    assert len(trained) == 3  # two networks, and one of them again
    assert set(trained) == {f"FNN seed {seed} {threads}" for seed in (0, 1)}
    for report in reports[:2]:
        assert report.content["history"][0] == kept[report.link.split("/")[2]][0]
    said = capsys.readouterr().err
    assert said.count("its worker was lost, another goes on from the last checkpoint") == 1
    assert "4/4" in said and "epoch" not in said and "Traceback" not in said
    assert not multiprocessing.active_children() and runtime.threads() == 2 * threads


def test_a_cluster_runs_what_is_left_and_what_fails_is_told(asked, tmp_path, monkeypatch, capsys):
    """... though another process has it at first, for which the worker waits."""
    _, _, options = asked
    words = ["table", "3", "--ut-podcast", str(options.roots["ut_podcast"]), "--no-check-counts"]
    words += ["--profile", "quick", "--data", str(options.data), "--jobs", "1"]
    words, found = fnn_only(words, tmp_path, monkeypatch)
    execute_all, seen = parallel.execute_all, []

    def beside(runs, *rest):
        free = threading.Event()
        holder = threading.Thread(target=hold, args=(runs[0].folder(tmp_path), free))
        holder.start()
        until(lambda: seen)
        threading.Timer(2, free.set).start()
        return execute_all(runs, *rest)

    def hold(folder, free):
        with locked(folder, "has this run"):
            seen.append("held")
            free.wait(LIMIT)
            seen.extend(found())

    monkeypatch.setattr(parallel, "execute_all", beside)
    with preload(WILD), LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as given:
        assert main([*words, "--scheduler", given.scheduler_address]) == 0
    said, (path,) = capsys.readouterr(), found()
    fault = json.loads(path.read_text())["fault"]
    assert path.name == "failed.json" and seen == ["held"]
    assert f"fold test, seed 0: {fault}." in said.out and f"FNN: failed: {fault}" in said.err
    assert "lost" not in said.err and not list(tmp_path.glob("Tones/.*.tmp"))


def test_a_cluster_without_the_program_is_told(asked):
    """Its workers would end one after the other, and the command wait for ever."""
    table, systems, options = asked
    options = replace(options, assume=["epochs=2"])
    without = preload("import sys\nsys.modules['reproduce'] = None\n")
    with without, LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as given:
        with pytest.raises(Faults, match="lacks the program .*: start workers in this folder, with `OMP_NUM"):
            run_all(table, systems, replace(options, scheduler=given.scheduler_address))


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="GPUs need the engine's own threads")
def test_processes_have_the_engine_of_their_own_threads():
    program = (
        "import os, freqcnn_gluon; from reproduce.runs import parallel\n"
        "from reproduce.options import Options\n"
        "options, here = Options({}, jobs=2, device='cpu'), os.environ['MXNET_ENGINE_TYPE']\n"
        "with parallel._cluster(2, options) as (client, _):\n"
        "    found = client.run(os.getenv, 'MXNET_ENGINE_TYPE')\n"
        "print(here, os.environ['MXNET_ENGINE_TYPE'], *found.values())"
    )
    usual = {name: each for name, each in os.environ.items() if name not in runtime.SEVERAL_CORES}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=usual | {"OMP_NUM_THREADS": "2"},
        text=True,
        capture_output=True,
        timeout=LIMIT,
    )
    assert done.stdout == "NaiveEngine NaiveEngine None None\n", done.stderr


def test_what_is_done_needs_no_cluster(asked, alone):
    table, systems, options = asked
    assert same(run_all(table, systems, replace(options, scheduler="tcp://127.0.0.1:1"))) == same(alone)


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"assume": ["epochs=2"], "scheduler": "head"}, "no Dask scheduler answers at head"),
        ({"scheduler": "tcp://head:8786"}, "HOSTS shares every batch and SCHEDULER whole runs"),
        ({"assume": ["epochs=2"], "jobs": 3, "device": "cpu:0,1"}, "2 devices .* among 3 runs at a time"),
    ],
)
def test_what_cannot_be_shared_out_is_one_sentence(asked, monkeypatch, change, fault):
    table, systems, options = asked
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    if "HOSTS" in fault:
        monkeypatch.setattr(cluster, "join", lambda: SimpleNamespace(count=2, rank=0))
    with pytest.raises(Faults, match=fault):
        run_all(table, systems, replace(options, **change))


def test_runs_that_would_want_for_memory_do_not_begin(asked, monkeypatch):
    table, systems, options = asked
    options = replace(options, assume=["epochs=2"], jobs=2, results=options.results / "never")
    net = build("fnn", 3, 64)
    fixed, each = training_bytes(net, 64)
    needed = fixed + each * micro_batch(net, 64, sizes(table, options).batch_size)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(parallel, "_cluster", lambda *given: pytest.fail("a run began"))
    monkeypatch.setattr(parallel, "MEMORY_LIMIT", 2 * needed - 2)
    with pytest.raises(Faults, match="^FNN seed . takes about .* GB of memory, .*: give JOBS=1$"):
        run_all(table, systems, options)
    monkeypatch.setattr(parallel, "MEMORY_LIMIT", 2 * needed)
    with pytest.raises(pytest.fail.Exception, match="a run began"):
        run_all(table, systems, options)


def test_a_worker_that_is_not_set_up_for_it_says_so(asked, alone, tmp_path, monkeypatch):
    """What a worker tells of itself, asked for here."""
    table, systems, options = asked
    corpus = prepared(options)
    (run, *_) = runs_of(table, systems, options, corpus.source, corpus.store.fingerprint(corpus.manifest))
    worker = SimpleNamespace(address="tcp://there:1", name=0, state=SimpleNamespace(nthreads=1))
    worker.log_event = lambda *given: None
    monkeypatch.setattr(parallel, "get_worker", lambda: worker)

    def told(run=run, store=corpus.store.folder):
        given = (replace(corpus, store=None), options.results, {}, "cpu", "topic", True)
        return parallel._execute(run, "FNN", store, *given)

    with pytest.raises(
        Faults, match="is not the same folder for the worker tcp://there:1: every worker needs"
    ):
        told()
    (options.results / "Tones/.topic.tmp").touch()
    with pytest.raises(Faults, match="the store does not exist.* .says the worker tcp://there:1"):
        told(store=tmp_path)
    with pytest.raises(Faults, match="holds other images for the worker tcp://there:1"):
        told(run=replace(run, data="0" * 64))
    assert told() == alone[0].content
    worker.state.nthreads = 4
    with pytest.raises(Faults, match="takes 4 runs at a time, .* start it with --nthreads 1"):
        told()


@pytest.mark.parametrize(
    "cores, jobs, device, wanted",
    [
        (8, 2, "cpu", (["cpu:0", "cpu:0"], 4)),
        (8, 3, "cpu", (["cpu:0"] * 3, 2)),
        (2, 5, "cpu", (["cpu:0", "cpu:0"], 1)),
        (8, 2, "cpu:0,1,2,3", (["cpu:0,2", "cpu:1,3"], 4)),
        (8, 4, "cpu:0,1", (["cpu:0", "cpu:1", "cpu:0", "cpu:1"], 2)),
    ],
)
def test_threads_and_devices_are_shared_out(monkeypatch, cores, jobs, device, wanted):
    monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
    assert parallel.shares(jobs, device) == wanted
