"""Several runs at a time: in processes on this machine, or in the workers of a Dask cluster.

Each goes through ``runs.execute`` with its lock, so that it is done once whoever else is about it, and a run
whose worker is lost is given to another, which goes on from the checkpoint.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import pkgutil
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import dask
from distributed import Client, KilledWorker, LocalCluster, get_worker
from distributed.system import MEMORY_LIMIT

from data_prep.base.faults import Faults
from data_prep.base.files import alive
from data_prep.base.processes import interrupts_held
from data_prep.base.progress import Bar
from data_prep.store import Store
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import choose
from reproduce.corpora import Corpus
from reproduce.peers import PEERS, peer
from reproduce.peers.features import extract
from reproduce.runs.execute import execute
from reproduce.runs.report import done
from reproduce.runs.run import Run

if TYPE_CHECKING:
    from reproduce.options import Options

__all__ = ["execute_all", "shares"]

WORKER = "OMP_NUM_THREADS=8 .venv/bin/python -m dask worker {} --nthreads 1 --memory-limit 0"
SETTINGS = {
    "distributed.nanny.pre-spawn-environ": {},  # its one thread for each library: see _environment
    "distributed.scheduler.worker-saturation": 1.0,  # a worker has one run, and none in wait
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    # MXNet keeps what it once had: a worker that paused for it would never go on.
    "distributed.worker.memory.pause": False,
}


def shares(jobs: int, device: str) -> tuple[list[str], int]:
    """The device of each of ``jobs`` runs that go at a time, as ``devices.choose`` takes it, and the threads
    that each may have. On the CPU there are never more runs than threads.

    Raises Faults where devices cannot be shared out evenly.
    """
    kind, numbers = choose(device)
    if kind == "cpu":
        jobs = min(jobs, runtime.threads())
    if jobs % len(numbers) and len(numbers) % jobs:
        raise Faults(
            f"{len(numbers)} devices ({device}) cannot be shared out evenly among {jobs} runs at a time: "
            "give as many JOBS as devices, or a multiple"
        )
    own = [numbers[job % len(numbers) :: jobs] for job in range(jobs)]
    devices = [f"{kind}:{','.join(map(str, each))}" for each in own]
    return devices, max(1, runtime.threads() // jobs)


def execute_all(runs: Sequence[Run], titles: Sequence[str], corpus: Corpus, options: Options) -> list[dict]:
    """What ``runs.execute`` returns of each of the ``runs``; the ``titles`` say on the progress bar which
    are running.

    Raises Faults for a scheduler that is not there, workers that do not see this machine's folders, more
    runs at a time than there is memory for, and a run that ends its process again and again.
    """
    found = [done(run, options.results) for run in runs]
    left = [number for number, content in enumerate(found) if content is None]
    if not left:
        return found
    if not options.scheduler and choose(options.device)[0] == "cpu":
        _check_memory({titles[number]: runs[number] for number in left}, len(corpus.labels), options)
    for system in dict.fromkeys(runs[number].system for number in left):
        if system in PEERS:  # a worker is a daemon, which may have no processes of its own
            extract(peer(system).features, corpus, options.jobs)
    with _cluster(len(left), options) as (client, devices), _Bar(client, len(runs), len(left)) as bar:
        given = corpus.store.folder.resolve(), replace(corpus, store=None, folder=corpus.folder.resolve())
        results = options.results.resolve()

        def hand_out(number: int, wait: bool):
            asked = (runs[number], titles[number], *given, results, devices, options.device, bar.topic, wait)
            return client.submit(_execute, *asked, pure=False)

        sign = _sign(results, corpus, bar.topic)
        sign.parent.mkdir(parents=True, exist_ok=True)
        with alive(sign):
            try:
                under_way = {hand_out(number, wait=False): number for number in left}
                while under_way:
                    time.sleep(0.2)
                    bar.refresh()
                    for future in [each for each in under_way if each.done()]:
                        number = under_way.pop(future)
                        found[number] = content = _result(future, titles[number], options)
                        bar.ended(titles[number], content)
                        if content is None:  # another process has it: left for the end, and waited for then
                            under_way[hand_out(number, wait=True)] = number
            finally:
                sign.unlink()
    return found


def _check_memory(runs: Mapping[str, Run], classes: int, options: Options) -> None:
    """Raise Faults if a run, by its title, takes more than its share, for which Dask would kill it."""
    share = MEMORY_LIMIT / len(shares(options.jobs, options.device)[0])
    needed = {
        title: _needed(run.system, classes, run.size, run.batch_size, json.dumps(run.choices["network"]))
        for title, run in runs.items()
        if run.system not in PEERS
    }
    title = max(needed, key=needed.__getitem__, default=None)
    if title and needed[title] > share:
        raise Faults(
            f"{title} takes about {needed[title] / 1e9:.1f} GB of memory, and each of so many runs at a time "
            f"has {share / 1e9:.1f} GB here: give JOBS={max(1, int(MEMORY_LIMIT / needed[title]))}"
        )


@functools.cache  # folds and seeds train the same network
def _needed(system: str, classes: int, size: int, batch_size: int, arguments: str) -> int:
    """Bytes that a training takes; ``arguments``: the network's, as JSON."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.memory import needed_bytes

    return needed_bytes(build(system, classes, size, **json.loads(arguments)), size, batch_size)


def _sign(results: Path, corpus: Corpus, topic: str) -> Path:
    """The file by which a worker knows that its ``results`` are those of who asked."""
    return results / corpus.source / f".{topic}.tmp"


@contextlib.contextmanager
def _cluster(left: int, options: Options) -> Iterator[tuple[Client, dict[int, str]]]:
    """Whom to hand the runs to, and on this machine the device of each worker, by its name."""
    if options.scheduler:
        try:
            client = Client(options.scheduler, timeout=15, set_as_default=False)
        except (OSError, ValueError) as error:
            raise Faults(
                f"no Dask scheduler answers at {options.scheduler} ({error}): start one with "
                f"`.venv/bin/python -m dask scheduler`, and workers in this folder with "
                f"`{WORKER.format('tcp://…')}`"
            ) from None
        with client:
            if not client.nthreads():
                print(
                    f"{options.scheduler} has no workers yet; waiting for them: start them in this folder "
                    f"with `{WORKER.format(options.scheduler)}`",
                    file=sys.stderr,
                )
                client.wait_for_workers(1)
            try:
                client.run(pkgutil.resolve_name, "reproduce.runs.parallel:_execute.__name__")
            except ImportError as error:  # with which a worker would end, and say so to nobody
                raise Faults(
                    f"a worker of {options.scheduler} lacks the program ({error}): start workers in this "
                    f"folder, with `{WORKER.format(options.scheduler)}`"
                ) from None
            yield client, {}
        return
    devices, threads = shares(options.jobs, options.device)
    settings = dask.config.set(SETTINGS)
    environment = _environment({"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"})
    with settings, environment, contextlib.ExitStack() as stack:
        with interrupts_held():  # so are all its threads and processes: Ctrl-C is for this one alone
            cluster = LocalCluster(
                n_workers=min(len(devices), left),
                threads_per_worker=1,
                memory_limit=MEMORY_LIMIT // len(devices),
                dashboard_address=":0",
                silence_logs=logging.CRITICAL,
            )
            stack.enter_context(cluster)
            client = stack.enter_context(Client(cluster, set_as_default=False))
        yield client, dict(enumerate(devices))


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set the ``variables`` for processes that start within, those in the place of lost ones too, and take
    away what is for this one alone.
    """
    changed = {**dict.fromkeys(runtime.SET), **variables}
    before = {name: os.environ.get(name) for name in changed}
    _set(changed)
    try:
        yield
    finally:
        _set(before)


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        os.environ.pop(name, None)
        os.environ.update({name: value} if value is not None else {})


class _Bar:
    """How many runs are done and which are under way."""

    def __init__(self, client: Client, runs: int, left: int):
        self.topic = f"freqcnn-{uuid.uuid4()}.{os.getpid()}"
        self._running: dict[str, None] = {}
        self._bar = Bar(
            desc="runs",
            total=runs,
            initial=runs - left,
            unit="run",
            dynamic_ncols=True,
            smoothing=0,
            mininterval=1,
            miniters=0,  # the time goes on though no run ends
        )
        client.subscribe_topic(self.topic, self._began)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception) -> None:
        self._bar.close()

    def _began(self, event: tuple[float, str]) -> None:
        title = event[1]
        if title in self._running:
            self._bar.write(
                f"{title}: its worker was lost, another goes on from the last checkpoint", file=sys.stderr
            )
        self._running[title] = None

    def ended(self, title: str, content: dict | None) -> None:
        self._running.pop(title, None)
        if content and "fault" in content:
            self._bar.write(f"{title}: failed: {content['fault']}", file=sys.stderr)
        self._bar.update(content is not None)

    def refresh(self) -> None:
        self._bar.set_postfix_str(", ".join(self._running), refresh=False)
        self._bar.update(0)


def _result(future, title: str, options: Options) -> dict | None:
    """The run's content, or what stopped it as Faults."""
    try:
        return future.result()
    except KilledWorker:
        remedy = "give fewer JOBS" if not options.scheduler else "give the workers more memory"
        raise Faults(
            f"{title}: every worker that took it was killed, most likely for want of memory: {remedy}"
        ) from None
    except CancelledError:
        raise Faults(
            f"the scheduler at {options.scheduler} is gone; the same command goes on when it is back"
        ) from None


def _execute(
    run: Run,
    title: str,
    store: Path,
    corpus: Corpus,
    results: Path,
    devices: Mapping[int, str],
    device: str,
    topic: str,
    wait: bool,
) -> dict | None:
    """What a worker does: ``runs.execute`` with the corpus of the folder ``store``.

    Raises Faults if that or the ``results`` are not those of who asked, or if the worker does several things
    at a time: seeds are a process's, not a thread's.
    """
    worker = get_worker()
    if worker.state.nthreads != 1:
        raise Faults(
            f"the worker {worker.address} takes {worker.state.nthreads} runs at a time, which would draw "
            "from one another's random numbers: start it with --nthreads 1"
        )
    shared = "every worker needs DATA and RESULTS at the same place, on storage that they share"
    if not _sign(results, corpus, topic).exists():
        raise Faults(f"{results}: is not the same folder for the worker {worker.address}: {shared}")
    try:
        corpus = replace(corpus, store=Store(store))
        same = corpus.store.fingerprint(corpus.manifest) == run.data
    except (Faults, OSError) as fault:
        raise Faults(f"{fault} (says the worker {worker.address}): {shared}") from None
    if not same:
        raise Faults(f"{store}: holds other images for the worker {worker.address}: {shared}")
    worker.log_event(topic, title)
    Bar.set_lock(threading.RLock())  # its own is a semaphore, which a killed worker would leave behind
    with open(os.devnull, "w") as unseen, contextlib.redirect_stderr(unseen):
        return execute(run, corpus, results, devices.get(worker.name, device), title, 1, wait)
