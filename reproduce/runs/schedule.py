"""A table from beginning to end: corpus, runs, rendering; whatever is done already is not done again."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from data_prep.base.faults import Faults, note
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.training import workers as cluster
from reproduce.assumptions import choices
from reproduce.corpora import prepare
from reproduce.options import Options
from reproduce.runs.execute import execute
from reproduce.runs.report import Report, done
from reproduce.runs.resolve import runs_of, sizes
from reproduce.runs.run import Run
from reproduce.tables import System, Table

__all__ = ["run_all"]


def run_all(table: Table, systems: Sequence[System], options: Options) -> list[Report]:
    """The reports of ``systems``, in their order, then by fold and seed.

    A run that another process has is left for the end, and waited for then. Among several workers the first
    has the reports' content. Raises Faults if both batches and runs are to be shared out.
    """
    # Does not import MXNet, which a table that is done need not wait for.
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.runtime import check_dtype

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
        from reproduce.runs.parallel import execute_all  # Dask takes its time to be imported

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


def _title(run: Run, options: Options) -> str:
    fold = f" fold {run.fold}" if run.fold != "test" else ""
    return f"{run.row}{fold}" + (f" seed {run.seed}" if options.seeds > 1 else "")


def _report(run: Run, content: dict, options: Options) -> Report:
    folder = run.folder(options.results).relative_to(options.results / run.source)
    return Report(f"{folder.as_posix()}/{'failed' if 'fault' in content else 'report'}.json", content)
