"""What the tables will cost, before anything starts: runs, hours, memory, disk, and hours of GPUs."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.faults import Faults
from data_prep.base.progress import Bar
from reproduce import markdown as text
from reproduce.assumptions import choices, shared
from reproduce.corpora import CORPORA, Corpus, counted
from reproduce.options import Options
from reproduce.paper.published import published
from reproduce.peers import PEERS
from reproduce.runs.report import read
from reproduce.runs.resolve import profile, runs_of, sizes
from reproduce.runs.run import Run
from reproduce.sources import STANDIN
from reproduce.tables import Table

if TYPE_CHECKING:
    from freqcnn_gluon.training.cost import Seconds

__all__ = ["plan"]


@dataclass(frozen=True)
class Counts:
    """Clips of a corpus, in all and of each fold: (training, with what is over-sampled, and test)."""

    source: str
    clips: int
    folds: dict[str, tuple[int, int]]
    classes: int


@dataclass(frozen=True)
class Network:
    """``scale``: its operations as a multiple of those of the paper's settings, which are timed;
    ``operations``: floating-point, of a prediction; ``memory`` of a training and ``weights``: bytes.
    """

    scale: float
    operations: int
    memory: int
    weights: int


@dataclass(frozen=True)
class Cost:
    """Of one run. What is not trained as a whole network has only its being ``done``."""

    done: bool
    hours: float = 0.0
    operations: int = 0
    memory: int = 0
    weights: int = 0


def plan(tables: Sequence[Table], options: Options, kind: str = "V100", gpus: int = 1) -> str:
    """What the ``tables`` cost as Markdown: on this machine, measured on a few samples of each network, and
    on ``gpus`` GPUs of a ``kind`` in ``cost.PEAK``, by counted operations.

    Raises Faults for a corpus with another layout and a dtype that the device has not.
    """
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.runtime import check_dtype, threads, versions
    from freqcnn_gluon.training.cost import PEAK, SHARE
    from freqcnn_gluon.training.memory import MEMORY

    device = choose(options.device)
    check_dtype(options.dtype, device[0])
    numbers = [table.number for table in tables]
    asked = [replace(options, assume=shared(options.assume, table.number, numbers)) for table in tables]
    counts = [_counts(table, own) for table, own in zip(tables, asked)]
    planned = [
        runs_of(table, table.systems(), own, of.source, "") for table, own, of in zip(tables, asked, counts)
    ]
    pairs = [(run, of) for runs, of in zip(planned, counts) for run in runs]
    timed, finished = _timed(pairs, options), _finished(options.results)
    costs = {run.folder(Path()): _cost(run, of, timed, _key(asdict(run)) in finished) for run, of in pairs}
    lines, stores = [], {}
    for table, runs, of in zip(tables, planned, counts):
        size = sizes(table, options).size
        stores[table.corpus, size] = 4 * size**2 * of.clips
        mine = [costs[folder] for folder in dict.fromkeys(run.folder(Path()) for run in runs)]
        lines.append(_line(str(table.number), mine, stores[table.corpus, size], kind, gpus))
    lines.append(_line("together", list(costs.values()), sum(stores.values()), kind, gpus))
    head = ["Table", "Runs", "Done", "Hours here", "Memory, GB", "Disk, GB", f"{kind} hours", f"on {gpus}"]
    profiles = " and ".join(sorted({profile(table, options) for table in tables}))
    processor = versions()["cpu"] if device[0] == "cpu" else f"GPU {device[1][0]}"
    return "\n".join(
        [
            f"## What the tables will cost, profile {profiles}",
            "",
            *text.table(head, lines),
            "",
            "Hours are of what is not done yet. A run that tables share counts in each of them, and once in "
            "'together'.",
            f"'Hours here' is an **extrapolation** from a few samples of each network on {processor} with "
            f"{threads()} threads in {options.dtype}, one run at a time; ablations are scaled by their "
            "operations. Systems that are not trained as a whole network (i-vectors, GMM and the like) are "
            "among the runs, not in the hours, memory and disk.",
            f"'{kind} hours' is an **estimate**, nothing was measured: counted operations at "
            f"{100 * SHARE:.0f} % of {PEAK[kind] / 1e12:g} TFLOP/s. 'on {gpus}': until {gpus} of them are "
            "done, a run on each at a time.",
            f"Memory is the largest training's; its micro-batch is cut to fit {MEMORY / 1e9:.0f} GB. Disk: "
            "spectrograms, the weights that every run keeps, and one checkpoint on its way.",
            *_missing(tables, options),
        ]
    )


def _missing(tables: Sequence[Table], options: Options) -> list[str]:
    missing = [CORPORA[table.corpus].title for table in tables if not options.roots.get(table.corpus)]
    told = "the paper's counts stand for them, and a stand-in has fewer clips"
    return [f"No folder was given for {', '.join(dict.fromkeys(missing))}: {told}."] if missing else []


def _counts(table: Table, options: Options) -> Counts:
    """From the corpus, which is listed and not read, or from the paper where there is none."""
    module = CORPORA[table.corpus].module
    if root := options.roots.get(table.corpus):
        chosen = choices(table.number, options.assume)["data"]
        frame, source = counted(table.corpus, root, options.data, chosen, options.check_counts, options.jobs)
        corpus = Corpus(source, frame, None, (), root, root)
        folds = {
            fold: tuple(len(corpus.clips(fold, part)) for part in ("train", "test")) for fold in table.folds
        }
        return Counts(source, len(frame), folds, frame["label"].nunique())
    classes = len(module.LABELS)
    if table.corpus == "ut_podcast":
        paper = published("table01_ut_podcast_counts")
        train, test = paper.loc["training", "total_oversampled"], paper.loc["testing", "total"]
        return Counts(STANDIN, int(paper["total"].sum()), {"test": (int(train), int(test))}, classes)
    if table.corpus == "chains":
        paper = published("table06_chains_folds")
        folds = {
            str(fold): (int(each.training_samples), int(each.validation_samples))
            for fold, each in paper.iterrows()
        }
        return Counts(STANDIN, sum(test for _, test in folds.values()), folds, classes)
    clips = sum(module.EXPECTED.values())
    share = clips // len(table.folds)  # on the average: folds are of four or five speakers
    return Counts(STANDIN, clips, dict.fromkeys(table.folds, (clips - share, share)), classes)


def _timed(pairs: Iterable[tuple[Run, Counts]], options: Options) -> dict[tuple[str, int], Seconds]:
    """(system, size) -> its seconds on the first device, with the paper's own settings of the network."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.runtime import contexts
    from freqcnn_gluon.training.cost import seconds

    first = contexts(options.device)[0]
    due = {(run.system, run.size): of.classes for run, of in pairs if run.system not in PEERS}
    return {
        (system, size): seconds(build(system, classes, size), classes, size, first, options.dtype)
        for (system, size), classes in Bar(due.items(), "timing", unit="network")
    }


@functools.cache
def _network(system: str, classes: int, size: int, batch_size: int, arguments: str) -> Network:
    """``arguments``: FreqCNN's, as JSON."""
    from freqcnn_gluon.network.zoo import build
    from freqcnn_gluon.training.cost import operations
    from freqcnn_gluon.training.memory import needed_bytes, training_bytes

    net, usual = build(system, classes, size, **json.loads(arguments)), build(system, classes, size)
    count = operations(net, size)
    return Network(
        scale=count / operations(usual, size),
        operations=count,
        memory=needed_bytes(net, size, batch_size),
        weights=training_bytes(net, size)[0] // 3,
    )


def _cost(run: Run, counts: Counts, timed: Mapping[tuple[str, int], Seconds], done: bool) -> Cost:
    from freqcnn_gluon.training.cost import STEP

    if run.system in PEERS:
        return Cost(done)
    arguments = json.dumps(run.choices["network"])
    network = _network(run.system, counts.classes, run.size, run.batch_size, arguments)
    took, epochs = timed[run.system, run.size], run.choices["training"]["epochs"]
    train, test = counts.folds[run.fold]
    samples = network.scale * (train * took.sample + test * took.prediction)
    return Cost(
        done,
        hours=epochs * (samples + train / run.batch_size * took.step) / 3600,
        operations=epochs * (STEP * train + test) * network.operations,
        memory=network.memory,
        weights=network.weights,
    )


def _line(name: str, costs: Sequence[Cost], store: int, kind: str, gpus: int) -> list[str]:
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
    """The runs whose reports are there, whatever the fingerprint of their data. Raises Faults for damaged
    ones.
    """
    found, faults = set(), []
    for path in sorted(results.glob("*/table*/*/*/report.json")):
        try:
            found.add(_key(read(path)["run"]))
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)
    return found


def _key(run: dict) -> str:
    return json.dumps(run | {"data": ""}, sort_keys=True)
