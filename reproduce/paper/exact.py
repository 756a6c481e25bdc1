"""Exact arithmetic on the paper's numbers as they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import ceil, floor

import pandas as pd

from reproduce.paper.published import FOLDER

__all__ = [
    "Finding",
    "Printed",
    "accents",
    "mean",
    "number",
    "printed",
    "rounds_to",
    "shown",
    "whole_count",
]

Printed = Mapping[str, pd.DataFrame]  # file -> its cells as strings, indexed by the first column


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        check: The kind of check, a key of ``audit.KINDS``.
        where: The place in the paper.
        claim: The number that is printed there, or the claim.
        found: The number that arithmetic, or another place, gives.
        agrees: Whether the two agree.
    """

    check: str
    where: str
    claim: str
    found: str
    agrees: bool


def printed() -> dict[str, pd.DataFrame]:
    """Read every table*.csv beside this module, each cell as the string that is typed there."""
    return {
        path.stem: pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
        for path in sorted(FOLDER.glob("table*.csv"))
    }


def accents(tables: Printed) -> dict[str, int]:
    """Return the number of clips of each accent in Table 1's test part."""
    row = tables["table01_ut_podcast_counts"].loc["testing"]
    return {label: int(row[label]) for label in ("AU", "UK", "US")}


def number(cell: str) -> Fraction:
    """Return the exact number that a cell prints."""
    return Fraction(Decimal(cell))


def mean(values: Iterable[Fraction]) -> Fraction:
    """Return the exact mean."""
    listed = list(values)
    return sum(listed, Fraction(0)) / len(listed)


def rounds_to(value: Fraction, cell: str, places: int = 2) -> bool:
    """Whether ``value``, rounded to ``places`` decimals (half up or half to even), is the cell's number."""
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    unit = Decimal(1).scaleb(-places)
    wanted = Decimal(cell).quantize(unit)
    return any(
        exact.quantize(unit, rounding=rounding) == wanted for rounding in (ROUND_HALF_UP, ROUND_HALF_EVEN)
    )


def whole_count(cell: str, total: int, places: int = 2) -> int | None:
    """Return the count out of ``total`` whose percentage the cell prints, or None if there is none."""
    near = number(cell) * total / 100
    for count in range(max(0, floor(near) - 1), min(total, ceil(near) + 1) + 1):
        if rounds_to(Fraction(100 * count, total), cell, places):
            return count
    return None


def shown(value: Fraction) -> str:
    """Return a number with up to four decimals."""
    return f"{float(value):.4f}".rstrip("0").rstrip(".")
