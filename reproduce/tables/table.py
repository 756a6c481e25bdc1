"""What a table of results consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Row", "Table"]


@dataclass(frozen=True)
class Row:
    """A system as the paper calls it. ``system`` is its name in ``freqcnn_gluon.systems``, or None where
    only the paper's figures are shown. ``paper``: measure -> percentage as printed.
    """

    name: str
    system: str | None
    paper: Mapping[str, float]


@dataclass(frozen=True)
class Table:
    """``architecture`` gives the paper's size and batch size to every row. ``measures``: what is
    compared, a class label (its recall) or 'UAR'.
    """

    number: int
    title: str
    architecture: str
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
