"""``python -m reproduce reference``: render the committed results and README.md from their reports.

The tests render them to another place and compare.
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

__all__ = ["fill_marks", "render_reference"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def fill_marks(text: str, root: Path) -> str:
    """Fill each marked block of ``text`` with the table that its mark names.

    Args:
        text: Markdown with marks such as '<!-- table 3 from results/reference/standin -->'.
        root: Folder of the repository, which the marks' paths are relative to.

    Raises:
        Faults: a mark names a folder without reports.
    """

    def block(match: re.Match) -> str:
        number = int(match[2])
        return f"{match[1]}{summary(trained(number), reports_in(root / match[3], number))}{match[4]}"

    return MARK.sub(block, text)


def render_reference(root: Path) -> list[Path]:
    """Render results/reference and the marked blocks of README.md below ``root``.

    Returns:
        The files that were written.
    """
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
    text = fill_marks(readme.read_text(encoding="utf-8"), root)
    with whole(readme) as path:
        path.write_text(text, encoding="utf-8")
    return [*written, readme]
