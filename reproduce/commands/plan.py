"""``python -m reproduce plan``: the cost of the tables before anything starts.

It lists runs, hours, memory, disk, and hours on GPUs.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data_prep.base.faults import of_each
from data_prep.base.progress import Bar
from reproduce import markdown as text
from reproduce.assumptions import shared
from reproduce.corpora import CORPORA, counted
from reproduce.options import Options
from reproduce.paper.published import published
from reproduce.peers import PEERS
from reproduce.runs.report import read
from reproduce.runs.resolve import Job, resolve, runs_of
from reproduce.runs.run import Run
from reproduce.sources import STANDIN
from reproduce.tables import Table

if TYPE_CHECKING:
    from freqcnn_gluon.training.cost import Seconds

__all__ = ["plan"]


@dataclass(frozen=True)
class Counts:
    """Clips of a corpus.

    Attributes:
        source: Source of the corpus.
        clips: Number of clips.
        folds: Fold -> number of training clips (with over-sampling) and of test clips.
        classes: Number of classes.
    """

    source: str
    clips: int
    folds: dict[str, tuple[int, int]]
    classes: int


@dataclass(frozen=True)
class Network:
    """The size of a network.

    Attributes:
        scale: Its operations as a multiple of those with the paper's settings, which are timed.
        operations: Floating-point operations of a prediction.
        memory: Memory of a training in bytes.
        weights: Size of the weights in bytes.
    """

    scale: float
    operations: int
    memory: int
    weights: int


@dataclass(frozen=True)
class Cost:
    """The cost of one run. A system that is not a Gluon network has zeros.

    Attributes:
        done: Whether its report exists.
        hours: Hours on this machine.
        operations: Floating-point operations.
        memory: Bytes of memory.
        weights: Bytes of weights.
    """

    done: bool
    hours: float = 0.0
    operations: int = 0
    memory: int = 0
    weights: int = 0


def plan(tables: Sequence[Table], options: Options, kind: str = "V100", gpus: int = 1) -> str:
    """Estimate the cost of tables.

    The hours on this machine are extrapolated from a few samples of each network. The hours on GPUs are
    estimated from counted operations.

    Args:
        tables: Tables of results.
        options: Options of the runs.
        kind: Kind of GPU in ``cost.PEAK``.
        gpus: Number of GPUs.

    Returns:
        A table and its notes as Markdown.

    Raises:
        Faults: a corpus has another layout, or the device does not support the dtype.
    """
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.runtime import check_dtype, versions

    device, devices = choose(options.device)
    check_dtype(options.dtype, device)
    processor = str(versions()["cpu"]) if device == "cpu" else f"GPU {devices[0]}"
    numbers = [table.number for table in tables]
    jobs = [
        resolve(table, replace(options, assume=shared(options.assume, table.number, numbers)))
        for table in tables
    ]
    counts = [_counts(job) for job in jobs]
    planned = [runs_of(job, job.table.systems(), count.source, "") for job, count in zip(jobs, counts)]
    pairs = [(run, count) for runs, count in zip(planned, counts) for run in runs]
    times, finished = _times(pairs, options), _finished(options.results)
    costs = {
        run.folder(Path()): _cost(run, count, times, _key(asdict(run)) in finished, options.device)
        for run, count in pairs
    }
    lines, stores = [], {}
    for job, runs, count in zip(jobs, planned, counts):
        table, size = job.table, job.sizes.size
        stores[table.corpus, size] = 4 * size**2 * count.clips
        own_costs = [costs[folder] for folder in dict.fromkeys(run.folder(Path()) for run in runs)]
        lines.append(_line(str(table.number), own_costs, stores[table.corpus, size], kind, gpus))
    lines.append(_line("total", list(costs.values()), sum(stores.values()), kind, gpus))
    head = ["Table", "Runs", "Runs done", "Hours here", "Memory, GB", "Disk, GB", f"{kind} hours"]
    head.append(f"Hours on {gpus} × {kind}")
    profiles = " and ".join(sorted({job.profile for job in jobs}))
    memory = jobs[0].choices["training"]["memory"]
    notes = [*_notes(processor, options.dtype, kind, gpus, device, memory), *_missing(tables, options)]
    if any(job.choices["image"].get("time_axis") == "windows" for job in jobs):
        notes.append(
            "A clip counts as one image, because its length is not known before its file is read. With "
            "time_axis=windows, hours and disk are as many times higher as a clip has windows on average."
        )
    title = f"## Cost of the tables, profile {profiles}"
    return "\n".join([title, "", *text.table(head, lines), "", *notes])


def _notes(processor: str, dtype: str, kind: str, gpus: int, device: str, memory: float) -> list[str]:
    """Explain the columns of the table; ``device`` is the kind of this machine's device."""
    from freqcnn_gluon.runtime import threads
    from freqcnn_gluon.training.cost import PEAK, SHARE

    return [
        "Hours count the runs that are not done yet. A run that several tables share counts in each of them, "
        "and once in 'total'.",
        f"'Hours here' is an **extrapolation** from a few samples of each network on {processor} "
        f"({dtype}, threads: {threads()}), one run at a time. On a CPU, small runs are faster side by side, "
        "as tables execute them. Ablations are scaled by their number of operations. Systems that are not "
        "Gluon networks (i-vectors, GMM and others) count as runs, but not in hours, memory and disk.",
        f"'{kind} hours' is an **estimate**, nothing was measured. It assumes that the counted "
        f"operations run at {100 * SHARE:.0f} % of {PEAK[kind] / 1e12:g} TFLOP/s. "
        f"'Hours on {gpus} × {kind}' is the time "
        "until all runs are done, with one run at a time on each GPU.",
        f"Memory is that of the largest training{' on each GPU' * (device == 'gpu')}, whose micro-batch is "
        f"limited to fit {memory:g} GB{' and the smallest GPU' * (device == 'gpu')}. "
        "Disk includes the spectrograms, the weights of each run, and one checkpoint while it is written.",
    ]


def _missing(tables: Sequence[Table], options: Options) -> list[str]:
    """Name the corpora for which the plan uses the paper's counts."""
    missing = [CORPORA[table.corpus].title for table in tables if not options.roots.get(table.corpus)]
    if not missing:
        return []
    titles = ", ".join(dict.fromkeys(missing))
    return [f"No folder was given for {titles}: the counts are the paper's. A stand-in has fewer clips."]


def _counts(job: Job) -> Counts:
    """Count the clips of the corpus from its list of files, or take the paper's counts if it is missing."""
    table, chosen = job.table, job.choices["data"]
    module = CORPORA[table.corpus].module
    if job.root:
        split, source = counted(table.corpus, job.root, job.data, chosen, job.check_counts, job.processes)
        folds = {
            fold: (len(split.clips(fold, "train")), len(split.clips(fold, "test"))) for fold in table.folds
        }
        return Counts(source, len(split.manifest), folds, len(split.labels))
    classes = len(module.LABELS)
    if table.corpus == "ut_podcast":
        paper = published("table01_ut_podcast_counts")
        train, test = paper.loc["training", "total_oversampled"], paper.loc["testing", "total"]
        return Counts(STANDIN, int(paper["total"].sum()), {"test": (int(train), int(test))}, classes)
    if table.corpus == "chains":
        paper = published("table06_chains_folds")
        folds = {
            str(fold): (int(row.training_samples), int(row.validation_samples))
            for fold, row in paper.iterrows()
        }
        return Counts(STANDIN, sum(test for _, test in folds.values()), folds, classes)
    clips = sum(module.EXPECTED.values())
    share = clips // len(table.folds)  # A fold has four or five speakers; this is the mean.
    return Counts(STANDIN, clips, dict.fromkeys(table.folds, (clips - share, share)), classes)


def _times(pairs: Iterable[tuple[Run, Counts]], options: Options) -> dict[tuple[str, int], Seconds]:
    """Time each network with the paper's settings on the first device: (system, size) -> seconds."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.runtime import contexts
    from freqcnn_gluon.training.cost import seconds

    first = contexts(options.device)[0]
    due = {(run.system, run.size): count.classes for run, count in pairs if run.system not in PEERS}
    return {
        (system, size): seconds(build(system, classes, size), classes, size, first, options.dtype)
        for (system, size), classes in Bar(due.items(), "timing", unit="network")
    }


@functools.cache
def _network(
    system: str, classes: int, size: int, batch_size: int, memory: float, arguments: str, device: str
) -> Network:
    """Measure a network; ``arguments`` are FreqCNN's keyword arguments as JSON, which can be cached."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.runtime import contexts
    from freqcnn_gluon.training.cost import operations
    from freqcnn_gluon.training.memory import needed_bytes, training_bytes

    devices = contexts(device)
    # Several CPU contexts share the machine's memory, and each GPU has its own.
    share = -(-batch_size // len(devices)) if devices[0].device_type == "gpu" else batch_size
    net, usual = build(system, classes, size, **json.loads(arguments)), build(system, classes, size)
    count = operations(net, size)
    return Network(
        scale=count / operations(usual, size),
        operations=count,
        memory=needed_bytes(net, size, share, memory, devices),
        weights=training_bytes(net, size)[0] // 3,
    )


def _cost(
    run: Run, counts: Counts, times: Mapping[tuple[str, int], Seconds], done: bool, device: str
) -> Cost:
    """Compute the cost of a run on a ``device``, as ``devices.choose`` takes it."""
    from freqcnn_gluon.training.cost import STEP

    if run.system in PEERS:
        return Cost(done)
    arguments = json.dumps(run.choices["network"])
    size, batch_size = run.network_sizes()
    training: Mapping[str, Any] = run.choices["training"]
    network = _network(run.system, counts.classes, size, batch_size, training["memory"], arguments, device)
    seconds, epochs = times[run.system, size], training["epochs"]
    train, test = counts.folds[run.fold]
    samples = network.scale * (train * seconds.sample + test * seconds.prediction)
    return Cost(
        done,
        hours=epochs * (samples + train / batch_size * seconds.step) / 3600,
        operations=epochs * (STEP * train + test) * network.operations,
        memory=network.memory,
        weights=network.weights,
    )


def _line(name: str, costs: Sequence[Cost], store: int, kind: str, gpus: int) -> list[str]:
    """Format one line of the table; ``store`` is the size of the spectrograms in bytes."""
    from freqcnn_gluon.training.cost import gpu_hours

    hours = [gpu_hours(cost.operations, kind) for cost in costs if not cost.done]
    disk = store + sum(cost.weights for cost in costs) + 2 * max(cost.weights for cost in costs)
    return [
        name,
        f"{len(costs)}",
        f"{sum(cost.done for cost in costs)}",
        f"{sum(cost.hours for cost in costs if not cost.done):.1f}",
        f"{max(cost.memory for cost in costs) / 1e9:.1f}",
        f"{disk / 1e9:.1f}",
        f"{sum(hours):.1f}",
        f"{max(sum(hours) / gpus, max(hours, default=0)):.1f}",
    ]


def _finished(results: Path) -> set[str]:
    """Return the keys of all runs with a report, whatever the fingerprint of their data.

    Raises:
        Faults: some reports are damaged; all are listed.
    """
    contents = of_each(read, sorted(results.glob("*/table*/*/*/report.json")))
    return {_key(content["run"]) for content in contents}


def _key(run: dict) -> str:
    """Return a key that identifies a run, apart from its data."""
    return json.dumps(run | {"data": ""}, sort_keys=True)
