"""Parallel runs, in processes and in a Dask cluster, give the same results as runs one after the other."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import dask
import mxnet as mx
import pytest
from distributed import LocalCluster
from distributed.system import MEMORY_LIMIT
from test_execute import fnn_only
from tones import write_tones

from data_prep.base.faults import Faults
from data_prep.base.files import locked
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import devices, runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import memory, workers
from freqcnn_gluon.training.memory import micro_batch, training_bytes
from reproduce.__main__ import main
from reproduce.assumptions import choices
from reproduce.corpora import prepare
from reproduce.options import Options
from reproduce.runs import parallel, sharing
from reproduce.runs.resolve import resolve, runs_of
from reproduce.runs.schedule import run_all
from reproduce.tables import TABLES

ROOT = Path(__file__).parents[2]
SIZE = TABLES[3].quick.size
LIMIT = 120  # seconds; enough on a busy machine too
# Every epoch of the workers takes a while and leaves a checkpoint, and every training is logged. Dask runs
# this code twice in a process.
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
    """Make Dask's workers execute the ``code`` when they start."""
    return dask.config.set({"distributed.worker.preload": [code]})


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """Return Table 3, two of its systems, and options with two seeds."""
    out = tmp_path_factory.mktemp("parallel")
    root = write_tones(out / "Tones")
    systems = [item for item in TABLES[3].systems() if item.name in ("FNN", "i-Vector")]
    options = Options({"ut_podcast": root}, "quick", seeds=2, device="cpu", jobs=1, check_counts=False)
    options = replace(options, assume=["epochs=8"], data=out / "data", results=out / "one")
    return TABLES[3], systems[::-1], options


@pytest.fixture(scope="module")
def alone(setting):
    """Return the reports of the runs one after the other."""
    table, systems, options = setting
    return run_all(resolve(table, options), systems)


def prepared(options):
    image = ImageSettings(size=SIZE, **choices(3, ())["image"])
    return prepare("ut_podcast", options.roots["ut_podcast"], options.data, image, {}, False, 1)


def same(reports):
    """Return what must be the same in reports made at another time or in parallel."""
    contents = json.loads(json.dumps([[report.link, report.content] for report in reports]))
    for _, content in contents:
        for name in ("finished", "seconds", "training_seconds", "compute"):
            del content[name]
        for entry in content["history"]:
            del entry["seconds"]
    return contents


def until(true):
    end = time.monotonic() + LIMIT
    while not true() and time.monotonic() < end:
        time.sleep(0.02)


def test_two_processes_give_the_same_results_although_one_is_killed(
    setting, alone, tmp_path, monkeypatch, capsys
):
    """Each run is done once, with its share of cores and memory; the lost one resumes from its checkpoint."""
    table, systems, options = setting
    threads, notes, out = runtime.threads(), tmp_path / "notes", tmp_path / "results"
    monkeypatch.setenv("OMP_NUM_THREADS", str(2 * threads))
    arguments, kept = {}, {}
    monkeypatch.setattr(
        parallel, "LocalCluster", lambda **words: arguments.update(words) or LocalCluster(**words)
    )

    def epochs():
        states = out.glob("Tones/table03/fnn/*/checkpoint.json")
        return {path.parent.name: json.loads(path.read_text())["history"] for path in states}

    def kill():
        """Kill the process that began last, when both have an epoch of their first run."""
        until(lambda: sum(map(bool, epochs().values())) == 2)
        kept.update(epochs())
        os.kill(int(notes.read_text().split()[-1]), signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with preload(SLOW.format(notes=str(notes))):
        reports = run_all(resolve(table, replace(options, jobs=2, results=out)), systems)
    killer.join()
    assert same(reports) == same(alone)
    assert [report.content["versions"]["threads"] for report in reports] == 4 * [threads]
    assert arguments["n_workers"] == 2 and arguments["memory_limit"] == MEMORY_LIMIT // 2
    trained = [line.rsplit(" ", 1)[0] for line in notes.read_text().splitlines()]
    assert len(trained) == 3  # two networks, and one of them again
    assert set(trained) == {f"FNN seed {seed} {threads}" for seed in (0, 1)}
    for report in reports[:2]:
        assert report.content["history"][0] == kept[report.link.split("/")[2]][0]
    printed = capsys.readouterr().err
    assert printed.count("its worker was lost; another one resumes from the last checkpoint") == 1
    assert "4/4" in printed and "left]" not in printed and "Traceback" not in printed
    assert not multiprocessing.active_children() and runtime.threads() == 2 * threads


def test_a_cluster_does_the_remaining_runs_and_reports_failures(setting, tmp_path, monkeypatch, capsys):
    """Another process has the run at first, and the worker waits for it."""
    _, _, options = setting
    words = ["table", "3", "--ut-podcast", str(options.roots["ut_podcast"]), "--no-check-counts"]
    words += ["--profile", "quick", "--data", str(options.data), "--jobs", "1"]
    words, paths = fnn_only(words, tmp_path, monkeypatch)
    execute_all, events = parallel.execute_all, []

    def beside(runs, *rest):
        free = threading.Event()
        holder = threading.Thread(target=hold, args=(runs[0].folder(tmp_path), free))
        holder.start()
        until(lambda: events)
        threading.Timer(2, free.set).start()
        return execute_all(runs, *rest)

    def hold(folder, free):
        with locked(folder, "has this run"):
            events.append("held")
            free.wait(LIMIT)
            events.extend(paths())

    monkeypatch.setattr(parallel, "execute_all", beside)
    with preload(WILD), LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        assert main([*words, "--scheduler", local.scheduler_address]) == 0
    printed, (path,) = capsys.readouterr(), paths()
    fault = json.loads(path.read_text())["fault"]
    assert path.name == "failed.json" and events == ["held"]
    assert f"fold test, seed 0: {fault}." in printed.out and f"FNN: failed: {fault}" in printed.err
    assert "lost" not in printed.err and not list(tmp_path.glob("Tones/.*.tmp"))


def test_a_cluster_without_the_program_is_refused(setting):
    """Its workers would end one after the other, and the command would wait for ever."""
    table, systems, options = setting
    options = replace(options, assume=["epochs=2"])
    without = preload("import sys\nsys.modules['reproduce'] = None\n")
    with without, LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        with pytest.raises(Faults, match="lacks the program .*: start workers in this folder, with `OMP_NUM"):
            run_all(resolve(table, replace(options, scheduler=local.scheduler_address)), systems)


@pytest.mark.skipif("mxnet-cu112" in runtime.versions(), reason="GPUs need the engine's own threads")
def test_processes_have_the_engine_of_their_own_threads():
    program = (
        "import os, freqcnn_gluon; from reproduce.runs import parallel\n"
        "from reproduce.options import Options\n"
        "from reproduce.runs.resolve import resolve\n"
        "from reproduce.tables import TABLES\n"
        "job = resolve(TABLES[3], Options({}, jobs=2, device='cpu'))\n"
        "here = os.environ['MXNET_ENGINE_TYPE']\n"
        "with parallel._cluster(2, job) as (client, _):\n"
        "    found = client.run(os.getenv, 'MXNET_ENGINE_TYPE')\n"
        "print(here, os.environ['MXNET_ENGINE_TYPE'], *found.values())"
    )
    usual = {name: item for name, item in os.environ.items() if name not in runtime.SEVERAL_CORES}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=usual | {"OMP_NUM_THREADS": "2"},
        text=True,
        capture_output=True,
        timeout=LIMIT,
    )
    assert done.stdout == "NaiveEngine NaiveEngine None None\n", done.stderr


def test_finished_runs_need_no_cluster(setting, alone):
    table, systems, options = setting
    assert same(run_all(resolve(table, replace(options, scheduler="tcp://127.0.0.1:1")), systems)) == same(
        alone
    )


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"assume": ["epochs=2"], "scheduler": "head"}, "no Dask scheduler answers at head"),
        ({"scheduler": "tcp://head:8786"}, "HOSTS divides every batch and SCHEDULER divides the runs"),
        ({"assume": ["epochs=2"], "jobs": 3, "device": "cpu:0,1"}, "2 devices .* among 3 runs at a time"),
    ],
)
def test_runs_that_cannot_be_shared_out_are_refused(setting, monkeypatch, change, fault):
    table, systems, options = setting
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    if "HOSTS" in fault:
        monkeypatch.setattr(workers, "join", lambda: SimpleNamespace(count=2, rank=0))
    with pytest.raises(Faults, match=fault):
        run_all(resolve(table, replace(options, **change)), systems)


def test_runs_without_enough_memory_do_not_begin(setting, monkeypatch):
    table, systems, options = setting
    options = replace(options, assume=["epochs=2"], jobs=2, results=options.results / "never")
    net = build("fnn", 3, SIZE)
    fixed, item = training_bytes(net, SIZE)
    needed = fixed + item * micro_batch(net, SIZE, resolve(table, options).sizes.batch_size)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr(parallel, "_cluster", lambda *arguments: pytest.fail("a run began"))
    monkeypatch.setattr(sharing, "_memory", lambda: 2 * needed - 2)
    with pytest.raises(Faults, match="^FNN seed . takes about .* GB of memory, .*: give JOBS=1$"):
        run_all(resolve(table, options), systems)
    monkeypatch.setattr(sharing, "_memory", lambda: 2 * needed)
    with pytest.raises(pytest.fail.Exception, match="a run began"):
        run_all(resolve(table, options), systems)


@pytest.mark.parametrize(
    ("numbers", "jobs", "spare", "fault"),
    [
        ([0], 2, 0, None),
        ([0], 2, -1000, "give JOBS=1$"),
        ([0, 1], 4, 0, None),
        ([0, 1], 4, -1000, "give JOBS=2$"),
        ([0, 1], 2, -1000, None),
    ],
)
def test_runs_that_share_a_gpu_fit_into_its_memory(setting, monkeypatch, numbers, jobs, spare, fault):
    """With GPUs on which two runs fit exactly, or almost."""
    table, systems, options = setting
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    options = replace(options, assume=["epochs=2"], jobs=jobs, results=options.results / "never")
    fixed, item = memory.gpu_bytes(build("fnn", 3, SIZE), SIZE)
    one = fixed + item * resolve(table, options).sizes.batch_size + memory.CONTEXT
    cards = [devices.Gpu(number, "Card", (7, 5), 2 * one + memory.SPARE + spare) for number in numbers]
    for module in (memory, sharing):
        monkeypatch.setattr(module, "gpus", lambda: cards)
    for module in (sharing, devices):
        monkeypatch.setattr(module, "choose", lambda device: ("gpu", numbers))
    monkeypatch.setattr(runtime, "contexts", lambda device: [mx.gpu(number) for number in numbers])
    monkeypatch.setattr(sharing, "_needed_by", sharing._needed_by.__wrapped__)  # keep nothing for other tests
    monkeypatch.setattr(parallel, "_cluster", lambda *arguments: pytest.fail("a run began"))
    with pytest.raises(Faults if fault else pytest.fail.Exception, match=fault or "a run began"):
        run_all(resolve(table, options), systems)


def test_a_worker_with_another_setup_raises_faults(setting, alone, tmp_path, monkeypatch):
    """The worker's function is called here, in place of a worker."""
    table, systems, options = setting
    corpus = prepared(options)
    (run, *_) = runs_of(resolve(table, options), systems, corpus.source, corpus.fingerprint())
    worker = SimpleNamespace(address="tcp://there:1", name=0, state=SimpleNamespace(nthreads=1))
    worker.log_event = lambda *arguments: None
    monkeypatch.setattr(parallel, "get_worker", lambda: worker)

    def executed(run=run, store=corpus.store.folder):
        place = parallel._place(corpus, resolve(table, options), {}, "topic")
        return parallel._execute(run, "FNN", replace(place, store=store), True)

    with pytest.raises(
        Faults, match="is not the same folder for the worker tcp://there:1: every worker needs"
    ):
        executed()
    (options.results / "Tones/.topic.tmp").touch()
    with pytest.raises(Faults, match="the store does not exist.* .on the worker tcp://there:1"):
        executed(store=tmp_path)
    with pytest.raises(Faults, match="holds other images for the worker tcp://there:1"):
        executed(run=replace(run, data="0" * 64))
    assert executed() == alone[0].content
    worker.state.nthreads = 4
    with pytest.raises(Faults, match="takes 4 runs at a time, .* start it with --nthreads 1"):
        executed()


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
    assert sharing.shares(jobs, device) == wanted


def test_a_cpu_executes_as_many_runs_at_a_time_as_it_has_cores_and_memory(setting, monkeypatch):
    table, systems, options = setting
    corpus, job = prepared(options), resolve(table, replace(options, jobs=None))
    runs = runs_of(job, systems, corpus.source, corpus.fingerprint())
    networks = [run for run in runs if run.system == "fnn"]
    needed = sharing._needed(networks[0], 1, corpus, job.device)
    assert len(networks) == 2 and len(runs) == 4

    def count(cores=8, memory=100.0, runs=2 * networks, **change):
        monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
        monkeypatch.setattr(sharing, "_memory", lambda: memory * needed)
        return sharing.at_once(runs, corpus, replace(job, **change))

    assert count() == 4 and count(cores=2) == 2 and count(cores=1) == 1 and count(runs=networks[:1]) == 1
    assert count(runs=runs) == 2  # i-vectors take seconds
    assert count(memory=3.5) == 3 and count(memory=0.5) == 1
    assert count(processes=1) == 1 and count(processes=6, memory=0.5) == 6  # as JOBS says
    assert count(device="cpu:0,1") == 1  # each batch is divided among the devices
    monkeypatch.setattr(sharing, "choose", lambda device: ("gpu", [0]))
    assert count() == 1


def test_without_jobs_a_table_runs_in_parallel_with_the_results_of_single_runs(
    setting, alone, tmp_path, monkeypatch
):
    table, systems, options = setting
    threads, given = runtime.threads(), []
    monkeypatch.setenv("OMP_NUM_THREADS", str(2 * threads))
    arguments = replace(options, jobs=None, device="cpu", results=tmp_path / "results")
    monkeypatch.setattr(
        parallel, "LocalCluster", lambda **words: given.append(words) or LocalCluster(**words)
    )
    monkeypatch.setattr(sharing, "_memory", lambda: 10**12)
    reports = run_all(resolve(table, arguments), systems)
    assert [words["n_workers"] for words in given] == [2]
    assert same(reports) == same(alone)


def test_the_bar_shows_the_epochs_of_the_last_checkpoints(setting, alone, tmp_path):
    table, systems, options = setting
    corpus, job = prepared(options), resolve(table, options)
    run, *_ = runs_of(job, systems, corpus.source, corpus.fingerprint())
    client = SimpleNamespace(subscribe_topic=lambda *arguments: None)
    bar = parallel._Bar(client, 1, {0: (run, "FNN")}, tmp_path)
    assert bar._epochs("FNN") == "FNN"
    shutil.copytree(run.folder(options.results), run.folder(tmp_path))
    epochs = run.choices["training"]["epochs"]
    assert bar._epochs("FNN") == f"FNN: epoch {epochs} of {epochs}"
