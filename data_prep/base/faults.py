"""The exception that lists everything wrong with an input, and the notes printed beside it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

SHOWN = 50  # more lines than this scroll the cause off the screen
# Control characters, line and paragraph separators, and characters that reverse the order of the text.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Lines(str):
    """A fault of several lines, such as a table of counts. It must not contain the name of a file."""


class Faults(Exception):
    """Everything that is wrong with an input.

    Attributes:
        faults: One sentence for each fault, or ``Lines``. It names the file, the fault and the remedy.
        out: The output that the failed command was writing, if any.
    """

    out: Path | None = None

    def __init__(self, faults: str | Iterable[str]):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        shown = [one_line(fault) for fault in self.faults[:SHOWN]]
        if len(self.faults) == 1:
            return shown[0]
        lines = [f"{len(self.faults)} faults:"] + [textwrap.indent(fault, "  ") for fault in shown]
        if len(self.faults) > SHOWN:
            lines.append(f"  ... and {len(self.faults) - SHOWN} more")
        return "\n".join(lines)


def of_each(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call ``function`` with each item, and return the results in order.

    Raises:
        Faults: Everything that is wrong with any of the items.
    """
    results, faults = [], []
    for item in items:
        try:
            results.append(function(item))
        except Faults as fault:
            faults += fault.faults
    if faults:
        raise Faults(faults)
    return results


def printable(text: str) -> str:
    """Escape the control characters of ``text``: a terminal would obey those in a file's name."""
    return CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def one_line(text: str) -> str:
    """Escape also the line breaks of ``text``, which may be in a file's name. Those of ``Lines`` are kept."""
    escaped = printable(text)
    return escaped if isinstance(text, Lines) else escaped.replace("\n", "\\n")


def note(sentence: str) -> None:
    """Print a note on stderr that the user should read before a long computation."""
    print(one_line(sentence), file=sys.stderr, flush=True)
