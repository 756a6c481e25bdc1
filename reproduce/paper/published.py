"""The paper's published numbers, typed in cell by cell in the CSV files beside this module."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["published"]

FOLDER = Path(__file__).parent


def published(name: str) -> pd.DataFrame:
    """The table in paper/``name``.csv, indexed by its first column; percentages as printed."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col=0)
