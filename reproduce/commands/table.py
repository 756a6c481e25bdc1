"""``python -m reproduce table``: make a table, from its corpus to its Markdown."""

from __future__ import annotations

import functools
import json

from data_prep.base.files import whole
from freqcnn_gluon.training import workers
from reproduce.assumptions import choices
from reproduce.corpora import counted
from reproduce.options import COMPARE, Options
from reproduce.render.table import write
from reproduce.runs.resolve import resolve
from reproduce.runs.schedule import run_all
from reproduce.sources import NETWORK
from reproduce.tables import ArchitectureTable, CountTable, Table

__all__ = ["produce"]


@workers.leave_on_error
def produce(table: CountTable | ArchitectureTable | Table, options: Options) -> str:
    """Make a table and return it as Markdown; finished runs are not repeated.

    Writes ``results``/<source>/tableNN.md and .csv, or compare.md and .csv. Of several workers (see
    ``training.workers``) rank 0 writes, and the others return an empty string.

    Raises:
        Faults: The corpus, an option or an earlier result is faulty.
    """
    return _make(table, options)


@functools.singledispatch
def _make(table: object, options: Options) -> str:
    raise TypeError(f"{type(table).__name__} is not a kind of table")


@_make.register
def _results(table: Table, options: Options) -> str:
    """Run every system on every fold with each seed, and list the reports in tableNN.json or compare.json."""
    job = resolve(table, options)
    reports = run_all(job, table.systems())
    if workers.join().rank:
        return ""
    folder = job.results / reports[0].content["run"]["source"]
    stem = folder / table.stem
    with whole(stem.with_suffix(".json")) as path:
        path.write_text(json.dumps([report.link for report in reports], indent=1), encoding="utf-8")
    page = write(table, reports, stem)
    return page if table.number != COMPARE else f"{page}\nThis table is in {stem}.md.\n"


@_make.register
def _counts(table: CountTable, options: Options) -> str:
    """Count the clips of the corpus."""
    if workers.join().rank:
        return ""
    chosen, root = choices(table.number, options.assume)["data"], options.roots.get(table.corpus)
    split, source = counted(table.corpus, root, options.data, chosen, options.check_counts, options.jobs)
    stem = options.results / source / f"table{table.number:02}"
    return table.compare(split.manifest, source).write(stem)


@_make.register
def _architecture(table: ArchitectureTable, options: Options) -> str:
    """Describe the network that the code builds."""
    if workers.join().rank:
        return ""
    chosen = choices(table.number, options.assume)["network"]
    return table.compare(chosen).write(options.results / NETWORK / f"table{table.number:02}")
