"""Where results come from, and the title, order and banner of each source."""

from __future__ import annotations

from pathlib import Path

__all__ = ["NETWORK", "PAPER", "QUICK", "RESERVED", "STANDIN", "TITLES", "banner", "order", "warning"]

PAPER, STANDIN = "paper", "standin"
QUICK = "quick"  # results of the paper's corpora in the quick profile, which are not the paper's sizes
NETWORK = "network"  # what is read off the network: Tables 2, 7 and 10
RESERVED = (PAPER, QUICK, STANDIN, NETWORK)  # sources whose results are read otherwise than anybody's own
TITLES = {
    PAPER: "The paper's corpora",
    QUICK: "The paper's corpora, quick profile",
    STANDIN: "Synthesised speech",
    NETWORK: "The networks",
}
WARNINGS = {
    STANDIN: (
        "STAND-IN",
        "these are results on synthesised speech, not on the paper's corpus. They show that everything runs "
        "and learns, and say nothing about the paper's numbers.",
    ),
    QUICK: (
        "QUICK",
        "these are results of small spectrograms and few epochs, not of the paper's sizes. They show that "
        "everything runs and learns, and say nothing about the paper's numbers.",
    ),
}
OWN_WARNING = (
    "NOT THE PAPER'S CORPUS",
    "'{source}' has the layout of the paper's corpus but not its counts. Its results are not to be set "
    "against the paper's numbers.",
)


def order(folder: Path) -> tuple[int, str]:
    """The paper's corpora first, then anybody's own, the stand-in, the networks."""
    return {PAPER: 0, STANDIN: 2, NETWORK: 3}.get(folder.name, 1), folder.name


def warning(source: str) -> tuple[str, str] | None:
    """What results on anything but the paper's corpus, in its sizes, are marked with: a word or two, and a
    sentence.
    """
    if source == PAPER:
        return None
    mark, sentence = WARNINGS.get(source, OWN_WARNING)
    return mark, sentence.format(source=source)


def banner(source: str) -> list[str]:
    """``warning`` as the lines that stand above results."""
    told = warning(source)
    return ["> **{}**: {}".format(*told), ""] if told else []
