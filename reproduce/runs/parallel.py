"""Several runs at a time: in processes on this machine, or in the workers of a Dask cluster.

Each run goes through ``runs.execute`` and its lock, so that no run is executed twice. If a worker is lost,
another one takes its run and resumes from the checkpoint.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dask
from distributed import Client, KilledWorker, LocalCluster, get_worker
from distributed.system import MEMORY_LIMIT

from data_prep.base.faults import Faults
from data_prep.base.files import alive
from data_prep.base.processes import interrupts_held
from data_prep.base.progress import Bar
from data_prep.store import Store
from freqcnn_gluon import runtime
from reproduce.corpora import Corpus, Split
from reproduce.peers import PEERS, peer
from reproduce.peers.features import extract
from reproduce.runs.cluster import remote
from reproduce.runs.execute import execute
from reproduce.runs.report import done
from reproduce.runs.resolve import Job
from reproduce.runs.run import Run
from reproduce.runs.sharing import check_memory, shares

__all__ = ["execute_all"]

SETTINGS = {
    # Dask would set one thread per library; see runtime.child_environment
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.scheduler.worker-saturation": 1.0,  # a worker has one run and no queue
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    # MXNet never returns memory to the system, so a worker that pauses for memory would pause for ever.
    "distributed.worker.memory.pause": False,
}

EVERY = 2.0  # s between two looks at the checkpoints, at least


@dataclass(frozen=True)
class _Place:
    """Where a worker finds the corpus and the results, and how it reports progress.

    Attributes:
        source: The corpus's source.
        split: The corpus's clips and folds.
        store: The folder of its spectrograms, which are too large to send.
        root, folder: The folders of the ``Corpus``.
        results: The folder of all results.
        devices: The device of each worker of this machine, by the worker's name.
        device: The device of any other worker.
        topic: Name of the events that a worker logs when it begins a run.
    """

    source: str
    split: Split
    store: Path
    root: Path
    folder: Path
    results: Path
    devices: Mapping[int, str]
    device: str
    topic: str

    @property
    def token(self) -> Path:
        """The file that shows a worker that it has the scheduler's results folder."""
        return self.results / self.source / f".{self.topic}.tmp"


def execute_all(runs: Sequence[Run], titles: Sequence[str], corpus: Corpus, job: Job) -> list[dict[str, Any]]:
    """Return the report of each of the ``runs``, as ``runs.execute`` does.

    Args:
        runs: The runs, all on one corpus.
        titles: Their names on the progress bar.
        corpus: The corpus.
        job: The resolved table.

    Raises:
        Faults: The scheduler does not answer, a worker does not see this machine's folders, the runs need
            more memory than there is, or a run has ended its process several times.
    """
    contents = {}
    for number, run in enumerate(runs):
        if (content := done(run, job.results)) is not None:
            contents[number] = content
    left = [number for number in range(len(runs)) if number not in contents]
    if left:
        if not job.scheduler:
            check_memory({titles[number]: runs[number] for number in left}, corpus, job)
        for system in dict.fromkeys(runs[number].system for number in left):
            if system in PEERS:  # a worker is a daemon, which cannot start processes of its own
                extract(peer(system).features, corpus, job.processes)
        named = {number: (runs[number], titles[number]) for number in left}
        contents |= _executed(named, corpus, job, len(runs))
    return [contents[number] for number in range(len(runs))]


def _executed(
    left: Mapping[int, tuple[Run, str]], corpus: Corpus, job: Job, total: int
) -> dict[int, dict[str, Any]]:
    """Execute the runs that are left of ``total``, given with their titles by their numbers."""
    contents: dict[int, dict[str, Any]] = {}
    with _cluster(len(left), job) as (client, devices), _Bar(client, total, left, job.results) as bar:
        place = _place(corpus, job, devices, bar.topic)

        def submit(number: int, wait: bool):
            return client.submit(_execute, *left[number], place, wait, pure=False)

        place.token.parent.mkdir(parents=True, exist_ok=True)
        with alive(place.token):
            try:
                under_way = {submit(number, wait=False): number for number in left}
                while under_way:
                    time.sleep(0.2)
                    bar.refresh()
                    for future in [future for future in under_way if future.done()]:
                        number = under_way.pop(future)
                        title = left[number][1]
                        content = _result(future, title, job)
                        bar.ended(title, content)
                        if content is not None:
                            contents[number] = content
                        else:  # another process has it: postpone the run, and wait for it then
                            under_way[submit(number, wait=True)] = number
            finally:
                place.token.unlink()
    return contents


def _place(corpus: Corpus, job: Job, devices: Mapping[int, str], topic: str) -> _Place:
    return _Place(
        corpus.source,
        corpus.split,
        corpus.store.folder.resolve(),
        corpus.root,
        corpus.folder.resolve(),
        job.results.resolve(),
        devices,
        job.device,
        topic,
    )


@contextlib.contextmanager
def _cluster(left: int, job: Job) -> Iterator[tuple[Client, dict[int, str]]]:
    """Yield a client of the cluster, and the device of each worker of this machine by its name."""
    if job.scheduler:
        with remote(job.scheduler, f"{__name__}:_execute.__name__") as client:
            yield client, {}
        return
    devices, threads = shares(job.processes or 1, job.device)
    settings = dask.config.set(SETTINGS)
    environment = runtime.child_environment({"OMP_NUM_THREADS": str(threads), "TQDM_DISABLE": "1"})
    with settings, environment, contextlib.ExitStack() as stack:
        with interrupts_held():  # the cluster's threads and processes inherit this: only we get Ctrl-C
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


class _Bar:
    """A progress bar that shows how many runs are done, which ones are running, and their epochs.

    Args:
        client: A client of the cluster.
        total: The number of runs.
        left: The runs that are not done, with their titles.
        results: The folder of all results.
    """

    def __init__(self, client: Client, total: int, left: Mapping[int, tuple[Run, str]], results: Path):
        self.topic = f"freqcnn-{uuid.uuid4()}.{os.getpid()}"
        self._runs = {title: run for run, title in left.values()}
        self._results, self._looked = results, -math.inf
        self._running: dict[str, None] = {}
        self._bar = Bar(
            desc="runs",
            total=total,
            initial=total - len(left),
            unit="run",
            dynamic_ncols=True,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            mininterval=1,
            miniters=0,  # so that the elapsed time advances although no run ends
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
                f"{title}: its worker was lost; another one resumes from the last checkpoint",
                file=sys.stderr,
            )
        self._running[title] = None

    def ended(self, title: str, content: dict[str, Any] | None) -> None:
        self._running.pop(title, None)
        if content and "fault" in content:
            self._bar.write(f"{title}: failed: {content['fault']}", file=sys.stderr)
        self._bar.update(content is not None)

    def refresh(self) -> None:
        if time.monotonic() >= self._looked + EVERY:
            self._looked = time.monotonic()
            self._bar.set_postfix_str(", ".join(map(self._epochs, [*self._running])), refresh=False)
        self._bar.update(0)

    def _epochs(self, title: str) -> str:
        """Return a running run's title and, from its last checkpoint, how many of its epochs are done."""
        run = self._runs[title]
        try:
            text = (run.folder(self._results) / "checkpoint.json").read_text(encoding="utf-8")
            done = len(json.loads(text)["history"])
            return f"{title}: epoch {done} of {run.choices['training']['epochs']}"
        except (OSError, ValueError, KeyError):  # it has no checkpoint yet, or is no network
            return title


def _result(future, title: str, job: Job) -> dict[str, Any] | None:
    """Return what ``_execute`` returned; raise Faults if its worker or the scheduler was lost."""
    try:
        return future.result()
    except KilledWorker:
        remedy = "give fewer JOBS" if not job.scheduler else "give the workers more memory"
        raise Faults(
            f"{title}: every worker that took it was killed, most likely for lack of memory: {remedy}"
        ) from None
    except CancelledError:
        raise Faults(
            f"the scheduler at {job.scheduler} is gone; the same command resumes when it is back"
        ) from None


def _execute(run: Run, title: str, place: _Place, wait: bool) -> dict[str, Any] | None:
    """Execute a run in a worker, with the ``runs.execute`` of this process.

    Raises:
        Faults: The worker sees other images or results, or it does several runs at a time, which would draw
            from one random number generator since seeds belong to a process.
    """
    worker = get_worker()
    if worker.state.nthreads != 1:
        raise Faults(
            f"the worker {worker.address} takes {worker.state.nthreads} runs at a time, which would draw "
            "from one another's random numbers: start it with --nthreads 1"
        )
    shared = "every worker needs DATA and RESULTS at the same place, on storage that they share"
    if not place.token.exists():
        raise Faults(f"{place.results}: is not the same folder for the worker {worker.address}: {shared}")
    try:
        corpus = Corpus(place.source, place.split, Store(place.store), place.root, place.folder)
        same = corpus.fingerprint() == run.data
    except (Faults, OSError) as fault:
        raise Faults(f"{fault} (on the worker {worker.address}): {shared}") from None
    if not same:
        raise Faults(f"{place.store}: holds other images for the worker {worker.address}: {shared}")
    worker.log_event(place.topic, title)
    Bar.set_lock(threading.RLock())  # tqdm's own lock is a semaphore, which a killed worker would not release
    with open(os.devnull, "w") as unseen, contextlib.redirect_stderr(unseen):
        return execute(
            run, corpus, place.results, place.devices.get(worker.name, place.device), title, 1, wait
        )
