"""The parts of a table of results: the systems that it runs and the cells that show their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reproduce.options import COMPARE

__all__ = ["ALL", "AVERAGE", "Cell", "Sizes", "System", "Table", "heading", "stem"]

AVERAGE = "average"  # a cell's fold: the mean of the folds' values
ALL = "all"  # a cell's fold: the test clips of every fold, pooled


def stem(number: int) -> str:
    """Return the name of a table's files and of the folder of its runs: 'table03', or 'compare'."""
    return "compare" if number == COMPARE else f"table{number:02}"


def heading(number: int) -> str:
    """Return the name of a table in a text: 'Table 3', or 'Comparison'."""
    return "Comparison" if number == COMPARE else f"Table {number}"


@dataclass(frozen=True)
class Sizes:
    """The settings that differ between the profiles.

    Attributes:
        size: Side of the square spectrograms, in pixels.
        batch_size: Samples in a batch.
        epochs: Passes over the training clips.
    """

    size: int
    batch_size: int
    epochs: int


@dataclass(frozen=True)
class System:
    """A network or a peer that a table compares.

    Attributes:
        home: Number of the table whose folder holds the runs. A table that shows another table's system
            takes the runs from that folder.
        name: Name of the runs' folder and of the report's row.
        system: Name in ``network.zoo`` or ``reproduce.peers``.
        options: Keyword arguments of FreqCNN or of the peer's ``recognise``.
    """

    home: int
    name: str
    system: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Attributes:
        row: Heads of the cell's row, from left to right.
        column: Head of the cell's column.
        system: The system that the number describes.
        fold: A fold's name, AVERAGE or ALL.
        measure: 'ACC', 'UAR', one of a peer's ``measures``, or the label of a class: its recall or, with
            ``predicted``, the number of its clips that were recognised as that class.
        paper: The printed number, in per cent (a count with ``predicted``). None or NaN if it is illegible
            or, unless ``printed``, if the paper has no such number.
        predicted: Label of the recognised class in a confusion matrix, otherwise None.
        printed: Whether the paper prints this cell.
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
    """A table of results.

    Attributes:
        number: The paper's number of the table, or COMPARE.
        title: The paper's title.
        corpus: Name in ``reproduce.corpora.CORPORA``.
        architecture: FreqCNN's name in ``network.architectures``. Every system takes its size and batch
            size in the profile 'paper'.
        folds: The folds that each system is tested on; 'test' is the corpus's own split.
        heads: Names of the columns that hold ``Cell.row``.
        cells: Every number of the table, row by row.
        quick: Sizes in all profiles but 'paper'.
        claim: The system that the paper claims to be the best; the others are tested against it.
        notes: Sentences below the table.
        data: Choices about the data that are not assumptions.
    """

    number: int
    title: str
    corpus: str
    architecture: str
    folds: tuple[str, ...]
    heads: tuple[str, ...]
    cells: tuple[Cell, ...]
    quick: Sizes
    claim: System
    notes: tuple[str, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name in a text, see ``heading``."""
        return heading(self.number)

    @property
    def stem(self) -> str:
        """The name of the table's files, see ``stem``."""
        return stem(self.number)

    def systems(self) -> tuple[System, ...]:
        """List every system that has a cell, in the order of the cells."""
        systems: list[System] = []
        for cell in self.cells:
            if cell.system not in systems:
                systems.append(cell.system)
        return tuple(systems)
