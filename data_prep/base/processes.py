"""Work on many clips at a time, in processes that end with the one that started them."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from data_prep.base.cores import processors
from data_prep.base.faults import Faults
from data_prep.base.files import naming

__all__ = ["interrupts_held", "pool"]


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back until the end: Python may lose it while it forks, or give it to the child."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


TASK = 0.05  # s that a task of short items is to take: to hand one over takes 1 ms, 2 where images come back
MOST = 16  # items to a task, however short they are: the results of all that are under way are in memory
KEPT = {-1: 2**27, -3: 2**25}  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes


def _as_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent reports Ctrl-C, once
    # The next clip has arrays like the last one's: to take them from the system anew, page by page, is as
    # much work as a spectrogram.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, threshold in KEPT.items():
            mallopt(option, threshold)

    def outlived() -> None:
        # A killed parent would leave its workers waiting for ever, with the lock that they inherited.
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=outlived, daemon=True).start()


def _task(function: Callable, items: Sequence) -> tuple[float, list, Faults | None]:
    """Seconds that an item took, the results, and the fault of the item that has none, if one has."""
    began, found, wrong = time.perf_counter(), [], None
    try:
        for item in items:
            found.append(function(item))
    except Faults as faults:
        wrong = faults
    return (time.perf_counter() - began) / len(items), found, wrong


@contextlib.contextmanager
def pool(jobs: int | None, items: int | None = None) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """A pool of ``jobs`` processes (None: one a core), as ``stream(function, items)``: the results in order.

    They all start with the first task: give the number of ``items``, where it is known, and no more than that
    do. Short work goes to a process several items at a time, and so few are under way that memory stays flat.
    Raises Faults if a process is killed.
    """
    if jobs is None:
        jobs = processors()
    if jobs < 1:
        raise Faults(f"the number of jobs is {jobs}; it must be at least 1")
    if items is not None:
        jobs = min(jobs, max(1, items))
    with naming(Path("/dev/shm")):  # where the system keeps the locks that processes share
        executor = ProcessPoolExecutor(jobs, initializer=_as_worker)

    def stream(function: Callable, items: Iterable) -> Iterator:
        under_way, items, together = deque(), iter(items), 1
        while (task := list(itertools.islice(items, together))) or under_way:
            if task:
                with interrupts_held():
                    under_way.append(executor.submit(_task, function, task))
            if len(under_way) == 4 * jobs or not task:
                seconds, found, wrong = under_way.popleft().result()
                yield from found
                if wrong:
                    raise wrong
                together = max(1, min(MOST, int(TASK / max(seconds, 1e-9))))

    try:
        yield stream
    except (BrokenProcessPool, MemoryError):
        raise Faults(
            "a worker process was killed, most likely for want of memory; run again with fewer jobs"
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)
