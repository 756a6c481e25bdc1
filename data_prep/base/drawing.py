"""Draw the user's texts, such as file names and labels, literally.

matplotlib reads a text with two dollar signs as mathematics. So functions that draw names or labels need the
decorator ``plain_text()``.
"""

from __future__ import annotations

import textwrap
import warnings
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from data_prep.base.faults import note, one_line

__all__ = ["fitted", "plain_text", "save_png"]

LONGEST, LINE = 240, 100  # most characters of a title, and of one of its lines

LITERAL = {"text.parse_math": False, "text.usetex": False, "axes.formatter.use_mathtext": False}


def plain_text():
    """Return a context manager, also usable as a decorator, in which new texts are drawn literally."""
    return rc_context(LITERAL)


def fitted(text: str, longest: int = LONGEST) -> str:
    """Escape control characters in a title, cut its middle if it is long, and wrap it."""
    line = one_line(text).replace("\t", " ")
    if len(line) > longest:
        half = longest // 2
        line = f"{line[:half]} … {line[-half:]}"
    return "\n".join(textwrap.wrap(line, LINE, replace_whitespace=False)) or line


def save_png(figure: Figure, path: Path, title: str, dpi: int) -> None:
    """Write a figure as PNG, and replace warnings about characters of ``title`` by a note."""
    with warnings.catch_warnings(record=True) as caught, plain_text():
        warnings.simplefilter("always")
        figure.savefig(path, format="png", dpi=dpi)
    if any("missing from" in str(warning.message) for warning in caught):
        note(f"note: the picture's font lacks characters of {title!r}; they appear as boxes.")
