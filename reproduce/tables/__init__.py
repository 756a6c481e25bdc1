"""Each table as data: its rows, which system each one runs, its columns and the paper's cells."""

from __future__ import annotations

from data_prep.faults import Faults

from . import table03
from .table import Table

__all__ = ["TABLES", "Table", "table"]

TABLES = {each.number: each for each in (table03.TABLE,)}


def table(number: int) -> Table:
    """Table ``number`` of the paper; Faults naming those that can be run otherwise."""
    if number not in TABLES:
        raise Faults(f"there is no table {number} to run: choose one of {', '.join(map(str, TABLES))}")
    return TABLES[number]
