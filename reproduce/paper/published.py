"""The paper's published numbers, typed cell by cell into the CSV files beside this module."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd

__all__ = ["published", "sentences"]

FOLDER = Path(__file__).parent


def published(name: str) -> pd.DataFrame:
    """Read ``name``.csv, indexed by its first column; percentages are as printed."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col=0)


def sentences() -> list[dict[str, str]]:
    """Read the paper's sentences with numbers, a dict for each line of sentences.csv."""
    with open(FOLDER / "sentences.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
