"""A pool of processes for work on many clips, and processes for a few long tasks.

The pool does short work in the calling process. It has processes and not threads, because Python runs one
thread at a time: building a store of clips of 1 s took twice as long with two threads as with two processes.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from data_prep.base.cores import processors
from data_prep.base.faults import Faults

__all__ = ["apart", "interrupts_held", "pool"]

# Seconds of work in this process before others start. Starting them takes about as long, because each imports
# numpy, scipy and pandas.
PATIENCE = 1.0
TASK = 0.05  # s, the target length of a task; handing over a task costs 1 ms, or 2 ms if it returns images
MOST = 16  # most items in a task, because the results of all running tasks are held in memory
# A filter for warnings of the processes that remove what a stopped process has left: no news to a user.
UNTRACKED = "ignore:resource_tracker"
KEPT = {-1: 2**27, -3: 2**25}  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, in bytes


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block. Processes and threads that start in the block never get it."""
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def _initialise(parent: int) -> None:
    """Prepare a process of the pool that the process ``parent`` starts."""
    # Consecutive clips need arrays of the same size. So keep freed memory for the next clip, because getting
    # it from the system page by page takes as long as computing a spectrogram.
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        for option, threshold in KEPT.items():
            mallopt(option, threshold)

    def exit_with_parent() -> None:
        # Otherwise the processes of a killed parent would wait for their next task for ever.
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def _run(function: Callable, items: Sequence) -> tuple[float, list, Faults | MemoryError | None]:
    """Apply ``function`` to the items, up to the first fault. Return seconds per item, results and fault."""
    began = time.perf_counter()
    results: list = []
    fault: Faults | MemoryError | None = None
    try:
        for item in items:
            results.append(function(item))
    except (Faults, MemoryError) as error:
        fault = error
    return (time.perf_counter() - began) / len(items), results, fault


@contextlib.contextmanager
def pool(jobs: int | None, items: int | None = None) -> Iterator[Callable[[Callable, Iterable], Iterator]]:
    """Yield ``stream(function, items)``, which yields the results in order.

    The first second of work is done in this process. If items remain, processes start. They do not run the
    caller's main module, so the pool works in scripts without an ``if __name__ == "__main__"``. They need no
    lock that a thread of this process may hold. They end when this process ends, even if it is killed.

    All work is done in this process if ``jobs`` is 1, if this process may not have children (a daemon of
    ``multiprocessing``), or if the system has no semaphores (AWS Lambda).

    Several short items form one task, and few tasks run at once, so that memory use stays constant.

    Args:
        jobs: The number of processes; None for one per processor.
        items: The number of items, if known. There are never more processes than items.

    Raises:
        Faults: ``jobs`` is less than 1, ``function`` raised Faults or MemoryError, or a process was killed.
    """
    if jobs is None:
        jobs = processors()
    if jobs < 1:
        raise Faults(f"the number of jobs is {jobs}; it must be at least 1")
    if items is not None:
        jobs = min(jobs, max(1, items))
    executor: Any = None
    alone = jobs == 1 or multiprocessing.current_process().daemon
    waiting: list[deque] = []

    def stream(function: Callable, items: Iterable) -> Iterator:
        nonlocal executor, alone
        remaining, spent, seconds = iter(items), 0.0, TASK
        for item in remaining:
            if executor is None and not alone and spent >= PATIENCE:
                executor = _start(jobs)
                alone = executor is None
            if executor:
                waiting.append(deque())
                rest = itertools.chain([item], remaining)
                yield from _distribute(executor, jobs, function, rest, _together(seconds), waiting[-1])
                return
            seconds, results, fault = _run(function, [item])
            spent += seconds
            yield from results
            _raise(fault, 1)

    try:
        yield stream
    finally:
        for future in itertools.chain(*waiting):
            future.cancel()
        if executor:
            executor.shutdown()


def apart(
    function: Callable, items: Sequence, jobs: int, callback: Callable[[], object] = lambda: None
) -> list:
    """Apply ``function`` to a few items in other processes, for resumable tasks of a minute or more.

    Unlike with ``pool``, no task is done in this process, so all run in the environment variables that are
    set when this is called. After an exception here, such as Ctrl-C, the processes are killed at once.

    The tasks are done in this process if it may not have children, or if the system has no semaphores.

    Args:
        function: The function. It and the items can be pickled.
        items: The items.
        jobs: The largest number of processes.
        callback: Called in this process after each task that succeeded.

    Returns:
        The results, in the order of the items.

    Raises:
        Faults: All faults that ``function`` raised, after all tasks have ended; or a process was killed.
    """
    jobs = min(jobs, max(1, len(items)))
    executor = None if multiprocessing.current_process().daemon else _start(jobs)
    ended = _in_turn(function, items) if executor is None else _at_once(executor, jobs, function, items)
    results: list = [None] * len(items)
    faults: dict[int, list[str]] = {}
    try:
        for place, (_, values, fault) in ended:
            if isinstance(fault, Faults):
                faults[place] = fault.faults
                continue
            _raise(fault, jobs)
            results[place] = values[0]
            callback()
    except BaseException:
        if executor:
            executor.shutdown(kill_workers=True)
        raise
    if executor:
        executor.shutdown()
    if faults:
        raise Faults(dict.fromkeys(itertools.chain(*(faults[place] for place in sorted(faults)))))
    return results


def _in_turn(function: Callable, items: Iterable) -> Iterator[tuple[int, tuple]]:
    """Yield the place and the result of ``_run`` of each item, in order."""
    for place, item in enumerate(items):
        yield place, _run(function, [item])


def _at_once(executor: Any, jobs: int, function: Callable, items: Iterable) -> Iterator[tuple[int, tuple]]:
    """Yield the place and the result of ``_run`` of each item, as they end."""
    from joblib.externals.loky import BrokenProcessPool, wait

    waiting = enumerate(items)
    running: dict[Any, int] = {}
    while True:
        # No more tasks than processes are submitted, because loky can kill its processes only while no task
        # is waiting: its thread fails when it does not find a waiting task.
        for place, item in itertools.islice(waiting, jobs - len(running)):
            with interrupts_held():
                running[executor.submit(_run, function, [item])] = place
        if not running:
            return
        done, _ = wait(running, return_when="FIRST_COMPLETED")
        for future in done:
            try:
                yield running.pop(future), future.result()
            except BrokenProcessPool as error:
                raise _ended(error, "run again to resume") from None


def _start(jobs: int) -> Any:
    """Return an executor for ``jobs`` processes, or None if the system has no semaphores."""
    # joblib contains the package loky. joblib.Parallel would not limit the number of waiting results.
    from multiprocessing import resource_tracker

    from joblib.externals import loky
    from joblib.externals.loky.backend import resource_tracker as tracker_of_loky

    try:
        # Both trackers unblock Ctrl-C in the thread that starts them, so they start before it is blocked.
        # They inherit the options for warnings.
        sys.warnoptions.append(UNTRACKED)
        try:
            for tracker in (resource_tracker, tracker_of_loky):
                tracker.ensure_running()
        finally:
            sys.warnoptions.remove(UNTRACKED)
        return loky.ProcessPoolExecutor(jobs, initializer=_initialise, initargs=(os.getpid(),))
    except (OSError, ImportError, NotImplementedError):
        return None


def _distribute(
    executor: Any, jobs: int, function: Callable, items: Iterator, size: int, running: deque
) -> Iterator:
    """Yield the results in order. The first tasks have ``size`` items; ``running`` holds the tasks."""
    from joblib.externals.loky import BrokenProcessPool

    try:
        while (task := list(itertools.islice(items, size))) or running:
            if task:
                with interrupts_held():
                    running.append(executor.submit(_run, function, task))
            if len(running) == 4 * jobs or not task:
                seconds, results, fault = running.popleft().result()
                yield from results
                _raise(fault, jobs)
                size = _together(seconds)
    except BrokenProcessPool as error:
        raise _ended(error, "run again with one job to see at which file") from None


def _ended(error: Exception, remedy: str) -> Faults:
    """Return the fault for processes that ended early, from loky's error."""
    ends = re.findall(r"SIG[A-Z]+|EXIT\(\d+\)", str(error))
    if ends == ["SIGKILL"] * len(ends):
        return Faults("a process was killed, most likely for lack of memory; run again with fewer jobs")
    return Faults(f"a process ended early ({', '.join(dict.fromkeys(ends))}); {remedy}")


def _together(seconds: float) -> int:
    """Return the number of items in a task if one takes ``seconds``."""
    return max(1, min(MOST, int(TASK / max(seconds, 1e-9))))


def _raise(fault: Faults | MemoryError | None, jobs: int) -> None:
    """Raise the fault of a task, if any."""
    if isinstance(fault, MemoryError):
        remedy = (
            "run again with fewer jobs" if jobs > 1 else "close other programs, or use shorter recordings"
        )
        raise Faults(f"there is not enough memory for {jobs} job{'s' * (jobs > 1)}; {remedy}")
    if fault:
        raise fault
