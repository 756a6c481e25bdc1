"""Tables 1 and 6: the clips of UT-Podcast and CHAINS, counted."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_prep.corpora import chains, ut_podcast
from reproduce.paper.published import published
from reproduce.sources import PAPER
from reproduce.tables.comparison import COUNTS, Comparison, tidy

__all__ = ["counts_table"]


def counts_table(number: int, manifest: pd.DataFrame, source: str) -> Comparison:
    """Table 1 from UT-Podcast's manifest (with ``copies``) or 6 from CHAINS's (with ``fold``).

    ``source``: 'paper' sets the counts against the paper's; any other carries its banner and no verdict.
    """
    paper, ours = (_accents if number == 1 else _folds)(manifest)
    frame = tidy(paper, ours)
    same = frame["paper"] == frame["ours"]
    frame["verdict"] = same.map({True: "same", False: "different"}) if source == PAPER else ""
    return Comparison(number, COUNTS[number], source, frame, pd.DataFrame(index=paper.index))


def _accents(manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1: clips per accent; 'UK2' and 'Over-sampled' as often as they are used."""
    printed = published("table01_ut_podcast_counts")
    counted = manifest.groupby(["partition", "label"])["copies"].agg(["size", "sum"])
    lines = {}
    for row, partition in (("training", "train"), ("testing", "test")):
        each = counted.reindex([(partition, label) for label in ut_podcast.LABELS], fill_value=0)
        sizes, used = each["size"].tolist(), each["sum"].tolist()
        lines[row] = [*sizes, used[-1], sum(sizes), sum(used)]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    names = {"UK_oversampled": "UK2", "total": "Original", "total_oversampled": "Over-sampled"}
    tables = [each.rename(columns=names).astype(str) for each in (printed, ours)]
    for each in tables:
        each.insert(0, "#Samples", each.index.str.capitalize())
    return tables[0], tables[1]


def _folds(manifest: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 6: which texts each fold trains and validates on, in the paper's notation, and how many clips."""
    printed = published("table06_chains_folds").astype(str)
    for column in ("training", "validation"):
        printed[column] = [_notation(cell.split()) for cell in printed[column]]
    lines = {}
    for fold in printed.index:
        held_out = manifest["fold"] == fold
        lines[fold] = []
        for part in (manifest[~held_out], manifest[held_out]):
            lines[fold] += [_notation(_paragraphs(part["text"])), str(len(part))]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    names = ["Training", "#Samples", "Validation", "#Samples "]
    tables = [each.set_axis(names, axis=1) for each in (printed, ours)]
    for each in tables:
        each.insert(0, "No.", [f"#{fold}" for fold in each.index])
    return tables[0], tables[1]


def _paragraphs(texts: pd.Series) -> list[str]:
    """The paper's six paragraphs that ``texts`` come from: its s01 is s01-s09, its s02 is s10-s33."""
    fables = sorted(set(texts) & set(chains.FABLES))
    sentences = {"s01" if text <= "s09" else "s02" for text in set(texts) & set(chains.SENTENCES)}
    return fables + sorted(sentences)


def _notation(paragraphs: Sequence[str]) -> str:
    return ", ".join(f"{name[0]}({name[1:]})" for name in paragraphs)
