"""Markdown that is also legible as plain text."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table; every column is as wide as its widest cell."""
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]

    def row(line: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"

    return [row(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(row, body)]
