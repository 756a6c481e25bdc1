"""Pictures of the tables, where people would look rather than read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .corpora import STANDIN

__all__ = ["draw_confusion"]


def draw_confusion(frame: pd.DataFrame, source: str, path: Path) -> None:
    """The paper's confusion matrix and ours side by side, as PNG.

    ``frame``: of ``measure.cells``, all its cells with a true class (``measure``) and a ``predicted`` one.
    Each field has its count and is the darker the larger its share of the true class.
    """
    here = "here: STAND-IN, synthesised speech" if source == STANDIN else f"here: {source}"
    labels = list(dict.fromkeys(frame["predicted"]))
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    for axes, column, title in zip(figure.subplots(1, 2), ("paper", "ours"), ("paper", here)):
        counts = (
            frame.pivot(index="measure", columns="predicted", values=column)
            .loc[labels, labels]
            .to_numpy(float)
        )
        shares = counts / counts.sum(axis=1, keepdims=True)
        axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.2)
        for (true, predicted), count in np.ndenumerate(counts):
            shade = "white" if shares[true, predicted] > 0.6 else "black"
            said = "?" if np.isnan(count) else f"{count:.0f}"
            axes.text(predicted, true, said, ha="center", va="center", color=shade)
        axes.set(title=title, xlabel="taken for", ylabel="true")
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_yticks(range(len(labels)), labels)
    figure.savefig(path, format="png", dpi=120)
