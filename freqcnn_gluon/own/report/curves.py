"""Draw training curves as SVG in the page's own colours, for the report page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

from freqcnn_gluon.own.report.html import number, percent, section, table, tag

__all__ = ["curves"]

WIDTH, HEIGHT, LEFT, TOP, BELOW = 416, 190, 44, 10, 34  # the drawing and its margins, in units of the SVG
# One kind of line for each curve, so that none depends on a colour
DASHES = {"solid": "none", "dashed": "6 4", "dotted": "2 3"}

Curves = Mapping[str, Sequence[float]]


def curves(history: Sequence[Mapping]) -> Element:
    """Return the section with loss, training accuracy and the held-out metrics by epoch, as curves and table.

    Args:
        history: The epochs as in report.json: ``epoch``, ``loss``, ``accuracy``, and for each evaluated part
            its metrics by the part's name.
    """
    epochs = [entry["epoch"] for entry in history]
    parts = [key for key, value in history[0].items() if isinstance(value, Mapping) and "uar" in value]
    shares = {"training accuracy": [entry["accuracy"] for entry in history]}
    for part in parts:
        shares[f"{part} UAR"] = [entry[part]["uar"] for entry in history]
        shares[f"{part} accuracy"] = [entry[part]["accuracy"] for entry in history]
    drawn = {key: values for key, values in shares.items() if key.endswith("UAR") or key.startswith("train")}
    losses = {"training loss": [entry["loss"] for entry in history]}
    highest = max([1e-9, *(loss for loss in losses["training loss"] if math.isfinite(loss))])
    lines = [
        (str(epoch), number(float(loss)), *(percent(values[index]) for values in shares.values()))
        for index, (epoch, loss) in enumerate(zip(epochs, losses["training loss"]))
    ]
    return section(
        "curves",
        "Curves",
        tag(
            "div",
            _figure("Accuracy and UAR in per cent by epoch", epochs, drawn, 1.0, ("0", "50", "100")),
            _figure("Training loss by epoch", epochs, losses, highest, ("0", "", f"{highest:.3g}")),
            class_="curves",
        ),
        tag(
            "details",
            tag("summary", "The curves as numbers"),
            table("Each epoch", ["epoch", "training loss", *shares], lines, id="epochs"),
        ),
    )


def _figure(
    title: str, epochs: Sequence[int], drawn: Curves, highest: float, ticks: tuple[str, str, str]
) -> Element:
    """Draw curves on a scale of 0 to ``highest``, with texts at its bottom, middle and top."""
    right, bottom = WIDTH - 12, HEIGHT - BELOW
    span = max(1, epochs[-1] - epochs[0])

    def place(epoch: int, value: float) -> str:
        x = LEFT + (right - LEFT) * (epoch - epochs[0]) / span
        return f"{x:.1f},{bottom - (bottom - TOP) * value / highest:.1f}"

    heights = [bottom, (bottom + TOP) / 2, TOP]
    rules = [tag("line", x1=f"{LEFT}", x2=f"{right}", y1=f"{y}", y2=f"{y}") for y in heights]
    texts = [_label(text, LEFT - 6, y + 4, "end") for text, y in zip(ticks, heights)]
    texts.append(_label(str(epochs[0]), LEFT, bottom + 16, "middle"))
    texts.append(_label("epoch", (LEFT + right) / 2, bottom + 30, "middle"))
    if len(epochs) > 1:
        texts.append(_label(str(epochs[-1]), right, bottom + 16, "end"))
    marks, words = [], []
    for (kind, dash), (curve, values) in zip(DASHES.items(), drawn.items()):
        points = [place(*pair) for pair in zip(epochs, values) if math.isfinite(pair[1])]
        marks.append(tag("polyline", points=" ".join(points), stroke_dasharray=dash))
        if len(points) == 1:  # a line of one point is not visible
            x, y = points[0].split(",")
            marks.append(tag("circle", cx=x, cy=y, r="3"))
        words.append(f"{curve} ({kind})")
    ends = ", ".join(f"{curve} ends at {number(float(values[-1]))}" for curve, values in drawn.items())
    box = f"0 0 {WIDTH} {HEIGHT}"
    svg = tag("svg", *rules, *texts, *marks, viewBox=box, role="img", aria_label=f"{title}: {ends}.")
    return tag("figure", tag("h3", title), svg, tag("figcaption", f"{', '.join(words)}."))


def _label(text: str, x: float, y: float, anchor: str) -> Element:
    return tag("text", text, x=f"{x}", y=f"{y}", text_anchor=anchor)
