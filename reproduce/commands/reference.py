"""The committed reference results: rendered again from their reports, and put into README.md.

``python -m reproduce reference`` does both; the tests do both aside and compare.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.base.files import whole
from reproduce.assumptions import choices
from reproduce.paper.audit import audit
from reproduce.paper.audit import write as write_audit
from reproduce.render.table import summary, write
from reproduce.runs.report import reports_in
from reproduce.sources import NETWORK
from reproduce.tables import TABLES, ArchitectureTable, trained

__all__ = ["filled", "refresh"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def filled(text: str, root: Path) -> str:
    """``text`` with every marked block filled from the reports that its mark names, below ``root``.

    Raises Faults for a mark that names no reports.
    """

    def block(match: re.Match) -> str:
        number = int(match[2])
        return f"{match[1]}{summary(trained(number), reports_in(root / match[3], number))}{match[4]}"

    return MARK.sub(block, text)


def refresh(root: Path) -> list[Path]:
    """Render results/reference and README.md below ``root`` again; the files written."""
    reference = root / "results" / "reference"
    stems = [reference / "audit"]
    write_audit(audit(), stems[0])
    for number, table in TABLES.items():
        if isinstance(table, ArchitectureTable):
            stems.append(reference / NETWORK / f"table{number:02}")
            table.compare(choices(number)["network"]).write(stems[-1])
    for listed in sorted(reference.glob("*/table??.json")):
        number = int(listed.stem[-2:])
        stems.append(listed.with_suffix(""))
        write(trained(number), reports_in(listed.parent, number), stems[-1])
    written = [path for stem in stems for path in sorted(stem.parent.glob(f"{stem.name}.*"))]
    readme = root / "README.md"
    text = filled(readme.read_text(encoding="utf-8"), root)
    with whole(readme) as path:
        path.write_text(text, encoding="utf-8")
    return [*written, readme]
