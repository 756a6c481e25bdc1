"""How each system of a table learnt, what it confuses, and how steady it is over its seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from reproduce.cells import by_seed, confusion, measured
from reproduce.render.figures import shades, training_curves
from reproduce.runs.report import Report
from reproduce.tables import ALL, Cell, System, Table

__all__ = ["Look", "Reliability", "look", "reliability"]

COUNTED = 8  # classes of which a confusion matrix still has room for its counts


@dataclass(frozen=True)
class Reliability:
    """A system over its seeds: UAR in per cent with each, over all folds; sd and mean of several."""

    system: str
    by_seed: Mapping[int, float]
    mean: float
    sd: float


@dataclass(frozen=True)
class Look:
    """How a system learnt and what it confuses. ``curves``: SVG, or None for what is no network.
    ``counts``: (true, predicted), all folds and seeds; ``shares``: of each true class, 0..1. ``picture``:
    a data URI in place of counts that are too many. ``confused``: the commonest confusion, in words.
    """

    system: str
    curves: Markup | None
    learnt: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    shares: Sequence[Sequence[float]]
    picture: str | None
    confused: str


def reliability(table: Table, system: System, found: Sequence[Report]) -> Reliability:
    """Of one system's reports; its UAR as a table would show it, all folds' clips in one test set."""
    cell = Cell((), "", system, ALL, "UAR", None)
    mean, sd, _, _ = measured(cell, table.folds, [report.content for report in found])
    return Reliability(system.name, by_seed(cell, table, found), mean, sd)


def look(id: str, table: Table, system: System, found: Sequence[Report]) -> Look:
    """Of one system's reports; ``id``: the table's on the page."""
    contents = [report.content for report in found]
    counts = confusion(contents, table.folds).sum(axis=(0, 1))  # (true, predicted)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    labels = contents[0]["labels"]
    wrong = counts * (1 - np.eye(len(labels), dtype=int))
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    confused = "no clip is taken for another class"
    if wrong.any():
        confused = f"the commonest confusion is {labels[true]} taken for {labels[taken]}, "
        confused += f"{wrong[true, taken]} of {counts[true].sum()} clips"
    histories = [content["history"] for content in contents if content["history"]]
    return Look(
        system.name,
        Markup(training_curves(histories, f"{id} {system.name}")) if histories else None,
        _learnt(histories),
        labels,
        counts.tolist(),
        shares.tolist(),
        shades(shares) if len(labels) > COUNTED else None,
        confused,
    )


def _learnt(histories: Sequence[Sequence[Mapping]]) -> str:
    """The curves in words."""
    if not histories:
        return "is no network that learns in epochs: it has no curves"

    def span(values: Sequence[float]) -> str:
        return " to ".join(dict.fromkeys(f"{value:.1f}" for value in (min(values), max(values))))

    last = [history[-1] for history in histories]
    runs = "1 run" if len(last) == 1 else f"{len(last)} runs"
    return (
        f"{runs}, epoch {last[0]['epoch']}: training accuracy "
        f"{span([100 * each['accuracy'] for each in last])} %, test UAR "
        f"{span([100 * each['test']['uar'] for each in last])} %"
    )
