"""The committed reference results: rendered again from their reports, and put into README.md.

``python -m reproduce reference`` does both; the tests do both aside and compare.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from data_prep.faults import Faults
from data_prep.files import whole

from .measure import Report
from .render import summary, write
from .tables import TABLES

__all__ = ["filled", "refresh", "reports_in"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def reports_in(folder: Path, number: int) -> list[Report]:
    """The reports that ``folder``/tableNN.json names, in its order.

    Raises Faults where the list or a report is missing.
    """
    listed = folder / f"table{number:02}.json"
    try:
        links = json.loads(listed.read_text(encoding="utf-8"))
        return [Report(link, json.loads((folder / link).read_text(encoding="utf-8"))) for link in links]
    except FileNotFoundError as error:
        raise Faults(
            f"there are no reports of table {number} in {folder}: {error.filename} is missing"
        ) from None


def filled(text: str, root: Path) -> str:
    """``text`` with every marked block filled from the reports that its mark names, below ``root``.

    Raises Faults for a mark that names no reports.
    """

    def block(match: re.Match) -> str:
        number = int(match[2])
        return f"{match[1]}{summary(TABLES[number], reports_in(root / match[3], number))}{match[4]}"

    return MARK.sub(block, text)


def refresh(root: Path) -> list[Path]:
    """Render results/reference and README.md below ``root`` again; the files written."""
    written = []
    for listed in sorted((root / "results" / "reference").glob("*/table??.json")):
        number = int(listed.stem[-2:])
        write(TABLES[number], reports_in(listed.parent, number), listed.with_suffix(""))
        written += sorted(listed.parent.glob(f"{listed.stem}.*"))
    readme = root / "README.md"
    text = filled(readme.read_text(encoding="utf-8"), root)
    with whole(readme) as path:
        path.write_text(text, encoding="utf-8")
    return [*written, readme]
