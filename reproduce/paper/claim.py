"""A claim of the paper as data: numbers that are compared, and the relation that must hold between them.

``paper.claims`` lists the claims. The audit evaluates them on the paper's own numbers with the functions of
this module; ``reproduce.claims`` evaluates the same list on ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import pandas as pd

from reproduce.paper.exact import Finding, Printed, number, rounds_to, shown

__all__ = [
    "ABOVE",
    "EQUAL",
    "NOT_BELOW",
    "NOTHING",
    "Claim",
    "Comparison",
    "Part",
    "Place",
    "Quantity",
    "cell_at",
    "examined",
    "printed_values",
]

ABOVE, NOT_BELOW, EQUAL = "above", "not below", "equal"  # relations
FEW = 4  # a claim with at most FEW parts shows its numbers, one with more shows how many parts hold


@dataclass(frozen=True)
class Place:
    """A cell of the paper's tables.

    Attributes:
        file: Name of the CSV file beside this module, without its ending.
        row: Value of the file's first column.
        column: Head of the cell's column.
        where: 'column=value', if several lines have the same ``row``; otherwise empty.
        of: For a count, the number of clips that it is a share of; otherwise 0.
    """

    file: str
    row: str
    column: str
    where: str = ""
    of: int = 0

    @property
    def table(self) -> int:
        """The number of the paper's table."""
        return int(self.file[5:7])

    @property
    def value(self) -> str:
        """The value in ``where``."""
        return self.where.partition("=")[2]


@dataclass(frozen=True)
class Quantity:
    """A weighted sum of cells in per cent: one number, a mean, or a gain.

    Attributes:
        name: Its name in rankings.
        terms: Weights and cells.
    """

    name: str
    terms: tuple[tuple[Fraction, Place], ...]


NOTHING = Quantity("0", ())


@dataclass(frozen=True)
class Comparison:
    """Two quantities of one table, of which the claim's relation must hold: ``first`` to ``second``.

    Attributes:
        first: The quantity that is said to be higher.
        second: The quantity that it is compared with.
        name: Its name in lists; if empty, the two quantities' names are used.
    """

    first: Quantity
    second: Quantity
    name: str = ""

    def __str__(self) -> str:
        return self.name or f"{self.first.name} above {self.second.name}"

    def places(self) -> list[Place]:
        """List the cells that it compares."""
        return [place for _, place in (*self.first.terms, *self.second.terms)]

    def difference(self, value: Callable[[Place], Fraction]) -> Fraction:
        """Return the first quantity less the second, in percentage points."""
        return _total(self.first, value) - _total(self.second, value)


Part = tuple[Comparison, ...]  # holds if one of its comparisons holds


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper that compares numbers, or quotes one.

    Attributes:
        section: The section of the paper.
        words: The paper's words.
        wanted: The claim in short.
        parts: The claim holds if every part holds; a part holds if one of its comparisons does.
        relation: ABOVE, NOT_BELOW or EQUAL.
        reading: How the words are read, if they can be read in more than one way.
        number: With EQUAL, the number that the difference must round to, as the paper prints it.
        paper_only: Why the claim concerns the paper's numbers alone; empty if ours can be examined too.
    """

    section: str
    words: str
    wanted: str
    parts: tuple[Part, ...]
    relation: str = ABOVE
    reading: str = ""
    number: str = ""
    paper_only: str = ""

    def __str__(self) -> str:
        reading = f" ({self.reading})" if self.reading else ""
        return f"{self.words}{reading}"

    def comparisons(self) -> list[Comparison]:
        """List the comparisons of all parts."""
        return [comparison for part in self.parts for comparison in part]

    def tables(self) -> list[int]:
        """List the numbers of the tables that it compares."""
        return sorted({place.table for item in self.comparisons() for place in item.places()})

    def related(self, difference: Fraction) -> bool:
        """Whether a difference of two exact numbers satisfies the relation."""
        if self.relation == EQUAL:
            return rounds_to(difference, self.number, len(self.number.partition(".")[2]))
        return difference > 0 or (self.relation == NOT_BELOW and difference == 0)


def cell_at(tables: Printed, place: Place) -> str:
    """Return the printed cell at a place; empty if it is illegible."""
    frame = tables[place.file]
    chosen = frame.index.astype(str) == place.row
    column, _, value = place.where.partition("=")
    if column:
        chosen &= (frame[column] == value).to_numpy()
    return frame[place.column].to_numpy()[chosen][0]


def printed_values(tables: Printed, diagonal: pd.Series) -> Callable[[Place], Fraction]:
    """Return a function that looks up the printed number at a place, in per cent.

    Args:
        tables: The paper's tables.
        diagonal: Table 12's correct clips of each emotion, because one of its rows is illegible.
    """
    twelve = tables["table12_confusion"].copy()
    for label, count in diagonal.items():
        twelve.loc[label, label] = str(count)
    legible = {**tables, "table12_confusion": twelve}

    @cache
    def value(place: Place) -> Fraction:
        cell = number(cell_at(legible, place))
        return 100 * cell / place.of if place.of else cell

    return value


def examined(claim: Claim, value: Callable[[Place], Fraction]) -> Finding:
    """Examine a claim on the paper's numbers, which ``value`` looks up."""
    agrees = all(any(claim.related(item.difference(value)) for item in part) for part in claim.parts)
    return Finding("claim", f"{claim.section}: '{claim}'", claim.wanted, _result(claim, value), agrees)


def _result(claim: Claim, value: Callable[[Place], Fraction]) -> str:
    """Show the numbers behind a claim, or how many of its parts hold."""
    comparisons = claim.comparisons()
    if claim.relation == EQUAL:
        difference = comparisons[0].difference(value)
        return f"{'+' if comparisons[0].second.terms else ''}{shown(difference)}"
    if not any(item.name for item in comparisons):
        return ", ".join(f"{name} {shown(total)}" for name, total in _ranked(comparisons, value))
    if len(claim.parts) <= FEW:
        best = (max(part, key=lambda item: item.difference(value)) for part in claim.parts)
        return "; ".join(
            f"{item} {shown(_total(item.first, value))} against {shown(_total(item.second, value))}"
            for item in best
        )
    failing = [
        str(part[0])
        for part in claim.parts
        if not any(claim.related(item.difference(value)) for item in part)
    ]
    count = len(claim.parts)
    return f"{count - len(failing)} of {count}" + (f"; not {', '.join(failing)}" if failing else "")


def _ranked(
    comparisons: Iterable[Comparison], value: Callable[[Place], Fraction]
) -> list[tuple[str, Fraction]]:
    """Return the name and the value of each quantity that is compared, the highest first."""
    quantities = dict.fromkeys(quantity for item in comparisons for quantity in (item.first, item.second))
    totals = [(quantity.name, _total(quantity, value)) for quantity in quantities]
    return sorted(totals, key=lambda entry: entry[1], reverse=True)


def _total(quantity: Quantity, value: Callable[[Place], Fraction]) -> Fraction:
    return sum((weight * value(place) for weight, place in quantity.terms), Fraction(0))
