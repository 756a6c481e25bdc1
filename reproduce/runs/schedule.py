"""All runs of a table, one after the other or several at a time; finished runs are not repeated."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from data_prep.base.faults import Faults, note, of_each
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.training import workers
from reproduce.corpora import Corpus, prepare
from reproduce.options import COMPARE
from reproduce.runs.execute import execute
from reproduce.runs.networks import check_networks
from reproduce.runs.report import Report, done, links, read
from reproduce.runs.resolve import Job, runs_of
from reproduce.runs.run import Run
from reproduce.runs.sharing import at_once
from reproduce.tables import System

__all__ = ["run_all"]


def run_all(job: Job, systems: Sequence[System]) -> list[Report]:
    """Execute the runs of ``systems`` and return their reports, ordered by system, fold and seed.

    A run that another process is executing is postponed to the end. With several workers, only rank 0 has
    the content of the reports.

    Raises:
        Faults: The job divides both the batches and the runs, its device or dtype is not available, the
            corpus is faulty, a report is damaged, a network cannot be built or does not fit into the chosen
            memory, or no scheduler answers; nothing has been trained then. Later, if a worker was killed
            several times or the scheduler was lost; the finished runs are kept.
    """
    # These imports do not load MXNet, so that a finished table is shown at once.
    from freqcnn_gluon.devices import choose
    from freqcnn_gluon.runtime import check_dtype

    group = workers.join()
    if job.scheduler and group.count > 1:
        raise Faults("HOSTS divides every batch and SCHEDULER divides the runs: give only one of them")
    if job.scheduler:
        _check_scheduler(job.scheduler, job)
    else:  # a cluster's workers have devices of their own
        kind, _ = choose(job.device)  # raises Faults before the corpus is prepared
        check_dtype(job.dtype, kind)
    with group.in_turn():
        corpus = _prepared(job)
    runs = runs_of(job, systems, corpus.source, corpus.fingerprint())
    if job.table.number == COMPARE and not group.rank:
        _note_replaced(job, runs[0])
    left = _not_done(runs, job.results)
    check_networks(left, len(corpus.split.labels))
    titles = [_title(run, job) for run in runs]
    if (job.processes or 1) > 1 and group.count > 1 and not group.rank:
        _note_jobs()
    count = at_once(runs, corpus, job) if left and group.count == 1 and not job.scheduler else 1
    if job.scheduler or count > 1:
        from reproduce.runs.parallel import execute_all  # importing Dask takes a while

        shared = job if job.scheduler else replace(job, processes=count)
        contents = execute_all(runs, titles, corpus, shared)
    else:
        contents = _one_by_one(runs, titles, corpus, job)
    return [_report(run, content, job.results) for run, content in zip(runs, contents)]


def _check_scheduler(scheduler: str, job: Job) -> None:
    """Raise Faults before the corpus is prepared, unless a scheduler answers.

    If a run of the table has finished, the corpus is prepared. The scheduler is then asked when runs are left
    for it, because a finished table needs none.
    """
    if not any(job.results.glob(f"*/{job.table.stem}/*/*/report.json")):
        from reproduce.runs.cluster import check  # importing Dask takes a while

        check(scheduler)


def _note_replaced(job: Job, run: Run) -> None:
    """Print a note if a comparison of other data than those of ``run`` will be replaced."""
    listed = job.results / run.source / f"{job.table.stem}.json"
    with contextlib.suppress(Faults):  # there is none, or a damaged one
        if read(listed.parent / links(listed)[0])["run"]["data"] != run.data:
            note(
                f"note: {listed.with_suffix('.md')} is a comparison on other clips, folds or spectrograms, "
                "and will be replaced. To keep it, choose another folder of results (--results; RESULTS for "
                "make) or rename the CSV file or the folder of the recordings."
            )


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
    """Execute the runs in order, then wait for those that another process was executing."""
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
    note("note: with HOSTS, runs are executed one at a time, so JOBS is used for preparing audio only")


def _not_done(runs: Sequence[Run], results: Path) -> list[Run]:
    """Return the runs without a report.

    Raises:
        Faults: Some reports are damaged. All are named, before hours are spent on other runs.
    """
    reports = of_each(lambda run: done(run, results), runs)
    return [run for run, report in zip(runs, reports) if report is None]


def _title(run: Run, job: Job) -> str:
    fold = f" fold {run.fold}" if run.fold != "test" else ""
    return f"{run.row}{fold}" + (f" seed {run.seed}" if job.seeds > 1 else "")


def _report(run: Run, content: dict[str, Any], results: Path) -> Report:
    folder = run.folder(results).relative_to(results / run.source)
    return Report(f"{folder.as_posix()}/{'failed' if 'fault' in content else 'report'}.json", content)
