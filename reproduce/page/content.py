"""The content of the report page: each table's numbers, systems and runs, ready for the layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from reproduce.assumptions import Assumption
from reproduce.cells import NOT_JUDGED, cells, comparisons, reports_behind
from reproduce.corpora import CORPORA
from reproduce.options import COMPARE
from reproduce.page.clips import Pictures, pictures
from reproduce.page.grid import Grid
from reproduce.page.learning import Learning, SeedVariation, learning, seed_variation
from reproduce.page.summaries import Claims, Compute
from reproduce.render.claims import recordings_table
from reproduce.render.notes import CLIPS, PREDICTION, assumption_notes, run_notes, table_notes
from reproduce.render.table import as_shown, columns_of, comparisons_table, runs_table
from reproduce.runs.report import Report, reports_of
from reproduce.tables import Table
from reproduce.tables.comparison import Comparison

__all__ = ["Description", "Results", "Source", "description_of", "environments_of", "results_of"]

SYMBOLS = {"within": "●", "outside": "△", "not run": "–", "failed": "✕", "unknown": "?"}
SYMBOLS |= dict.fromkeys(NOT_JUDGED, "○")
"""A verdict's symbol, for readers who do not see colours."""


@dataclass(frozen=True)
class Link:
    """A link to a report."""

    href: str
    label: str


@dataclass(frozen=True)
class Number:
    """A cell of a table, formatted.

    Attributes:
        row: Head of its row.
        column: Head of its column.
        paper: The paper's number.
        ours: Our number.
        interval: Our 95 % interval from the number of test clips.
        prediction: Our 95 % prediction interval for another training, or empty.
        verdict: Verdict, empty if the number is not compared with the paper.
        symbol: Symbol of the verdict.
        seeds: Number of seeds, 0 if nothing was run.
        links: The reports behind our number.
        marks: Positions of the prediction interval, or if there is none of the other one ('low', 'high'),
            of 'ours' and 'paper' on a scale of 0 to 100; empty for a number that is not a percentage with
            an interval.
    """

    row: str
    column: str
    paper: str
    ours: str
    interval: str
    prediction: str
    verdict: str
    symbol: str
    seeds: int
    links: Sequence[Link]
    marks: Mapping[str, float]


@dataclass(frozen=True)
class Results:
    """A table of results.

    Attributes:
        id: Id on the page.
        table: The table.
        corpus: Title of its corpus.
        columns: Heads of the columns in the paper's layout.
        rows: The rows in the paper's layout: heads as (text, rows that it spans), and for each column its
            number, or None where the paper has no cell.
        numbers: All numbers.
        notes: Sentences below the table.
        claims: The paper's claims on a comparison, if its two systems were run for one of them.
        compared: Comparisons of the other systems with the claimed one, if two systems were run.
        variations: UAR of each system over its seeds.
        learnings: Curves and confusion matrix of each system; the claimed one is first.
        pictures: Spectrograms and attention.
        runs: The runs.
        run_notes: Sentences about training and sizes.
        assumptions: Assumptions that concern the table, each with its choice in words.
        verdicts: Verdict -> number of cells.
        unjudged: Number of cells that are compared with the paper's but not judged.
        minutes: Training time of all runs.
    """

    id: str
    table: Table
    corpus: str
    columns: Sequence[str]
    rows: Sequence[tuple[Sequence[tuple[str, int]], Sequence[Number | None]]]
    numbers: Sequence[Number]
    notes: Sequence[str]
    claims: Grid | None
    compared: Grid | None
    variations: Sequence[SeedVariation]
    learnings: Sequence[Learning]
    pictures: Pictures
    runs: Grid
    run_notes: Sequence[str]
    assumptions: Sequence[tuple[Assumption, str]]
    verdicts: Mapping[str, int]
    unjudged: int
    minutes: float


@dataclass(frozen=True)
class Description:
    """A table that describes a corpus or a network, cell by cell beside the paper's."""

    id: str
    comparison: Comparison
    grid: Grid
    notes: Sequence[str]


@dataclass(frozen=True)
class Source:
    """The page's content for one source.

    Attributes:
        id: Id on the page.
        title: Title of its section.
        warning: Mark and sentence for results that are not comparable with the paper's, or None.
        results: Its tables of results.
        descriptions: Its tables that describe corpora and networks.
        claims: The paper's claims on its numbers, or None if it has no results.
        compute: What its runs spent, or None if it has no runs.
        environments: Letter -> versions of Python, packages and machine; a run names its letter.
    """

    id: str
    title: str
    warning: tuple[str, str] | None
    results: Sequence[Results]
    descriptions: Sequence[Description]
    claims: Claims | None
    compute: Compute | None
    environments: Mapping[str, Mapping[str, str]]


def environments_of(reports: Sequence[Report]) -> dict[str, dict[str, str]]:
    """Give each different set of versions in the reports a letter."""
    different: list[dict[str, str]] = []
    for report in reports:
        versions = report.content["versions"]
        if versions not in different:
            different.append(versions)
    return {
        chr(ord("A") + index % 26) * (1 + index // 26): versions for index, versions in enumerate(different)
    }


def results_of(
    id: str,
    table: Table,
    reports: Sequence[Report],
    folder: Path,
    data: Path,
    environments: Mapping[str, Mapping[str, str]],
) -> Results:
    """Gather the content of a table of results.

    Args:
        id: Id on the page.
        table: The table.
        reports: Its reports.
        folder: Folder of the source.
        data: Folder of prepared data, for pictures.
        environments: The source's environments.
    """
    frame, compared = cells(table, reports), comparisons(table, reports)
    numbers, columns = _numbers(table, frame, reports, folder), columns_of(frame)
    by_system = [(system, reports_of(system, reports)) for system in table.systems()]
    by_system = [
        (system, group) for system, group in by_system if group and not any(item.fault for item in group)
    ]
    claimed = recordings_table(table, reports) if table.number == COMPARE else ([], [])
    learnings = [learning(id, table, system, group) for system, group in by_system]
    learnings.sort(key=lambda item: item.system != table.claim.name)
    seconds = sum(report.content["training_seconds"] for report in reports if not report.fault)
    return Results(
        id=id,
        table=table,
        corpus=CORPORA[table.corpus].title,
        columns=columns,
        rows=_rows(table, numbers, columns),
        numbers=numbers,
        notes=table_notes(table, frame, reports),
        claims=Grid(*claimed) if claimed[1] else None,
        compared=Grid(*comparisons_table(table, compared)) if len(compared) else None,
        variations=[seed_variation(table, system, group) for system, group in by_system],
        learnings=learnings,
        pictures=pictures(table, reports, folder, data),
        runs=_runs(reports, folder, environments),
        run_notes=[line.removeprefix("- ") for line in run_notes(table, reports) if line],
        assumptions=assumption_notes(table, reports),
        verdicts=frame["verdict"].value_counts().to_dict(),
        unjudged=int(frame["verdict"].isin(NOT_JUDGED).sum()),
        minutes=seconds / 60,
    )


def _numbers(table: Table, frame: pd.DataFrame, reports: Sequence[Report], folder: Path) -> list[Number]:
    """Format all cells of a table."""
    shown = as_shown(table, frame).to_dict("records")
    numbers = []
    for cell, line, texts in zip(table.cells, frame.to_dict("records"), shown):
        marks = {}
        if not cell.predicted and not np.isnan(line["low"]):
            of = "" if np.isnan(line["prediction_low"]) else "prediction_"
            marks = {"low": line[f"{of}low"], "high": line[f"{of}high"], "ours": line["ours"]}
            if line["verdict"] in ("within", "outside"):  # Other numbers are not compared with the paper's.
                marks["paper"] = line["paper"]
        numbers.append(
            Number(
                row=line["row"],
                column=line["column"],
                paper=texts["paper"],
                ours=texts["ours"],
                interval=texts[CLIPS],
                prediction=texts[PREDICTION],
                verdict=line["verdict"],
                symbol=SYMBOLS.get(line["verdict"], ""),
                seeds=0 if pd.isna(line["seeds"]) else line["seeds"],
                links=_links(reports_behind(cell, table, reports), folder),
                marks=marks,
            )
        )
    return numbers


def _href(folder: Path, report: Report) -> str:
    return quote(f"{folder.name}/{report.link}")


def _links(reports: Sequence[Report], folder: Path) -> list[Link]:
    """Link to each report, labelled by its fold and seed where they differ."""
    runs = [report.content["run"] for report in reports]
    several_seeds = len({run["seed"] for run in runs}) > 1

    def label(run: Mapping) -> str:
        fold = [] if run["fold"] == "test" else [f"fold {run['fold']}"]
        return ", ".join([*fold, f"seed {run['seed']}"] if several_seeds or not fold else fold)

    return [Link(_href(folder, report), label(run)) for report, run in zip(reports, runs)]


def _rows(
    table: Table, numbers: Sequence[Number], columns: Sequence[str]
) -> list[tuple[list[tuple[str, int]], list[Number | None]]]:
    """Arrange the numbers in the paper's layout; a head that repeats in the next rows spans them."""
    by_row: dict[tuple[str, ...], dict[str, Number]] = {}
    for cell, number in zip(table.cells, numbers):
        by_row.setdefault(cell.row, {})[cell.column] = number
    heads, rows = list(by_row), []
    for index, row in enumerate(heads):
        spans = []
        for depth, head in enumerate(row):
            path = row[: depth + 1]
            if index and heads[index - 1][: depth + 1] == path:
                continue  # A row before spans this one.
            count = 1
            while index + count < len(heads) and heads[index + count][: depth + 1] == path:
                count += 1
            spans.append((head, count))
        rows.append((spans, [by_row[row].get(column) for column in columns]))
    return rows


def _runs(reports: Sequence[Report], folder: Path, environments: Mapping[str, Mapping[str, str]]) -> Grid:
    """Add to the Markdown's table of runs the device, commit, versions and data of each run."""
    head, body = runs_table(reports)
    lines = []
    for line, report in zip(body, reports):
        content = report.content
        commit, _, dirty = (content.get("commit") or "not known").partition("-")
        lines.append(
            [
                *line,
                ", ".join(content["device"]),
                f"{commit[:10]}{'-' + dirty if dirty else ''}",
                next(letter for letter, versions in environments.items() if versions == content["versions"]),
                content["run"]["data"][:12],
                content["finished"],
            ]
        )
    head = [*head, "Device", "Commit", "Versions", "Data", "End of run"]
    return Grid(head, lines, [_href(folder, report) for report in reports])


def description_of(id: str, comparison: Comparison) -> Description:
    """Gather the content of a table that describes a corpus or a network."""
    grid = comparison.grid()
    return Description(id, comparison, Grid(list(grid.columns), grid.values.tolist()), comparison.summary())
