"""Training curves, confusion matrix and variation between seeds of each system of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from data_prep.base.embedded import shades
from reproduce.cells import by_seed, confusion, measured
from reproduce.render.figures import training_curves
from reproduce.runs.report import Report
from reproduce.tables import ALL, Cell, System, Table

__all__ = ["Learning", "SeedVariation", "learning", "seed_variation"]

MOST_COUNTS = 8  # A confusion matrix of more classes is drawn as a picture without counts.


@dataclass(frozen=True)
class SeedVariation:
    """A system's UAR in per cent over its seeds, all folds in one test set.

    Attributes:
        system: Name of the system.
        by_seed: Seed -> UAR.
        mean: Mean over the seeds.
        sd: Standard deviation over the seeds.
    """

    system: str
    by_seed: Mapping[int, float]
    mean: float
    sd: float


@dataclass(frozen=True)
class Learning:
    """How a system learnt and what it confuses, over all folds and seeds.

    Attributes:
        system: Name of the system.
        curves: Training curves as SVG; None for a system whose reports have no epochs.
        summary: The curves in a sentence.
        labels: The classes.
        counts: Test clips by true and predicted class.
        shares: The counts as shares (0..1) of their true class.
        picture: Data URI of the shares, if there are too many classes for counts; otherwise None.
        confusion: The most common confusion in a sentence.
    """

    system: str
    curves: Markup | None
    summary: str
    labels: Sequence[str]
    counts: Sequence[Sequence[int]]
    shares: Sequence[Sequence[float]]
    picture: str | None
    confusion: str


def seed_variation(table: Table, system: System, reports: Sequence[Report]) -> SeedVariation:
    """Compute the UAR of a system with each of its seeds from its reports."""
    cell = Cell((), "", system, ALL, "UAR", None)
    mean, sd, _, _ = measured(cell, table.folds, [report.content for report in reports])
    return SeedVariation(system.name, by_seed(cell, table, reports), mean, sd)


def learning(id: str, table: Table, system: System, reports: Sequence[Report]) -> Learning:
    """Summarise the learning of a system.

    Args:
        id: Id of the table on the page.
        table: The table.
        system: One of its systems.
        reports: The reports of that system.
    """
    contents = [report.content for report in reports]
    counts = confusion(contents, table.folds).sum(axis=(0, 1))  # (true, predicted)
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    labels = contents[0]["labels"]
    histories = [content["history"] for content in contents if content["history"]]
    return Learning(
        system=system.name,
        curves=Markup(training_curves(histories, f"{id} {system.name}")) if histories else None,
        summary=_summary(histories),
        labels=labels,
        counts=counts.tolist(),
        shares=shares.tolist(),
        picture=shades(shares) if len(labels) > MOST_COUNTS else None,
        confusion=_most_common_confusion(labels, counts),
    )


def _most_common_confusion(labels: Sequence[str], counts: np.ndarray) -> str:
    wrong = counts * (1 - np.eye(len(labels), dtype=int))
    if not wrong.any():
        return "Every clip is recognised."
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"Most common confusion: {labels[true]} recognised as {labels[predicted]}, "
        f"{wrong[true, predicted]} of {counts[true].sum()} clips."
    )


def _summary(histories: Sequence[Sequence[Mapping]]) -> str:
    """Describe the last epoch of the curves."""
    if not histories:
        return "No training curves: the report of this system has no epochs."

    def span(values: Sequence[float]) -> str:
        return " to ".join(dict.fromkeys(f"{value:.1f}" for value in (min(values), max(values))))

    last = [history[-1] for history in histories]
    runs = "1 run" if len(last) == 1 else f"{len(last)} runs"
    accuracy = span([100 * entry["accuracy"] for entry in last])
    uar = span([100 * entry["test"]["uar"] for entry in last])
    return f"{runs}, epoch {last[0]['epoch']}: training accuracy {accuracy} %, test UAR {uar} %."
