"""How every command says what is wrong with its input: all of it, at once, in plain words."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path

SHOWN = 50  # more lines than this scroll the cause off the screen
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Faults(Exception):
    """Everything found wrong with an input.

    Each fault is one plain sentence that names the file, what is wrong with it and what to do. ``out``: what
    the command that failed was to fill, if anything.
    """

    out: Path | None = None

    def __init__(self, faults: str | Iterable[str]):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        shown = [printable(fault) for fault in self.faults[:SHOWN]]
        if len(self.faults) == 1:
            return shown[0]
        lines = [f"{len(self.faults)} faults:"] + [f"  {fault}" for fault in shown]
        if len(self.faults) > SHOWN:
            lines.append(f"  ... and {len(self.faults) - SHOWN} more")
        return "\n".join(lines)


def printable(text: str) -> str:
    """``text`` with its control characters spelt out: a terminal would obey those in a file's name."""
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def note(sentence: str) -> None:
    """Say on stderr what is no fault and yet to be known before hours are spent."""
    print(printable(sentence), file=sys.stderr, flush=True)
