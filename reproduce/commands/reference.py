"""``python -m reproduce reference``: render the committed results, README.md and docs/protocol.md.

The tests render them to another place and compare.
"""

from __future__ import annotations

import re
from pathlib import Path

from data_prep.base.files import whole
from reproduce.assumptions import choices
from reproduce.options import COMPARE
from reproduce.paper.audit import audit
from reproduce.paper.audit import write as write_audit
from reproduce.render.claims import recordings_section, targets
from reproduce.render.claims import write as write_claims
from reproduce.render.table import summary, write
from reproduce.runs.report import reports_by_table, reports_in, table_of
from reproduce.sources import NETWORK
from reproduce.tables import TABLES, ArchitectureTable, stem
from reproduce.verdict import LEAST_SEEDS

__all__ = ["fill_claims", "fill_marks", "render_reference"]

CLAIMS_MARK = re.compile(r"(<!-- claims -->\n).*?(<!-- end -->)", re.S)
MARK = re.compile(r"(<!-- (?:table (\d+)|compare) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def fill_marks(text: str, root: Path) -> str:
    """Fill each marked block of ``text`` with the table that its mark names.

    Below a comparison stand the paper's claims that have enough seeds for an answer.

    Args:
        text: Markdown with marks such as '<!-- table 3 from results/reference/standin -->' or
            '<!-- compare from results/reference/emodb -->'.
        root: Folder of the repository, which the marks' paths are relative to.

    Raises:
        Faults: a mark names a folder without reports.
    """

    def block(match: re.Match) -> str:
        number = int(match[2] or COMPARE)
        reports = reports_in(root / match[3], number)
        table = table_of(number, reports)
        claims = recordings_section(table, reports, LEAST_SEEDS) if number == COMPARE else []
        return match[1] + "\n".join([summary(table, reports), *claims, *([""] if claims else [])]) + match[4]

    return MARK.sub(block, text)


def fill_claims(text: str) -> str:
    """Fill the block of ``text`` after the mark '<!-- claims -->' with the list of the paper's claims."""
    lines = "\n".join(targets())
    return CLAIMS_MARK.sub(lambda match: f"{match[1]}\n{lines}\n\n{match[2]}", text)


def render_reference(root: Path) -> list[Path]:
    """Render results/reference and the marked blocks of README.md and docs/protocol.md below ``root``.

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
    names = "table??.json", f"{stem(COMPARE)}.json"
    folders = sorted({listed.parent for name in names for listed in reference.glob(f"*/{name}")})
    for folder in folders:
        by_number = reports_by_table(folder)
        for number, reports in by_number.items():
            stems.append(folder / stem(number))
            write(table_of(number, reports), reports, stems[-1])
        if set(by_number) - {COMPARE}:
            stems.append(folder / "claims")
            write_claims(by_number, folder)
    written = [path for stem in stems for path in sorted(stem.parent.glob(f"{stem.name}.*"))]
    readme, protocol = root / "README.md", root / "docs" / "protocol.md"
    for path, text in (
        (readme, fill_marks(readme.read_text(encoding="utf-8"), root)),
        (protocol, fill_claims(protocol.read_text(encoding="utf-8"))),
    ):
        with whole(path) as aside:
            aside.write_text(text, encoding="utf-8")
    return [*written, readme, protocol]
