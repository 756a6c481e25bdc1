"""The paper's published numbers, typed cell by cell into the CSV files beside this module."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["published"]

FOLDER = Path(__file__).parent


def published(name: str) -> pd.DataFrame:
    """Read ``name``.csv, indexed by its first column; percentages are as printed."""
    return pd.read_csv(FOLDER / f"{name}.csv", index_col=0)
