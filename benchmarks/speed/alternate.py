"""Candidates timed side by side: each in its own process, in turns, one computing at a time.

MXNet and PyTorch bring an OpenMP runtime each, whose threads wait for work busily; in one process they
would take the cores from each other. So each candidate is a worker process (``worker.py``), and the parent
asks one after the other, round after round: what disturbs the machine disturbs all of them alike, and a
ratio of medians is of one run.
"""

from __future__ import annotations

import functools
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from data_prep.base.faults import Faults
from data_prep.base.progress import Bar
from freqcnn_gluon import runtime

WORKER = Path(__file__).with_name("worker.py")
SECONDS = 60.0  # so long PyTorch's steps went on becoming faster
PAUSE = 0.3  # s; what a runtime's threads may go on spinning after their work


class Worker:
    """The candidate ``name``, 'module:class', made with ``arguments`` in a process with ``threads`` threads.

    ``missing`` says what it lacks where it cannot be imported. Raises Faults when the process dies.
    """

    def __init__(self, name: str, threads: int, **arguments):
        self.name = name
        # What this process has set for MXNet is nothing for the others; ours sets it again.
        inherited = {each: value for each, value in os.environ.items() if each not in runtime.SET}
        environment = inherited | {
            "OMP_NUM_THREADS": str(threads),
            "MKL_NUM_THREADS": str(threads),
            "NUMBA_NUM_THREADS": str(threads),
            "PYTHONHASHSEED": "0",
        }
        self.process = subprocess.Popen(
            [sys.executable, WORKER, name, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    # Asked for late, so that several candidates are made at a time.
    @functools.cached_property
    def _made(self) -> dict:
        return self._answer()

    @property
    def missing(self) -> str | None:
        return self._made.get("missing")

    @property
    def versions(self) -> dict[str, str]:
        return self._made.get("versions", {})

    def ask(self, what: str, **arguments):
        """What the candidate's method ``what`` answers; 'run': the seconds it takes; 'peak': the most bytes
        that it had since it began, or since it was told to 'forget'.
        """
        self._made  # noqa: B018  its first answer is no answer to this
        self.process.stdin.write(json.dumps([what, arguments]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Faults(
                f"{self.name} ended with exit code {code} before it answered; see above for its words"
            )
        return json.loads(line)

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def alternating(
    workers: Mapping[str, Worker], title: str, rounds: int, seconds: float = SECONDS, pause: float = PAUSE
) -> dict[str, dict[str, object]]:
    """Seconds of each worker's ``run``, by its name: the ``median`` of all ``times``.

    There are ``rounds`` at least, and as many as ``seconds`` hold: short runs are disturbed by more than long
    ones. Each begins with the next of the workers. Those until ``seconds`` after the first one do not count:
    in that things are compiled, in the others memory is taken.
    """
    times: dict[str, list[float]] = {name: [] for name in workers}
    names, until = deque(workers), math.inf

    def go_round() -> dict[str, float]:
        found = {}
        for name in names:
            found[name] = workers[name].ask("run")
            time.sleep(pause)
        names.rotate(-1)
        return found

    with Bar(total=rounds, desc=f"{title}, warming up", unit="round", leave=False) as bar:
        while time.perf_counter() < until:
            go_round()
            until = min(until, time.perf_counter() + seconds)
        bar.set_description(title)
        until = time.perf_counter() + seconds
        while bar.n < rounds or time.perf_counter() < until:
            for name, each in go_round().items():
                times[name].append(each)
            bar.total = max(bar.total, bar.n + 1)
            bar.update()
    return {name: {"median": statistics.median(each), "times": each} for name, each in times.items()}
