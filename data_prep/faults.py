"""How every command says what is wrong with its input: all of it, at once, in plain words."""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Callable, Iterable

SHOWN = 50  # more lines than this scroll the cause off the screen


class Faults(Exception):
    """Everything found wrong with an input.

    Each fault is one plain sentence that names the file, what is wrong with it and what to do.
    """

    def __init__(self, faults: str | Iterable[str]):
        self.faults = [faults] if isinstance(faults, str) else list(faults)
        super().__init__(self.faults)

    def __str__(self) -> str:
        if len(self.faults) == 1:
            return self.faults[0]
        lines = [f"{len(self.faults)} faults:"] + [f"  {fault}" for fault in self.faults[:SHOWN]]
        if len(self.faults) > SHOWN:
            lines.append(f"  ... and {len(self.faults) - SHOWN} more")
        return "\n".join(lines)


def told_plainly(main: Callable[..., int | None]) -> Callable[..., int]:
    """Wrap a command's ``main``: faults become an error message and exit code 1, no traceback.

    So does what the system refuses (a full disk, a folder that may not be written): no code can foresee it.
    """

    @functools.wraps(main)
    def wrapped(*args, **kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except Faults as faults:
            print(f"error: {faults}", file=sys.stderr)
            return 1
        except OSError as error:
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            print(f"error: {what}; check the disk and permissions", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("stopped; the same command goes on from here", file=sys.stderr)
            return 130

    return wrapped


def positive(text: str) -> int:
    """A command line's whole number from 1 up, for argparse's ``type``."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)
