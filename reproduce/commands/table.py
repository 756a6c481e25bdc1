"""``python -m reproduce table``: a table from its corpus to its rendering; what is done is not done again."""

from __future__ import annotations

import json

from data_prep.base.files import whole
from freqcnn_gluon.training import workers as cluster
from reproduce.assumptions import choices
from reproduce.corpora import counted
from reproduce.options import Options
from reproduce.render.table import write
from reproduce.runs.schedule import run_all
from reproduce.sources import NETWORK
from reproduce.tables import TABLES, Table
from reproduce.tables.architectures import architecture_table
from reproduce.tables.counts import counts_table

__all__ = ["produce"]

COUNTED = {1: "ut_podcast", 6: "chains"}  # tables that count a corpus


@cluster.leave_on_error
def produce(number: int, options: Options) -> str:
    """Table ``number`` of the paper as Markdown, written too as ``results``/<source>/tableNN.md and .csv.

    Tables 1 and 6 count the corpus, 2, 7 and 10 are read off the network, the others are trained for.
    Among several workers (see ``training.workers``) the first writes it; of the others it is empty.
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
