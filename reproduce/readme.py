"""The committed reference results: rendered again from their reports, and put into README.md.

``python -m reproduce reference`` does both; the tests do both aside and compare.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from data_prep.faults import Faults
from data_prep.files import whole

from .audit import audit
from .audit import write as write_audit
from .facts import ARCHITECTURES, NETWORK, architecture_table
from .measure import Report
from .render import summary, write
from .tables import TABLES

__all__ = ["filled", "refresh", "reports_in"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def reports_in(folder: Path, number: int) -> list[Report]:
    """The reports that ``folder``/tableNN.json names, in its order.

    Raises Faults where the list or a report is missing or damaged.
    """
    listed = folder / f"table{number:02}.json"
    try:
        links = json.loads(listed.read_text(encoding="utf-8"))
        return [Report(link, json.loads((folder / link).read_text(encoding="utf-8"))) for link in links]
    except ValueError as error:
        raise Faults(
            f"the reports of table {number} in {folder} are damaged ({error}): delete the one that is, and "
            f"`make table{number}` makes it again"
        ) from None
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
    reference = root / "results" / "reference"
    stems = [reference / "audit"]
    write_audit(audit(), stems[0])
    for number in ARCHITECTURES:
        stems.append(reference / NETWORK / f"table{number:02}")
        architecture_table(number).write(stems[-1])
    for listed in sorted(reference.glob("*/table??.json")):
        number = int(listed.stem[-2:])
        stems.append(listed.with_suffix(""))
        write(TABLES[number], reports_in(listed.parent, number), stems[-1])
    written = [path for stem in stems for path in sorted(stem.parent.glob(f"{stem.name}.*"))]
    readme = root / "README.md"
    text = filled(readme.read_text(encoding="utf-8"), root)
    with whole(readme) as path:
        path.write_text(text, encoding="utf-8")
    return [*written, readme]
