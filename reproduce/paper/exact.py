"""Exact arithmetic on the paper's numbers as they are printed, for ``audit`` and ``claims``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil, floor

import pandas as pd

from reproduce.paper.published import FOLDER

__all__ = ["Finding", "Printed", "accents", "number", "printed", "rounds_to", "shown", "whole_count"]

Printed = Mapping[str, pd.DataFrame]  # file -> its cells as strings, indexed by the first column


@dataclass(frozen=True)
class Finding:
    """One check: of which kind, where in the paper, what is printed there, what arithmetic finds."""

    check: str
    where: str
    claim: str
    found: str
    agrees: bool


def printed() -> dict[str, pd.DataFrame]:
    """Every paper/table*.csv, each cell as it is typed there."""
    return {
        path.stem: pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
        for path in sorted(FOLDER.glob("table*.csv"))
    }


def accents(tables: Printed) -> dict[str, int]:
    """Clips of each accent in Table 1's test part."""
    row = tables["table01_ut_podcast_counts"].loc["testing"]
    return {label: int(row[label]) for label in ("AU", "UK", "US")}


def number(cell: str) -> Fraction:
    """The number that a cell prints, exactly."""
    return Fraction(Decimal(cell))


def rounds_to(value: Fraction, cell: str, places: int = 2) -> bool:
    """Whether ``value``, rounded to so many decimals (a half up or to even), is the number in the cell."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    unit = Decimal(1).scaleb(-places)
    wanted = Decimal(cell).quantize(unit)
    return any(exact.quantize(unit, rounding=how) == wanted for how in (ROUND_HALF_UP, ROUND_HALF_EVEN))


def whole_count(cell: str, total: int, places: int = 2) -> int | None:
    """The count out of ``total`` whose percentage the cell prints; None if there is none."""
    near = number(cell) * total / 100
    for count in range(max(0, floor(near) - 1), min(total, ceil(near) + 1) + 1):
        if rounds_to(Fraction(100 * count, total), cell, places):
            return count
    return None


def shown(value: Fraction) -> str:
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
