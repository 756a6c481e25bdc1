"""Everything below a folder of results on one page that needs no network: results/index.html.

What stands on the page is gathered here, from the same functions that write the Markdown; page/ lays it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.base.progress import Bar
from reproduce.assumptions import Assumption, assumptions
from reproduce.cells import behind, cells, comparisons
from reproduce.corpora import CORPORA
from reproduce.page.clips import Pictures, pictures
from reproduce.page.learning import Look, Reliability, look, reliability
from reproduce.paper.audit import KINDS, UNCHECKED, audit
from reproduce.render.table import (
    MCNEMAR,
    as_shown,
    columns_of,
    compared_table,
    how_made,
    left_open,
    runs_table,
    to_be_known,
)
from reproduce.runs.report import Report, reports_in, reports_of
from reproduce.sources import NETWORK, TITLES, order, warning
from reproduce.tables import TABLES, Table
from reproduce.tables.comparison import Comparison, compared_in

__all__ = ["page", "report"]

FOLDER = Path(__file__).parent
SHAPES = {
    "within": "●",
    "outside": "△",
    "not run": "–",
    "failed": "✕",
    "unknown": "?",
}  # for who sees no colours


@dataclass(frozen=True)
class Link:
    href: str
    label: str


@dataclass(frozen=True)
class Number:
    """A cell of a table as it is shown; ``links``: the reports behind it. ``marks``: where paper, ours and
    the interval are on a scale of 0 to 100, for percentages that have an interval.
    """

    row: str
    column: str
    paper: str
    ours: str
    range: str
    verdict: str
    shape: str
    seeds: int
    links: Sequence[Link]
    marks: Mapping[str, float]


@dataclass(frozen=True)
class Grid:
    """Heads and lines of a plain table; ``links``: of each line's first cell."""

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    links: Sequence[str] = ()


@dataclass(frozen=True)
class Results:
    """A table that was trained for. ``rows``: the paper's, each with its heads as (text, rows it spans)
    and a Number, or None, for each of ``columns``.
    """

    id: str
    table: Table
    corpus: str
    columns: Sequence[str]
    rows: Sequence[tuple[Sequence[tuple[str, int]], Sequence[Number | None]]]
    numbers: Sequence[Number]
    sentences: Sequence[str]
    compared: Grid | None
    reliability: Sequence[Reliability]
    looks: Sequence[Look]
    pictures: Pictures
    runs: Grid
    made: Sequence[str]
    open: Sequence[tuple[Assumption, str]]
    verdicts: Mapping[str, int]
    minutes: float


@dataclass(frozen=True)
class Facts:
    """A table that describes a corpus or a network, cell for cell beside the paper's."""

    id: str
    comparison: Comparison
    grid: Grid
    sentences: Sequence[str]


@dataclass(frozen=True)
class Source:
    """All that is of one source. ``environments``: letter -> name -> version, of the runs."""

    id: str
    name: str
    title: str
    warning: tuple[str, str] | None
    results: Sequence[Results]
    facts: Sequence[Facts]
    environments: Mapping[str, Mapping[str, str]]


def report(results: Path, data: Path) -> Path:
    """Write ``results``/index.html and return its path; ``data``: where the clips' images are looked for.

    Raises Faults where there are no results, and with everything that is wrong with those there are.
    """
    said = page(results, data)
    out = results / "index.html"
    with whole(out) as path:
        path.write_text(said, encoding="utf-8")
    return out


def page(results: Path, data: Path) -> str:
    """The page as HTML; its links are relative to ``results``. Raises Faults as ``report`` does."""
    layout = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.jinja")
    findings = audit()
    return layout.render(
        sources=list(_sources(results, data)),
        findings=findings,
        kinds={
            kind: (asked, [each for each in findings if each.check == kind]) for kind, asked in KINDS.items()
        },
        unchecked=[line.removeprefix("- ") for line in UNCHECKED],
        assumptions=list(assumptions().values()),
        mcnemar=MCNEMAR,
        one_line=lambda text: " ".join(text.split()),
        coded=_coded,
    )


def _coded(text: str) -> Markup:
    """A sentence of the Markdown, with what stands in backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if at % 2 else part for at, part in enumerate(parts)
    )


def _sources(results: Path, data: Path) -> Iterator[Source]:
    folders = sorted({path.parent for path in results.glob("*/table??.[cj]s*")}, key=order)
    listed = [
        (folder, number) for folder in folders for number in _numbers(folder, "json") if number in TABLES
    ]
    if not folders:
        raise Faults(f"{results}: there are no results yet; `make table3` makes the first")
    found, faults = {}, []
    for folder, number in listed:
        try:
            found[folder, number] = reports_in(folder, number)
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)
    with Bar(total=len(listed), desc="drawing", unit="table", leave=False) as bar:
        for place, folder in enumerate(folders):
            mine = {number: reports for (of, number), reports in found.items() if of == folder}
            environments = _environments([each for reports in mine.values() for each in reports])
            tables = []
            for number, reports in mine.items():
                id = f"s{place}-table{number}"
                tables.append(_results(id, TABLES[number], reports, folder, data, environments))
                bar.update()
            facts = [
                _facts(f"s{place}-table{number}", compared_in(folder, number))
                for number in _numbers(folder, "csv")
                if number not in TABLES
            ]
            title = TITLES.get(folder.name, f"'{folder.name}'")
            told = None if folder.name == NETWORK else warning(folder.name)
            yield Source(f"s{place}", folder.name, title, told, tables, facts, environments)


def _numbers(folder: Path, kind: str) -> list[int]:
    return [int(path.stem[-2:]) for path in sorted(folder.glob(f"table[01][0-9].{kind}"))]


def _environments(reports: Sequence[Report]) -> dict[str, dict[str, str]]:
    """The versions that runs were made with, each set once, by a letter."""
    different: list[dict[str, str]] = []
    for report in reports:
        versions = report.content["versions"]
        if versions not in different:
            different.append(versions)
    return {chr(ord("A") + place % 26) * (1 + place // 26): each for place, each in enumerate(different)}


def _results(
    id: str,
    table: Table,
    reports: Sequence[Report],
    folder: Path,
    data: Path,
    environments: Mapping[str, Mapping[str, str]],
) -> Results:
    frame = cells(table, reports)
    numbers = _numbers_of(table, frame, reports, folder)
    columns, compared = columns_of(frame), comparisons(table, reports)
    ran = [(system, reports_of(system, reports)) for system in table.systems()]
    ran = [(system, found) for system, found in ran if found and not any(each.fault for each in found)]
    looks = [look(id, table, system, found) for system, found in ran]
    looks.sort(key=lambda each: each.system != table.claim.name)  # the one that the table is about is first
    return Results(
        id,
        table,
        CORPORA[table.corpus].title,
        columns,
        _rows(table, numbers, columns),
        numbers,
        to_be_known(table, frame, reports),
        Grid(*compared_table(compared)) if len(compared) else None,
        [reliability(table, system, found) for system, found in ran],
        looks,
        pictures(table, reports, folder, data),
        _runs(reports, folder, environments),
        [line.removeprefix("- ") for line in how_made(table, reports)],
        left_open(table, reports),
        frame["verdict"].value_counts().to_dict(),
        sum(each.content["training_seconds"] for each in reports if not each.fault) / 60,
    )


def _numbers_of(table: Table, frame: pd.DataFrame, reports: Sequence[Report], folder: Path) -> list[Number]:
    numbers = []
    for cell, line, shown in zip(
        table.cells, frame.to_dict("records"), as_shown(table, frame).to_dict("records")
    ):
        marks = {}
        if not cell.predicted and not np.isnan(line["low"]):
            marks = {name: line[name] for name in ("low", "high", "ours")}
            if line["verdict"] in ("within", "outside"):  # else it is not to be set against the paper's
                marks["paper"] = line["paper"]
        numbers.append(
            Number(
                line["row"],
                line["column"],
                shown["paper"],
                shown["ours"],
                shown["95 %"],
                line["verdict"],
                SHAPES.get(line["verdict"], ""),
                0 if pd.isna(line["seeds"]) else line["seeds"],
                _links(behind(cell, table, reports), folder),
                marks,
            )
        )
    return numbers


def _href(folder: Path, report: Report) -> str:
    return quote(f"{folder.name}/{report.link}")


def _links(reports: Sequence[Report], folder: Path) -> list[Link]:
    """Each report by what tells it from the others."""
    runs = [report.content["run"] for report in reports]
    several = len({run["seed"] for run in runs}) > 1

    def told(run: Mapping) -> str:
        fold = [] if run["fold"] == "test" else [f"fold {run['fold']}"]
        return ", ".join([*fold, f"seed {run['seed']}"] if several or not fold else fold)

    return [Link(_href(folder, report), told(run)) for report, run in zip(reports, runs)]


def _rows(table: Table, numbers: Sequence[Number], columns: Sequence[str]) -> list[tuple[list, list]]:
    """The numbers in the paper's layout; a head that is the same in the next rows spans them."""
    by_row: dict[tuple[str, ...], dict[str, Number]] = {}
    for cell, number in zip(table.cells, numbers):
        by_row.setdefault(cell.row, {})[cell.column] = number
    heads, rows = list(by_row), []
    for place, row in enumerate(heads):
        spans = []
        for depth, head in enumerate(row):
            if place and heads[place - 1][: depth + 1] == row[: depth + 1]:
                continue  # inside the span of a row before
            same = next(
                (n for n, other in enumerate(heads[place:]) if other[: depth + 1] != row[: depth + 1]),
                len(heads) - place,
            )
            spans.append((head, same))
        rows.append((spans, [by_row[row].get(column) for column in columns]))
    return rows


def _runs(reports: Sequence[Report], folder: Path, environments: Mapping[str, Mapping[str, str]]) -> Grid:
    """The runs of the Markdown, each with where it comes from."""
    head, body = runs_table(reports)
    letters = {str(versions): letter for letter, versions in environments.items()}
    lines = []
    for line, report in zip(body, reports):
        content = report.content
        commit, _, dirty = (content.get("commit") or "not known").partition("-")
        lines.append(
            [
                *line,
                ", ".join(content["device"]),
                f"{commit[:10]}{'-' + dirty if dirty else ''}",
                letters[str(content.get("versions", {}))],
                content["run"]["data"][:12],
                content["finished"],
            ]
        )
    head = [*head, "Device", "Commit", "Versions", "Data", "Finished"]
    return Grid(head, lines, [_href(folder, report) for report in reports])


def _facts(id: str, comparison: Comparison) -> Facts:
    grid = comparison.grid()
    return Facts(id, comparison, Grid(list(grid.columns), grid.values.tolist()), comparison.told())
