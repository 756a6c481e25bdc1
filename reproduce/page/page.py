"""The report page: all results below a folder in one HTML file, results/index.html.

It needs no network connection. ``content`` gathers its content from the functions that write the Markdown;
page.html.jinja, page.css and page.js lay it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from data_prep.base.faults import Faults, of_each
from data_prep.base.files import whole
from data_prep.base.progress import Bar
from reproduce.assumptions import assumptions
from reproduce.options import COMPARE
from reproduce.page.content import Source, description_of, environments_of, results_of
from reproduce.page.summaries import claims_of, compute_of
from reproduce.paper.audit import KINDS, UNCHECKED, audit
from reproduce.render.claims import RULE_ON_RECORDINGS
from reproduce.render.table import LEADS
from reproduce.runs.report import Report, reports_by_table, table_of
from reproduce.sources import NETWORK, TITLES, order, warning
from reproduce.tables import TABLES, TRAINED, stem
from reproduce.tables.comparison import compared_in

__all__ = ["page", "report"]

FOLDER = Path(__file__).parent


def report(results: Path, data: Path) -> Path:
    """Write the report page.

    Args:
        results: Folder of results; the page is its index.html.
        data: Folder of prepared data, for pictures of clips.

    Returns:
        Path of the page.

    Raises:
        Faults: there are no results, or some of them are damaged; all faults are listed.
    """
    html = page(results, data)
    out = results / "index.html"
    with whole(out) as path:
        path.write_text(html, encoding="utf-8")
    return out


def page(results: Path, data: Path) -> str:
    """Return the report page as HTML. Its links are relative to ``results``. Arguments as in ``report``."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    findings = audit()
    return environment.get_template("page.html.jinja").render(
        sources=list(_sources(results, data)),
        findings=findings,
        kinds={
            kind: (question, [finding for finding in findings if finding.check == kind])
            for kind, question in KINDS.items()
        },
        unchecked=[line.removeprefix("- ") for line in UNCHECKED],
        assumptions=list(assumptions().values()),
        leads=LEADS,
        rule_on_recordings=RULE_ON_RECORDINGS,
        one_line=lambda text: " ".join(text.split()),
        coded=_coded,
    )


def _coded(text: str) -> Markup:
    """Turn the parts of a Markdown sentence in backticks into code elements."""
    parts = [escape(part) for part in text.split("`")]
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else part for index, part in enumerate(parts)
    )


def _sources(results: Path, data: Path) -> Iterator[Source]:
    """Yield the content of each source in the page's order."""
    patterns = "*/table??.[cj]s*", f"*/{stem(COMPARE)}.json"
    folders = sorted({path.parent for pattern in patterns for path in results.glob(pattern)}, key=order)
    if not folders:
        raise Faults(
            f"{results}: there are no results yet; run `make table3` for the first, or look at the committed "
            "ones with `make report RESULTS=results/reference`"
        )
    by_folder = _reports(folders)
    total = sum(len(by_number) for by_number in by_folder.values())
    with Bar(total=total, desc="drawing", unit="table", leave=False) as bar:
        for index, (folder, by_number) in enumerate(by_folder.items()):
            environments = environments_of([item for reports in by_number.values() for item in reports])
            tables = []
            for number, reports in by_number.items():
                id, table = f"s{index}-table{number}", table_of(number, reports)
                tables.append(results_of(id, table, reports, folder, data, environments))
                bar.update()
            descriptions = [
                description_of(f"s{index}-table{number}", compared_in(folder, number, TABLES[number].title))
                for number in _numbers(folder)
                if number not in TRAINED
            ]
            yield Source(
                id=f"s{index}",
                title=TITLES.get(folder.name, f"'{folder.name}'"),
                warning=None if folder.name == NETWORK else warning(folder.name),
                results=tables,
                descriptions=descriptions,
                claims=claims_of(by_number, folder.name) if set(by_number) - {COMPARE} else None,
                compute=compute_of(by_number) if by_number else None,
                environments=environments,
            )


def _reports(folders: Sequence[Path]) -> dict[Path, dict[int, list[Report]]]:
    """Read the reports of every table of results: source folder -> table number -> reports."""
    return dict(zip(folders, of_each(reports_by_table, folders)))


def _numbers(folder: Path) -> list[int]:
    """Return the numbers of the tables that have a CSV file."""
    return [int(path.stem[-2:]) for path in sorted(folder.glob("table[01][0-9].csv"))]
