"""A table from beginning to end: corpus, runs, rendering; whatever is done already is not done again."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from data_prep.faults import Faults, note
from data_prep.files import whole
from data_prep.spectrogram import ImageSettings
from freqcnn_gluon import cluster

from .assumptions import choices
from .corpora import NETWORK, PAPER, QUICK, counted, prepare
from .facts import architecture_table, counts_table
from .measure import Report
from .peers import NETWORKS, PEERS
from .render import write
from .runs import Run, done, execute
from .tables import TABLES, Profile, System, Table

__all__ = ["PROFILES", "Options", "produce", "profile", "run_all", "runs_of", "sizes"]

PROFILES = ("paper", "quick")


@dataclass(frozen=True)
class Options:
    """How to run, whatever the table. ``roots``: corpus -> its folder; without one its stand-in is used.
    ``profile``: None is 'paper' with a corpus and 'quick' without. ``dtype``: what networks compute in, see
    ``runtime.mixed_precision``. ``assume``: 'id=value' each. ``jobs``: processes at a time, to prepare
    audio (None: one a core) and to run (None: one, with all cores); ``scheduler``: the address of a Dask
    cluster that runs instead.
    """

    roots: Mapping[str, Path | None]
    profile: str | None = None
    seeds: int = 1
    device: str = "auto"
    dtype: str = "float32"
    jobs: int | None = None
    scheduler: str | None = None
    check_counts: bool = True
    assume: Sequence[str] = ()
    data: Path = Path("data")
    results: Path = Path("results")


COUNTED = {1: "ut_podcast", 6: "chains"}  # tables that count a corpus


@cluster.leaves_at_once
def produce(number: int, options: Options) -> str:
    """Table ``number`` of the paper as Markdown, written too as ``results``/<source>/tableNN.md and .csv.

    Tables 1 and 6 count the corpus, 2, 7 and 10 are read off the network, the others are trained for.
    Among several workers (see ``freqcnn_gluon.cluster``) the first writes it; of the others it is empty.
    Raises Faults for bad input.
    """
    if number in TABLES:
        return _results(TABLES[number], options)
    if cluster.join().rank:
        return ""
    if number in COUNTED:
        name, chosen = COUNTED[number], choices(number, options.assume)["data"]
        frame, source = counted(
            name, options.roots.get(name), options.data, chosen, options.check_counts, options.jobs
        )
        compared = counts_table(number, frame, source)
    else:
        compared, source = architecture_table(number, options.assume), NETWORK
    return compared.write(options.results / source / f"table{number:02}")


def _results(table: Table, options: Options) -> str:
    """Run every system on every fold with each seed; tableNN.json names the reports."""
    reports = run_all(table, table.systems(), options)
    if cluster.join().rank:
        return ""
    folder = options.results / reports[0].content["run"]["source"]
    stem = folder / f"table{table.number:02}"
    with whole(stem.with_suffix(".json")) as path:
        path.write_text(json.dumps([report.link for report in reports], indent=1), encoding="utf-8")
    return write(table, reports, stem)


def run_all(table: Table, systems: Sequence[System], options: Options) -> list[Report]:
    """The reports of ``systems``, in their order, then by fold and seed.

    A run that another process has is left for the end, and waited for then. Among several workers the first
    has the reports' content. Raises Faults if both batches and runs are to be shared out.
    """
    # Does not import MXNet, which a table that is done need not wait for.
    from freqcnn_gluon.runtime import check_dtype, choose

    if options.scheduler and cluster.join().count > 1:
        raise Faults("HOSTS shares every batch and SCHEDULER whole runs: give one of the two")
    if not options.scheduler:  # whose workers have other devices
        kind, _ = choose(options.device)  # its faults are told before anything is prepared
        check_dtype(options.dtype, kind)
    chosen = choices(table.number, options.assume)
    with cluster.join().in_turn():
        corpus = prepare(
            table.corpus,
            options.roots.get(table.corpus),
            options.data,
            ImageSettings(size=sizes(table, options).size, **chosen["image"]),
            chosen["data"],
            options.check_counts,
            options.jobs,
        )
    runs = runs_of(table, systems, options, corpus.source, corpus.store.fingerprint(corpus.manifest))
    _check_done(runs, options.results)
    titles = [_title(run, options) for run in runs]
    several = (options.jobs or 1) > 1
    if several and cluster.join().count > 1 and not cluster.join().rank:
        _tell_of_jobs()
    if options.scheduler or (several and cluster.join().count == 1):
        from .parallel import execute_all  # Dask takes its time to be imported

        contents = execute_all(runs, titles, corpus, options)
    else:
        contents = [None] * len(runs)
        for wait in (False, True):
            for number, (run, title) in enumerate(zip(runs, titles)):
                if contents[number] is None:
                    place = f"[{number + 1}/{len(runs)}] {title}"
                    contents[number] = execute(
                        run, corpus, options.results, options.device, place, options.jobs, wait
                    )
    return [_report(run, content, options) for run, content in zip(runs, contents)]


@functools.cache  # once, however many tables there are
def _tell_of_jobs() -> None:
    note("note: HOSTS shares every batch, so runs go one at a time: JOBS is for preparing audio alone")


def _check_done(runs: Sequence[Run], results: Path) -> None:
    """Raise Faults for every damaged report, before hours go into the runs that come before it."""
    faults = []
    for run in runs:
        try:
            done(run, results)
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)


def profile(table: Table, options: Options) -> str:
    """'paper' or 'quick', as asked or by whether the corpus is there."""
    return options.profile or ("paper" if options.roots.get(table.corpus) else "quick")


def sizes(table: Table, options: Options) -> Profile:
    """The table's sizes in the profile; its epochs are None where they are the assumptions'."""
    from freqcnn_gluon.architectures import architecture

    paper = architecture(table.architecture)
    own = table.quick if profile(table, options) == "quick" else Profile()
    return Profile(own.size or paper.size, own.batch_size or paper.batch_size, own.epochs)


def runs_of(table: Table, systems: Sequence[System], options: Options, source: str, data: str) -> list[Run]:
    """The runs of ``systems`` on a corpus's ``source`` with the fingerprint ``data``, by fold and seed.

    In the quick profile the paper's corpora are the source QUICK, whose files are its own.
    """
    if source == PAPER and profile(table, options) == "quick":
        source = QUICK
    chosen, own = choices(table.number, options.assume), sizes(table, options)
    if own.epochs and not any(each.startswith("epochs=") for each in options.assume):
        chosen["training"]["epochs"] = own.epochs
    if options.dtype != "float32":  # float32 has no name in a run, so that its hash is what it always was
        chosen["training"]["dtype"] = options.dtype
    return [
        Run(
            source=source,
            table=system.home,
            row=system.name,
            system=system.system,
            fold=fold,
            seed=seed,
            profile=profile(table, options),
            data=data,
            **_settings(system, table, chosen, own.size, own.batch_size),
        )
        for system in systems
        if system.system
        for fold in table.folds
        for seed in range(options.seeds)
    ]


def _title(run: Run, options: Options) -> str:
    fold = f" fold {run.fold}" if run.fold != "test" else ""
    return f"{run.row}{fold}" + (f" seed {run.seed}" if options.seeds > 1 else "")


def _report(run: Run, content: dict, options: Options) -> Report:
    folder = run.folder(options.results).relative_to(options.results / run.source)
    return Report(f"{folder.as_posix()}/{'failed' if 'fault' in content else 'report'}.json", content)


def _settings(
    system: System, table: Table, chosen: Mapping[str, dict], size: int, batch_size: int
) -> dict[str, object]:
    """A run's size, batch size and choices: those that its kind of system has."""
    if system.system in PEERS:
        peer = {**chosen.get(system.system, {}), **system.options}
        if system.system in NETWORKS and "dtype" in chosen["training"]:
            peer["dtype"] = chosen["training"]["dtype"]
        return {"size": None, "batch_size": None, "choices": {"data": chosen["data"], "peer": peer}}
    kept = {where: each for where, each in chosen.items() if where not in PEERS}
    network = _network(system, table, chosen["network"], size)
    return {"size": size, "batch_size": batch_size, "choices": kept | {"network": network}}


def _network(system: System, table: Table, chosen: Mapping[str, object], size: int) -> dict[str, object]:
    """FreqCNN's keyword arguments; a peer takes none, its defaults are not the list's to change."""
    if system.system != table.architecture:
        return {}
    network = {**chosen, **system.options}
    if segments := network.get("segments"):
        blocks = [size >> block for block in range(5)]
        if any(side % segments for side in blocks):  # small spectrograms: as many as the block has rows for
            network["segments"] = [math.gcd(segments, side) for side in blocks]
    return network
