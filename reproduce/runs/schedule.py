"""All runs of a table, one after the other or several at a time; finished runs are not repeated."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data_prep.base.faults import Faults, note
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.training import workers
from reproduce.corpora import Corpus, prepare
from reproduce.runs.execute import execute
from reproduce.runs.report import Report, done
from reproduce.runs.resolve import Job, runs_of
from reproduce.runs.run import Run
from reproduce.tables import System

__all__ = ["run_all"]


def run_all(job: Job, systems: Sequence[System]) -> list[Report]:
    """Return the reports of ``systems``, ordered by system, fold and seed; do the runs first.

    A run that another process has is postponed to the end and waited for there. Of several workers only
    rank 0 has the reports' content.

    Raises:
        Faults: The job shares out both batches and runs, its device or dtype is not available, the corpus
            is faulty, or a report is damaged.
    """
    # These imports do not load MXNet, so that a finished table is shown at once.
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.runtime import check_dtype

    group = workers.join()
    if job.scheduler and group.count > 1:
        raise Faults("HOSTS shares every batch and SCHEDULER whole runs: give one of the two")
    if not job.scheduler:  # a cluster's workers have devices of their own
        kind, _ = choose(job.device)  # raises Faults before the corpus is prepared
        check_dtype(job.dtype, kind)
    with group.in_turn():
        corpus = _prepared(job)
    runs = runs_of(job, systems, corpus.source, corpus.fingerprint())
    _check_done(runs, job.results)
    titles = [_title(run, job) for run in runs]
    several = (job.processes or 1) > 1
    if several and group.count > 1 and not group.rank:
        _note_jobs()
    if job.scheduler or (several and group.count == 1):
        from reproduce.runs.parallel import execute_all  # importing Dask takes a while

        contents = execute_all(runs, titles, corpus, job)
    else:
        contents = _one_by_one(runs, titles, corpus, job)
    return [_report(run, content, job.results) for run, content in zip(runs, contents)]


def _prepared(job: Job) -> Corpus:
    image = ImageSettings(size=job.sizes.size, **job.choices["image"])
    return prepare(
        job.table.corpus,
        job.root,
        job.data,
        image,
        job.choices["data"],
        job.check_counts,
        job.processes,
    )


def _one_by_one(runs: Sequence[Run], titles: Sequence[str], corpus: Corpus, job: Job) -> list[dict[str, Any]]:
    """Execute the runs in their order, and then those that another process had."""
    contents: dict[int, dict[str, Any]] = {}
    for wait in (False, True):
        for number, (run, title) in enumerate(zip(runs, titles)):
            if number in contents:
                continue
            progress = f"[{number + 1}/{len(runs)}] {title}"
            content = execute(run, corpus, job.results, job.device, progress, job.processes, wait)
            if content is not None:
                contents[number] = content
    return [contents[number] for number in range(len(runs))]


@functools.cache  # printed once, for any number of tables
def _note_jobs() -> None:
    note("note: HOSTS shares every batch, so runs go one at a time: JOBS is for preparing audio alone")


def _check_done(runs: Sequence[Run], results: Path) -> None:
    """Raise Faults that name every damaged report, before hours are spent on other runs."""
    faults = []
    for run in runs:
        try:
            done(run, results)
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)


def _title(run: Run, job: Job) -> str:
    fold = f" fold {run.fold}" if run.fold != "test" else ""
    return f"{run.row}{fold}" + (f" seed {run.seed}" if job.seeds > 1 else "")


def _report(run: Run, content: dict[str, Any], results: Path) -> Report:
    folder = run.folder(results).relative_to(results / run.source)
    return Report(f"{folder.as_posix()}/{'failed' if 'fault' in content else 'report'}.json", content)
