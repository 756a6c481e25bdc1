"""Figures of the tables, and the pictures of the report page."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_prep.base.drawing import LITERAL, plain_text
from data_prep.base.embedded import data_uri
from reproduce.sources import QUICK, STANDIN

__all__ = ["as_webp", "draw_confusion", "draw_systems", "training_curves"]

INK, RULE = "#010203", "#040506"  # Replaced by the page's own colours, which differ in dark mode.
STYLE = {
    "svg.fonttype": "none",  # Keep text as text.
    "font.size": 8,
    **LITERAL,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), RULE),
}
HATCHES = ("", "//", "..", "xx")


@plain_text()
def draw_confusion(frame: pd.DataFrame, source: str, path: Path) -> None:
    """Draw the paper's confusion matrix and ours side by side, as PNG.

    Each cell shows its count. A darker cell is a larger share of the true class.

    Args:
        frame: All cells of the table, from ``cells``, with a true (``measure``) and a ``predicted`` class.
        source: Source of our numbers.
        path: File to write.
    """
    labels = list(dict.fromkeys(frame["predicted"]))
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    for axes, column, title in zip(figure.subplots(1, 2), ("paper", "ours"), ("paper", _our_title(source))):
        by_class = frame.pivot(index="measure", columns="predicted", values=column)
        counts = by_class.loc[labels, labels].to_numpy(float)
        totals = counts.sum(axis=1, keepdims=True)
        # The paper's row for Disgust could not be read. It has as many clips as the other rows.
        shares = counts / np.where(np.isnan(totals), np.fmax.reduce(totals), totals)
        axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.2)
        for (true, predicted), count in np.ndenumerate(counts):
            shade = "white" if shares[true, predicted] > 0.6 else "black"
            number = "?" if np.isnan(count) else f"{count:.0f}"
            axes.text(predicted, true, number, ha="center", va="center", color=shade)
        axes.set(title=title, xlabel="predicted class", ylabel="true class")
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_yticks(range(len(labels)), labels)
    figure.savefig(path, format="png", dpi=120)


@plain_text()
def draw_systems(frame: pd.DataFrame, source: str, path: Path) -> None:
    """Draw the paper's numbers above and ours below on one scale, as PNG.

    Each row of the table is a group of bars, with one bar for each system. Ours have their 95 % interval
    from the number of test clips.

    Args:
        frame: All cells of the table in per cent, from ``cells``.
        source: Source of our numbers.
        path: File to write.
    """
    rows, systems = (list(dict.fromkeys(frame[name])) for name in ("row", "column"))
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    titles = {"paper": "paper", "ours": _our_title(source)}
    for axes, (column, title) in zip(figure.subplots(2, 1, sharex=True), titles.items()):
        _draw_bars(axes, frame, column, rows, systems)
        axes.set(title=title, ylabel="%", ylim=(0, 104))
        axes.set_xticks(np.arange(len(rows)), rows)
        axes.grid(axis="y", linewidth=0.4)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(systems), frameon=False
    )
    figure.savefig(path, format="png", dpi=120)


def _draw_bars(
    axes: Axes, frame: pd.DataFrame, column: str, rows: Sequence[str], systems: Sequence[str]
) -> None:
    """Draw one bar for each row and system; greys and hatches tell the systems apart without colour."""
    width, places = 0.86 / len(systems), np.arange(len(rows))
    greys = np.linspace(0.98, 0.35, len(systems)).round(2)
    for number, system in enumerate(systems):
        values = frame[frame["column"] == system].set_index("row").loc[rows]
        at = places + (number - (len(systems) - 1) / 2) * width
        axes.bar(
            at,
            values[column],
            width,
            label=system,
            edgecolor="0.2",
            linewidth=0.5,
            facecolor=str(greys[number]),
            hatch=HATCHES[number % len(HATCHES)],
        )
        if column == "ours":
            error = np.clip([values["ours"] - values["low"], values["high"] - values["ours"]], 0, None)
            axes.errorbar(at, values["ours"], error, fmt="none", ecolor="0.1", elinewidth=0.9, capsize=1.8)


def _our_title(source: str) -> str:
    titles = {STANDIN: "STAND-IN, synthesised speech", QUICK: "QUICK, small spectrograms and few epochs"}
    return f"this reproduction: {titles.get(source, source)}"


def training_curves(histories: Sequence[Sequence[Mapping]], name: str) -> str:
    """Draw the epochs of a system as SVG, with a thin line for each run.

    Above, in per cent: training accuracy (solid) and UAR of the test clips (dashed). Below: training loss
    (dotted). The colours are the page's ``currentColor`` and ``--rule``.

    Args:
        histories: The epochs of each run, from its report.
        name: Name of the picture, unique on its page: its parts' ids derive from it.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=(2.9, 2.3))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        width = 1.1 if len(histories) < 4 else 0.7
        for history in histories:
            epochs = [entry["epoch"] for entry in history]
            marker = "." if len(epochs) == 1 else None
            for axes, values, dash in (
                (upper, [100 * entry["accuracy"] for entry in history], "-"),
                (upper, [100 * entry["test"]["uar"] for entry in history], (0, (4, 2))),
                (lower, [entry["loss"] for entry in history], (0, (1, 1.5))),
            ):
                axes.plot(epochs, values, color=INK, linewidth=width, linestyle=dash, marker=marker)
        upper.set(ylim=(0, 100), yticks=(0, 50, 100), ylabel="%")
        lower.set_ylim(bottom=0)
        last = max(len(history) for history in histories)
        lower.set(xlabel="epoch", ylabel="loss", xlim=(0.8, last + 0.2))
        lower.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        for axes in (upper, lower):
            axes.grid(linewidth=0.5)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
        figure.align_ylabels()
        figure.subplots_adjust(left=0.16, right=0.97, top=0.96, bottom=0.17, hspace=0.18)
        return _svg(figure)


def _svg(figure: Figure) -> str:
    """Return the ``<svg>`` element alone, without ids that could clash with another picture's."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r' (width|height)="[\d.]+pt"|( xmlns(:xlink)?| version)="[^"]*"', "", text, count=5)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return text.replace(INK, "currentColor").replace(RULE, "var(--rule)")


def as_webp(figure: Figure) -> str:
    """Return the data URI of a figure as WebP, which keeps images small."""
    out = io.BytesIO()
    figure.savefig(out, format="webp", dpi=80, pil_kwargs={"quality": 80})
    return data_uri("image/webp", out.getvalue())
