"""Time candidates side by side: each in its own process, in turns, one computing at a time.

MXNet and PyTorch each bring an OpenMP runtime whose threads wait actively, and in one process they would take
the cores from each other. So each candidate is a worker process (``worker.py``), and the parent calls one
after the other, round after round. Other programs thus disturb all candidates equally, and the two medians of
a ratio come from the same run.
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
SECONDS = 60.0  # PyTorch's steps became faster during the first minute
PAUSE = 0.3  # seconds for which a runtime's threads may wait actively after their work


class Worker:
    """A candidate in its own process.

    Args:
        name: Class of the candidate as 'module:class'.
        threads: Number of threads that the process may use.
        arguments: Arguments of the class.

    Raises:
        Faults: If the process dies.
    """

    def __init__(self, name: str, threads: int, **arguments):
        self.name = name
        # Without the variables that this process has set for MXNet: our own candidate sets them again.
        inherited = {
            variable: value for variable, value in os.environ.items() if variable not in runtime.set_here
        }
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

    # Read late, so that several candidates can start at the same time.
    @functools.cached_property
    def _start(self) -> dict:
        return self._answer()

    @property
    def missing(self) -> str | None:
        """Why the candidate cannot run here, or None."""
        return self._start.get("missing")

    @property
    def versions(self) -> dict[str, str]:
        return self._start.get("versions", {})

    def ask(self, what: str, **arguments):
        """Call the candidate's method ``what`` and return its answer.

        'run' returns the seconds that it took. 'peak' returns the largest memory in bytes since the start or
        since the last 'forget'.
        """
        self._start  # noqa: B018  the first line that the process writes is not an answer to this call
        self.process.stdin.write(json.dumps([what, arguments]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise Faults(f"{self.name} ended with exit code {code} before it answered; see its output above")
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
    """Return the seconds of each worker's ``run``: all ``times`` and their ``median``, by the worker's name.

    Rounds in the first ``seconds`` after the first round do not count, because programs compile and allocate
    memory then. Each round begins with the next worker.

    Args:
        workers: The candidates by name.
        title: Title of the progress bar.
        rounds: The least number of rounds.
        seconds: Duration of the warm-up, and the least duration of the measurement. Short runs need many
            rounds, because small disturbances affect them.
        pause: Seconds between two candidates.
    """
    times: dict[str, list[float]] = {name: [] for name in workers}
    names, until = deque(workers), math.inf

    def go_round() -> dict[str, float]:
        seconds_of = {}
        for name in names:
            seconds_of[name] = workers[name].ask("run")
            time.sleep(pause)
        names.rotate(-1)
        return seconds_of

    with Bar(total=rounds, desc=f"{title}, warming up", unit="round", leave=False) as bar:
        while time.perf_counter() < until:
            go_round()
            until = min(until, time.perf_counter() + seconds)
        bar.set_description(title)
        until = time.perf_counter() + seconds
        while bar.n < rounds or time.perf_counter() < until:
            for name, duration in go_round().items():
                times[name].append(duration)
            bar.total = max(bar.total, bar.n + 1)
            bar.update()
    return {name: {"median": statistics.median(series), "times": series} for name, series in times.items()}
