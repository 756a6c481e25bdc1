"""A pool of processes for work on many clips. The processes end with the one that started them."""

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
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from data_prep.base.cores import processors
from data_prep.base.faults import Faults
from data_prep.base.files import naming

__all__ = ["interrupts_held", "pool"]

TASK = 0.05  # s, the target length of a task; handing one over costs 1 ms, or 2 ms if images come back
MOST = 16  # items in a task at most, because the results of all running tasks are held in memory
KEPT = {-1: 2**27, -3: 2**25}  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block: during a fork Python may lose it or pass it to the child."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _initialise() -> None:
    """Prepare a process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone reports Ctrl-C
    # Consecutive clips need arrays of the same size. Keep freed memory for the next one: getting it from the
    # system page by page takes as long as computing a spectrogram.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, threshold in KEPT.items():
            mallopt(option, threshold)

    def exit_with_parent() -> None:
        # Otherwise the processes of a killed parent would wait for ever, holding the locks they inherited.
        parent = multiprocessing.parent_process()
        assert parent is not None
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def _run(function: Callable, items: Sequence) -> tuple[float, list, Faults | None]:
    """Apply ``function`` to the items, up to the first fault. Return seconds per item, results and fault."""
    began, results, fault = time.perf_counter(), [], None
    try:
        for item in items:
            results.append(function(item))
    except Faults as faults:
        fault = faults
    return (time.perf_counter() - began) / len(items), results, fault


@contextlib.contextmanager
def pool(jobs: int | None, items: int | None = None) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Start a pool of processes, and yield ``stream(function, items)``, which yields the results in order.

    Short items go to a process several at a time, and few tasks run at once, so that memory stays flat.

    Args:
        jobs: The number of processes; None for one per processor.
        items: The number of items, if known. All processes start with the first task, but never more than
            there are items.

    Raises:
        Faults: ``jobs`` is less than 1, ``function`` raised Faults, or a process was killed.
    """
    if jobs is None:
        jobs = processors()
    if jobs < 1:
        raise Faults(f"the number of jobs is {jobs}; it must be at least 1")
    if items is not None:
        jobs = min(jobs, max(1, items))
    with naming(Path("/dev/shm")):  # the system keeps the locks that the processes share there
        executor = ProcessPoolExecutor(jobs, initializer=_initialise)

    def stream(function: Callable, items: Iterable) -> Iterator:
        running: deque[Future] = deque()
        remaining, size = iter(items), 1
        while (task := list(itertools.islice(remaining, size))) or running:
            if task:
                with interrupts_held():
                    running.append(executor.submit(_run, function, task))
            if len(running) == 4 * jobs or not task:
                seconds, results, fault = running.popleft().result()
                yield from results
                if fault:
                    raise fault
                size = max(1, min(MOST, int(TASK / max(seconds, 1e-9))))

    try:
        yield stream
    except (BrokenProcessPool, MemoryError):
        raise Faults(
            "a process was killed, most likely for lack of memory; run again with fewer jobs"
        ) from None
    finally:
        executor.shutdown(cancel_futures=True)
