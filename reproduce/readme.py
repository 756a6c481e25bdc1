"""The committed reference results: rendered again from their reports, and put into README.md.

``python -m reproduce reference`` does both; the tests do both aside and compare.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from data_prep.faults import Faults
from data_prep.files import whole

from .render import summary, write
from .tables import TABLES, Table

__all__ = ["filled", "refresh", "reports_in"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def reports_in(folder: Path, table: Table) -> tuple[dict[str, list[dict]], dict[str, list[str]]]:
    """Every report of ``table`` below ``folder`` and its path, by row in the table's order, then by seed."""
    found = [
        (json.loads(path.read_text(encoding="utf-8")), path.relative_to(folder).as_posix())
        for path in sorted(folder.glob(f"table{table.number:02}/*/*/report.json"))
    ]
    reports: dict[str, list[dict]] = {}
    links: dict[str, list[str]] = {}
    for row in table.rows:
        for report, link in sorted(found, key=lambda each: each[0]["run"]["seed"]):
            if report["run"]["row"] == row.name:
                reports.setdefault(row.name, []).append(report)
                links.setdefault(row.name, []).append(link)
    return reports, links


def filled(text: str, root: Path) -> str:
    """``text`` with every marked block filled from the reports that its mark names, below ``root``.

    Raises Faults for a mark that names no reports.
    """

    def block(match: re.Match) -> str:
        table = TABLES[int(match[2])]
        reports, _ = reports_in(root / match[3], table)
        if not reports:
            raise Faults(f"README.md: there are no reports of table {table.number} in {match[3]}")
        return f"{match[1]}{summary(table, reports)}{match[4]}"

    return MARK.sub(block, text)


def refresh(root: Path) -> list[Path]:
    """Render results/reference and README.md below ``root`` again; the files written."""
    written = []
    for folder in sorted((root / "results" / "reference").iterdir()):
        for table in TABLES.values():
            reports, links = reports_in(folder, table)
            if reports:
                stem = folder / f"table{table.number:02}"
                write(table, reports, links, stem)
                written += [stem.with_suffix(".md"), stem.with_suffix(".csv")]
    readme = root / "README.md"
    text = filled(readme.read_text(encoding="utf-8"), root)
    with whole(readme) as path:
        path.write_text(text, encoding="utf-8")
    return [*written, readme]
