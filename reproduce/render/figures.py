"""Pictures of the tables, where people would look rather than read."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from reproduce.sources import QUICK, STANDIN

__all__ = ["as_webp", "draw_confusion", "draw_systems", "shades", "training_curves"]

INK, RULE = "#010203", "#040506"  # stand for the page's own colours, which differ in the dark
STYLE = {
    "svg.fonttype": "none",  # text stays text
    "font.size": 8,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), RULE),
}


def draw_confusion(frame: pd.DataFrame, source: str, path: Path) -> None:
    """The paper's confusion matrix and ours side by side, as PNG.

    ``frame``: of ``measure.cells``, all its cells with a true class (``measure``) and a ``predicted`` one.
    Each field has its count and is the darker the larger its share of the true class.
    """
    labels = list(dict.fromkeys(frame["predicted"]))
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    for axes, column, title in zip(figure.subplots(1, 2), ("paper", "ours"), ("paper", _here(source))):
        counts = (
            frame.pivot(index="measure", columns="predicted", values=column)
            .loc[labels, labels]
            .to_numpy(float)
        )
        totals = counts.sum(axis=1, keepdims=True)
        # a row that could not be read whole is of as many records as the others
        shares = counts / np.where(np.isnan(totals), np.fmax.reduce(totals), totals)
        axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.2)
        for (true, predicted), count in np.ndenumerate(counts):
            shade = "white" if shares[true, predicted] > 0.6 else "black"
            said = "?" if np.isnan(count) else f"{count:.0f}"
            axes.text(predicted, true, said, ha="center", va="center", color=shade)
        axes.set(title=title, xlabel="taken for", ylabel="true")
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_yticks(range(len(labels)), labels)
    figure.savefig(path, format="png", dpi=120)


def draw_systems(frame: pd.DataFrame, source: str, path: Path) -> None:
    """The paper's numbers and ours in two pictures of one scale, as PNG: a group of bars for each row of the
    table, in it a bar for each of its systems; ours with its 95 % interval.

    ``frame``: of ``measure.cells``, percentages.
    """
    rows, systems = (list(dict.fromkeys(frame[name])) for name in ("row", "column"))
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    width, places = 0.86 / len(systems), np.arange(len(rows))
    looks = [{"facecolor": str(shade), "hatch": hatch} for shade, hatch in zip(*_shades(len(systems)))]
    for axes, column, title in zip(
        figure.subplots(2, 1, sharex=True), ("paper", "ours"), ("paper", _here(source))
    ):
        for number, (system, look) in enumerate(zip(systems, looks)):
            of = frame[frame["column"] == system].set_index("row").loc[rows]
            at = places + (number - (len(systems) - 1) / 2) * width
            axes.bar(at, of[column], width, label=system, edgecolor="0.2", linewidth=0.5, **look)
            if column == "ours":
                error = np.clip([of["ours"] - of["low"], of["high"] - of["ours"]], 0, None)
                axes.errorbar(at, of["ours"], error, fmt="none", ecolor="0.1", elinewidth=0.9, capsize=1.8)
        axes.set(title=title, ylabel="%", ylim=(0, 104))
        axes.set_xticks(places, rows)
        axes.grid(axis="y", linewidth=0.4)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(systems), frameon=False
    )
    figure.savefig(path, format="png", dpi=120)


def _shades(count: int) -> tuple[np.ndarray, list[str]]:
    """Greys and hatches that tell ``count`` bars apart without colour."""
    hatches = ["", "//", "..", "xx"]
    return np.linspace(0.98, 0.35, count).round(2), [
        hatches[number % len(hatches)] for number in range(count)
    ]


def _here(source: str) -> str:
    marked = {STANDIN: "STAND-IN, synthesised speech", QUICK: "QUICK, small spectrograms and few epochs"}
    return f"here: {marked.get(source, source)}"


def training_curves(histories: Sequence[Sequence[Mapping]], name: str) -> str:
    """SVG, to stand in a page under a ``name`` of its own: a system's epochs, a thin line for each run.

    Above, in per cent: training accuracy (solid) and UAR of the test clips (dashed); below: training loss
    (dotted). Its colours are the page's ``currentColor`` and ``--rule``.
    """
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):  # of which its parts' ids are made
        figure = Figure(figsize=(2.9, 2.3))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        for history in histories:
            epochs = [entry["epoch"] for entry in history]
            for axes, values, dash in (
                (upper, [100 * entry["accuracy"] for entry in history], "-"),
                (upper, [100 * entry["test"]["uar"] for entry in history], (0, (4, 2))),
                (lower, [entry["loss"] for entry in history], (0, (1, 1.5))),
            ):
                marker = "." if len(epochs) == 1 else None
                width = 1.1 if len(histories) < 4 else 0.7
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
    """The ``<svg>`` element alone, without the names that would clash with another picture's on a page."""
    out = io.StringIO()
    figure.savefig(out, format="svg", transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r' (width|height)="[\d.]+pt"|( xmlns(:xlink)?| version)="[^"]*"', "", text, count=5)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return text.replace(INK, "currentColor").replace(RULE, "var(--rule)")


def shades(shares: np.ndarray) -> str:
    """Data URI of a PNG with one pixel for each of ``shares`` (rows, columns), 0 white to 1 black."""
    pixels = np.uint8(np.round(255 * (1 - np.clip(np.nan_to_num(shares), 0, 1))))
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return _uri(out, "png")


def as_webp(figure: Figure) -> str:
    """Data URI of a figure that is mostly pictures."""
    out = io.BytesIO()
    figure.savefig(out, format="webp", dpi=80, pil_kwargs={"quality": 80})
    return _uri(out, "webp")


def _uri(content: io.BytesIO, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
