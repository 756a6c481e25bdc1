"""The committed reference results: rendered again from their reports, and put into README.md.

``python -m reproduce reference`` does both; the tests do both aside and compare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from data_prep.faults import Faults
from data_prep.files import whole

from .audit import audit
from .audit import write as write_audit
from .corpora import NETWORK
from .facts import ARCHITECTURES, architecture_table
from .measure import Report
from .render import summary, write
from .reports import links, read
from .runs import Run
from .tables import TABLES, Table

__all__ = ["filled", "refresh", "reports_in"]

MARK = re.compile(r"(<!-- table (\d+) from (\S+) -->\n).*?(<!-- end -->)", re.S)


def reports_in(folder: Path, number: int) -> list[Report]:
    """The reports that ``folder``/tableNN.json names, in its order.

    Raises Faults with everything that is wrong: the list or a report is missing or damaged, a report is in
    another run's folder, or they are not those of one table.
    """
    listed = folder / f"table{number:02}.json"
    found, faults = [], []
    for link in dict.fromkeys(links(listed)):
        path = folder / link
        try:
            content = read(path)
        except Faults as fault:
            faults += fault.faults
            continue
        if Run(**content["run"]).folder(folder.parent) != path.parent:
            faults.append(f"{path}: is the report of another run than its folder is named for; put it back")
        found.append(Report(link, content))
    if not faults:
        remedy = f"`make table{number}` writes the list of the table's reports again"
        faults = [f"{listed}: {each}; {remedy}" for each in _not_together(TABLES[number], found)]
    if faults:
        raise Faults(faults)
    return found


def _not_together(table: Table, found: Sequence[Report]) -> list[str]:
    """Why these are not the reports of one table."""
    faults = []
    for name in ("data", "profile"):
        if len({each.content["run"][name] for each in found}) > 1:
            faults.append(f"its reports are of more than one {name}")
    if len({tuple(each.content["labels"]) for each in found}) > 1:
        faults.append("its reports have not all the same labels")
    rows: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for each in found:
        run = each.content["run"]
        rows.setdefault((run["table"], run["row"]), []).append((run["seed"], run["fold"]))
    known = {(system.home, system.name) for system in table.systems()}
    for (home, row), runs in rows.items():
        if (home, row) not in known:
            faults.append(f"{row} is no row of table {table.number}")
            continue
        seeds = {seed for seed, _ in runs}
        if sorted(runs) != sorted((seed, fold) for seed in seeds for fold in table.folds):
            faults.append(f"{row} has not one report for each fold and seed")
    return faults


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
