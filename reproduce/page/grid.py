"""A plain table of the report page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Grid"]


@dataclass(frozen=True)
class Grid:
    """A plain table.

    Attributes:
        head: Heads of the columns.
        body: Lines.
        links: Address for the first cell of each line, or nothing.
    """

    head: Sequence[str]
    body: Sequence[Sequence[str]]
    links: Sequence[str] = ()
