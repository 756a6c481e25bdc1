"""Each table of results as data: which systems it runs, and where the paper's cells and ours stand."""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.base.faults import Faults
from reproduce.tables import table03, table04, table05, table08, table09, table11, table12
from reproduce.tables.table import ALL, AVERAGE, Cell, Profile, System, Table

__all__ = ["ALL", "AVERAGE", "NUMBERS", "TABLES", "Cell", "Profile", "System", "Table", "known", "trained"]

NUMBERS = tuple(range(1, 13))
TABLES = {
    each.TABLE.number: each.TABLE for each in (table03, table04, table05, table08, table09, table11, table12)
}
"""Those that show results; Tables 1, 2, 6, 7 and 10 describe corpora and networks (``facts``)."""


def known(numbers: Sequence[int]) -> Sequence[int]:
    """The numbers, if the paper has all of these tables; Faults naming the others."""
    if unknown := [number for number in numbers if number not in NUMBERS]:
        raise Faults(f"there is no table {', '.join(map(str, unknown))}: the paper's are 1 to {NUMBERS[-1]}")
    return numbers


def trained(number: int) -> Table:
    """Table ``number``, one that shows results; Faults naming those otherwise."""
    if number not in TABLES:
        raise Faults(f"there are no results in table {number}: choose one of {', '.join(map(str, TABLES))}")
    return TABLES[number]
