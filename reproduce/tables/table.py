"""What a table of results consists of: systems that are run, and the cells that show what they reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ALL", "AVERAGE", "Cell", "Profile", "System", "Table"]

AVERAGE = "average"  # a cell's fold: the mean of the folds' values
ALL = "all"  # a cell's fold: every fold's test clips in one


@dataclass(frozen=True)
class Profile:
    """Sizes that differ between the paper's settings and a demonstration. None: the paper's own."""

    size: int | None = None
    batch_size: int | None = None
    epochs: int | None = None


@dataclass(frozen=True)
class System:
    """What is trained. ``home`` is the table below which its runs are kept, under ``name``: a table that
    shows another one's system takes its runs from there. ``system`` is its name in
    ``network.zoo`` or ``reproduce.peers``, or None where only the paper's figures are shown;
    ``options``: keyword arguments of FreqCNN or of the peer's ``recognise``.
    """

    home: int
    name: str
    system: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One number of a table, where it stands (``row`` and ``column`` heads) and what it measures.

    ``fold``: a fold's name, AVERAGE or ALL. ``measure``: 'ACC', 'UAR', one of a peer's ``measures`` or a
    class's label: its recall, or, with ``predicted``, how many of its clips were taken for that class.
    ``paper``: as printed, in per cent or, with ``predicted``, a count; None where it could not be read
    or, not ``printed``, where the paper has no such number.
    """

    row: tuple[str, ...]
    column: str
    system: System
    fold: str
    measure: str
    paper: float | None
    predicted: str | None = None
    printed: bool = True


@dataclass(frozen=True)
class Table:
    """``heads`` names the columns of ``Cell.row``. ``architecture`` gives the paper's size and batch size
    to every system; ``quick`` is the demonstration's. ``claim``: the system whose lead the paper claims.
    ``notes``: sentences below the table.
    """

    number: int
    title: str
    corpus: str
    architecture: str
    folds: tuple[str, ...]
    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    quick: Profile
    claim: System
    notes: tuple[str, ...] = ()

    def systems(self) -> tuple[System, ...]:
        """Every system that has a cell, in the order of the cells."""
        found: list[System] = []
        for cell in self.cells:
            if cell.system not in found:
                found.append(cell.system)
        return tuple(found)
