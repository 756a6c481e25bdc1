"""How the runs of a table share this machine: runs at a time, and their cores, devices and memory."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import choose, gpus
from reproduce.corpora import Corpus
from reproduce.peers import PEERS
from reproduce.runs.resolve import Job
from reproduce.runs.run import Run

__all__ = ["at_once", "check_memory", "shares"]


def at_once(runs: Sequence[Run], corpus: Corpus, job: Job) -> int:
    """Return how many runs of a table to execute at a time on this machine.

    It is JOBS, if that is given. Otherwise it is one on a GPU. On a CPU it is as many as there are cores and
    as fit into the memory, because two small networks that train on a core each take less time than one
    after the other on both cores. The number does not depend on what is finished, so that every run of a
    table has the same number of threads although the table was interrupted.

    Args:
        runs: All runs of the table.
        corpus: Their corpus.
        job: The resolved table.
    """
    if job.processes:
        return job.processes
    kind, numbers = choose(job.device)
    if kind != "cpu" or len(numbers) > 1 or runtime.threads() == 1:
        return 1
    # Only networks count, because the other systems take seconds.
    needed = [_needed(run, 1, corpus, job.device) for run in runs if run.system not in PEERS]
    fitting = int(_memory() / max(needed)) if len(needed) > 1 else 1
    return max(1, min(runtime.threads(), len(needed), fitting))


def shares(jobs: int, device: str) -> tuple[list[str], int]:
    """Share out devices and threads among parallel runs.

    Args:
        jobs: Number of parallel runs. On the CPU there are never more than threads.
        device: All devices, as ``devices.choose`` takes them.

    Returns:
        The device of each run, and the number of threads that each may use.

    Raises:
        Faults: The devices cannot be shared out evenly.
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
    devices = [f"{kind}:{','.join(map(str, share))}" for share in own]
    return devices, max(1, runtime.threads() // jobs)


def check_memory(runs: Mapping[str, Run], corpus: Corpus, job: Job) -> None:
    """Raise Faults if a run, given by its title, needs more than its share of the memory of CPU or GPU.

    Dask would kill a process that takes more than its share on the CPU, and on a GPU none could start.
    """
    from freqcnn_gluon.training.memory import CONTEXT, SPARE

    kind, numbers = choose(job.device)
    count = len(shares(job.processes or 1, job.device)[0])
    context, places = 0.0, 1  # the runs are distributed between the places
    if kind == "gpu":
        memory = min(gpu.memory for gpu in gpus() if gpu.number in numbers) - SPARE
        context, places = CONTEXT, len(numbers)
    else:
        memory = _memory()
    share = memory / -(-count // places)
    each = max(1, places // count)
    needed = {
        title: context + _needed(run, each, corpus, job.device)
        for title, run in runs.items()
        if run.system not in PEERS
    }
    title = max(needed, key=needed.__getitem__, default=None)
    if title and needed[title] > share:
        raise Faults(
            f"{title} takes about {needed[title] / 1e9:.1f} GB of memory, and each parallel run has "
            f"{share / 1e9:.1f} GB here: give JOBS={places * max(1, int(memory / needed[title]))}"
        )


def _memory() -> float:
    """Return the memory in bytes that Dask divides among its workers."""
    from distributed.system import MEMORY_LIMIT  # importing Dask takes a while

    return MEMORY_LIMIT


def _needed(run: Run, devices: int, corpus: Corpus, device: str) -> int:
    """Return the bytes that the training of a Gluon network needs on each of ``devices`` devices."""
    size, batch_size = run.network_sizes()
    arguments, memory = json.dumps(run.choices["network"]), run.choices["training"]["memory"]
    share = -(-batch_size // devices)
    return _needed_by(run.system, len(corpus.split.labels), size, share, arguments, memory, device)


@functools.cache  # folds and seeds train the same network
def _needed_by(
    system: str, classes: int, size: int, share: int, arguments: str, memory: float, device: str
) -> int:
    """Return the bytes that a training needs; ``arguments`` are the network's, as JSON."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.memory import needed_bytes

    net = build(system, classes, size, **json.loads(arguments))
    return needed_bytes(net, size, share, memory, runtime.contexts(device))
