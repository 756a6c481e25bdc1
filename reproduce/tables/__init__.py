"""The paper's twelve tables as data, one module each."""

from __future__ import annotations

from collections.abc import Sequence

from data_prep.base.faults import Faults
from reproduce.tables import (
    table01,
    table02,
    table03,
    table04,
    table05,
    table06,
    table07,
    table08,
    table09,
    table10,
    table11,
    table12,
)
from reproduce.tables.architecture import ArchitectureTable
from reproduce.tables.comparison import CountTable
from reproduce.tables.table import ALL, AVERAGE, Cell, Sizes, System, Table, heading, stem

__all__ = [
    "ALL",
    "AVERAGE",
    "TABLES",
    "TRAINED",
    "ArchitectureTable",
    "Cell",
    "CountTable",
    "Sizes",
    "System",
    "Table",
    "check_numbers",
    "heading",
    "stem",
    "trained",
]

TABLES: dict[int, CountTable | ArchitectureTable | Table] = {
    module.TABLE.number: module.TABLE
    for module in (
        table01,
        table02,
        table03,
        table04,
        table05,
        table06,
        table07,
        table08,
        table09,
        table10,
        table11,
        table12,
    )
}
TRAINED = tuple(number for number, table in TABLES.items() if isinstance(table, Table))
"""The numbers of the tables that show results; the others describe corpora and networks."""


def check_numbers(numbers: Sequence[int]) -> Sequence[int]:
    """Return ``numbers`` if the paper has all of these tables; otherwise raise Faults that name the rest."""
    if unknown := [number for number in numbers if number not in TABLES]:
        raise Faults(f"there is no table {', '.join(map(str, unknown))}: the paper has 1 to {len(TABLES)}")
    return numbers


def trained(number: int) -> Table:
    """Return table ``number``, which must show results; otherwise raise Faults that name those that do."""
    table = TABLES.get(number)
    if not isinstance(table, Table):
        choice = ", ".join(map(str, TRAINED))
        raise Faults(f"there are no results in table {number}: choose one of {choice}")
    return table
