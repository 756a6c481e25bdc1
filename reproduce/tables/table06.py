"""Table 6: the texts and the number of clips in the three folds of CHAINS."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from data_prep.corpora import chains
from reproduce.paper.published import published
from reproduce.tables.comparison import CountTable

_HEADS = ["Training", "#Samples", "Validation", "#Samples "]  # columns need different names


def _count(clips: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the texts that each fold trains and validates on, in the paper's notation, and count clips."""
    printed = published("table06_chains_folds").astype(str)
    for column in ("training", "validation"):
        printed[column] = [_notation(cell.split()) for cell in printed[column]]
    lines: dict[int, list[str]] = {}
    for fold in printed.index:
        held_out = clips["fold"] == fold
        lines[fold] = []
        for part in (clips[~held_out], clips[held_out]):
            lines[fold] += [_notation(_paragraphs(part["text"])), str(len(part))]
    ours = pd.DataFrame.from_dict(lines, orient="index", columns=printed.columns)
    tables = [frame.set_axis(_HEADS, axis=1) for frame in (printed, ours)]
    for frame in tables:
        frame.insert(0, "No.", [f"#{fold}" for fold in frame.index])
    return tables[0], tables[1]


def _paragraphs(texts: pd.Series) -> list[str]:
    """List the paper's paragraphs that the texts belong to: its s01 is s01-s09, its s02 is s10-s33."""
    fables = sorted(set(texts) & set(chains.FABLES))
    sentences = {"s01" if text <= "s09" else "s02" for text in set(texts) & set(chains.SENTENCES)}
    return fables + sorted(sentences)


def _notation(paragraphs: Sequence[str]) -> str:
    return ", ".join(f"{name[0]}({name[1:]})" for name in paragraphs)


TABLE = CountTable(
    number=6,
    title="Details of three-fold data set of the CHAINS corpus",
    corpus="chains",
    count=_count,
)
