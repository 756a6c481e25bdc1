"""The sources of results, with the title, the order and the banner of each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "NETWORK",
    "PAPER",
    "QUICK",
    "RESERVED",
    "STANDIN",
    "TITLES",
    "banner",
    "devices_note",
    "order",
    "warning",
]

PAPER, STANDIN = "paper", "standin"
QUICK = "quick"  # the paper's corpora in the quick profile, whose sizes are not the paper's
NETWORK = "network"  # Tables 2, 7 and 10, which are read off the network
RESERVED = (PAPER, QUICK, STANDIN, NETWORK)  # a user's corpus must not have such a name
TITLES = {
    PAPER: "The paper's corpora",
    QUICK: "The paper's corpora, quick profile",
    STANDIN: "Synthesised speech",
    NETWORK: "The networks",
}
WARNINGS = {
    STANDIN: (
        "STAND-IN",
        "these are results on synthesised speech, not on the paper's corpus. They show that everything runs, "
        "and say nothing about the paper's numbers.",
    ),
    QUICK: (
        "QUICK",
        "these are results with small spectrograms and few epochs, not with the paper's sizes. They show "
        "that everything runs, and say nothing about the paper's numbers.",
    ),
}
OWN_WARNING = (
    "NOT THE PAPER'S CORPUS",
    "'{source}' is not a corpus of the paper, or it does not have the paper's counts. Do not compare its "
    "results with the paper's numbers.",
)


def order(folder: Path) -> tuple[int, str]:
    """Return a sort key of a source's folder: the paper, other corpora, the stand-in, the networks."""
    return {PAPER: 0, STANDIN: 2, NETWORK: 3}.get(folder.name, 1), folder.name


def warning(source: str) -> tuple[str, str] | None:
    """Return the mark and the sentence that warn of results that cannot be compared with the paper's.

    None for the paper's corpora in the paper's sizes.
    """
    if source == PAPER:
        return None
    mark, sentence = WARNINGS.get(source, OWN_WARNING)
    return mark, sentence.format(source=source)


def devices_note(devices: Iterable[str]) -> str:
    """Return a sentence that says that nothing was computed on a GPU; empty if that is not so.

    Args:
        devices: The devices that the reports state, such as 'cpu(0)'; without any, nothing is said.
    """
    kinds = {device.partition("(")[0] for device in devices}
    return "No report behind this table was computed on a GPU." if kinds and "gpu" not in kinds else ""


def banner(source: str, devices: Iterable[str] = ()) -> list[str]:
    """Return the Markdown lines above results: the ``warning``, then the ``devices_note``.

    Args:
        source: The source of the results.
        devices: The devices that their reports state.
    """
    marked, note = warning(source), devices_note(devices)
    sentences = [*(["**{}**: {}".format(*marked)] if marked else []), *([note] if note else [])]
    return [f"> {' '.join(sentences)}", ""] if sentences else []
