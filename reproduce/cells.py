"""The numbers of a table's cells and their uncertainty, computed from reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER
from reproduce.tables import ALL, AVERAGE, Cell, Table
from reproduce.verdict import holm, interval, mcnemar, verdict

__all__ = ["behind", "by_seed", "cells", "comparisons", "confusion", "measured", "paired"]

Measured = tuple[float, float, float, float]  # mean, sd over seeds, low, high
UNKNOWN: Measured = (np.nan,) * 4
COLUMNS = "row column system fold measure predicted paper ours sd low high seeds verdict".split()


def cells(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Return one line for each cell of the table.

    Returns:
        The columns row, column, system, fold, measure, predicted, paper, ours, sd (over seeds), low, high
        (the 95 % interval), seeds and verdict. The numbers are percentages, or counts where ``predicted`` is
        given. The verdict is

        - 'within' or 'outside' (see ``reproduce.verdict``) on the paper's corpus in the paper's sizes,
        - 'unknown' there if the paper's number is illegible,
        - 'not run' without a report,
        - 'failed' if one of the runs that the cell needs failed,
        - empty for any other source.
    """
    frame = pd.DataFrame([_line(cell, table, reports) for cell in table.cells])
    return frame.reindex(columns=COLUMNS).astype({"seeds": "Int64"})


def _line(cell: Cell, table: Table, reports: Sequence[Report]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "row": " | ".join(cell.row),
        "column": cell.column,
        "system": cell.system.name,
        "fold": cell.fold,
        "measure": cell.measure,
        "predicted": cell.predicted or "",
        "paper": cell.paper,
        "verdict": "not run",
    }
    existing = reports_of(cell.system, reports)
    needed = [report for report in existing if report.content["run"]["fold"] in _folds(cell, table.folds)]
    if any(report.fault for report in needed):
        return line | {"verdict": "failed"}
    contents = [report.content for report in existing if not report.fault]
    if not contents:
        return line
    ours, sd, low, high = measured(cell, table.folds, contents)
    line |= {"ours": ours, "sd": sd, "low": low, "high": high, "verdict": ""}
    line["seeds"] = len({content["run"]["seed"] for content in contents})
    if contents[0]["run"]["source"] == PAPER and cell.printed and not np.isnan(low):
        paper = np.nan if cell.paper is None else cell.paper
        line["verdict"] = "unknown" if np.isnan(paper) else verdict(paper, low, high)
    return line


def measured(cell: Cell, folds: Sequence[str], contents: Sequence[Mapping[str, Any]]) -> Measured:
    """Return the mean, the standard deviation and the 95 % interval of a cell over the seeds.

    Args:
        cell: The cell.
        folds: All folds of its table.
        contents: The contents of its system's reports, without failed ones.

    Returns:
        Mean, sd, low, high in the cell's unit. NaN if the corpus does not have the class, or if the peer
        could not be measured so. The limits are NaN if the measure is not a proportion.
    """
    folds = _folds(cell, folds)
    measures = [content.get("measures", {}) for content in contents if content["run"]["fold"] in folds]
    if own := [entry for entry in measures if cell.measure in entry]:
        return _own_measure(cell.measure, own)
    counts = confusion(contents, folds)  # (seeds, folds, true, predicted)
    if cell.fold == ALL:
        counts = counts.sum(axis=1, keepdims=True)
    labels = contents[0]["labels"]
    right = counts.diagonal(axis1=2, axis2=3)  # (seeds, folds, classes)
    totals = counts[0].sum(axis=2)  # (folds, classes)
    if cell.predicted and not {cell.measure, cell.predicted} <= set(labels):
        return UNKNOWN
    if cell.predicted:
        true = labels.index(cell.measure)
        recognised = counts[:, :, true, labels.index(cell.predicted)]  # (seeds, 1)
        return _scaled(totals[0, true], interval(recognised, totals[:, true]))
    if cell.measure == "ACC":
        right, totals = right.sum(axis=2), totals.sum(axis=1)
    else:
        chosen = totals > 0
        if cell.measure != "UAR":
            chosen &= np.array([label == cell.measure for label in labels])
        right, totals = right[:, chosen], totals[chosen]
        if not chosen.any():
            return UNKNOWN
    return _scaled(100, interval(right, totals))


def _scaled(factor: float, values: Measured) -> Measured:
    mean, sd, low, high = values
    return factor * mean, factor * sd, factor * low, factor * high


def _folds(cell: Cell, folds: Sequence[str]) -> Sequence[str]:
    """Return the folds that a cell's number needs, of all ``folds``."""
    return folds if cell.fold in (ALL, AVERAGE) else (cell.fold,)


def behind(cell: Cell, table: Table, reports: Sequence[Report]) -> list[Report]:
    """Return the reports that a cell's number comes from, in the order given."""
    folds = _folds(cell, table.folds)
    return [report for report in reports_of(cell.system, reports) if report.content["run"]["fold"] in folds]


def by_seed(cell: Cell, table: Table, reports: Sequence[Report]) -> dict[int, float]:
    """Return, for each seed, the cell's number with that seed alone, in the cell's unit."""
    contents = [report.content for report in behind(cell, table, reports)]
    seeds = sorted({content["run"]["seed"] for content in contents})
    return {
        seed: measured(cell, table.folds, [entry for entry in contents if entry["run"]["seed"] == seed])[0]
        for seed in seeds
    }


def _own_measure(measure: str, measures: Sequence[Mapping[str, float]]) -> Measured:
    """Measure a peer by its own measure in one fold. 1-EER is the share of target trials accepted."""
    values = np.array([entry[measure] for entry in measures])
    if measure != "1-EER":
        return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0, np.nan, np.nan
    targets = measures[0]["targets"]
    return _scaled(100, interval(values[:, None] * targets, np.array([targets])))


def confusion(contents: Sequence[Mapping[str, Any]], folds: Sequence[str]) -> np.ndarray:
    """Return the counts (seeds, folds, true, predicted) of one system's reports, in the labels' order."""
    by_run = {
        (content["run"]["seed"], content["run"]["fold"]): content["metrics"]["confusion"]
        for content in contents
    }
    seeds = sorted({seed for seed, _ in by_run})
    return np.array([[by_run[seed, fold] for fold in folds] for seed in seeds])


def comparisons(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Test whether the table's claimed system differs from each other system by more than chance.

    The clips of all folds are one test set. Of several seeds the one with the largest p counts.

    Returns:
        One line for each other system that ran: system, only_ours and only_theirs (clips that only one of
        the two recognised), p (exact McNemar), p_adjusted (Holm, for the number of systems), and lead: 'more
        than chance' if the claimed system leads with an adjusted p < 0.05, 'less than chance' if the other
        one does, otherwise 'not shown'.
    """
    ours, lines = reports_of(table.claim, reports), []
    for system in table.systems():
        theirs = reports_of(system, reports) if system != table.claim else []
        if test := paired(ours, theirs):
            lines.append({"system": system.name, **dict(zip(("only_ours", "only_theirs", "p"), test))})
    frame = pd.DataFrame(lines, columns=["system", "only_ours", "only_theirs", "p"])
    frame["p_adjusted"] = holm(frame["p"])
    lead = np.where(frame["only_ours"] > frame["only_theirs"], "more than chance", "less than chance")
    frame["lead"] = np.where(frame["p_adjusted"] < 0.05, lead, "not shown")
    return frame


def paired(ours: Sequence[Report], theirs: Sequence[Report]) -> tuple[int, int, float] | None:
    """Return ``mcnemar`` of two systems on the clips of all folds, for the seed with the largest p.

    None if they have no seed in common, or were not tested on the same clips.
    """
    first, second = _right(ours), _right(theirs)
    tests = [
        mcnemar(first[seed].to_numpy(), second[seed].reindex(first[seed].index).to_numpy(bool))
        for seed in first
        if seed in second and set(first[seed].index) == set(second[seed].index)
    ]
    return max(tests, key=lambda test: test[2], default=None)


def _right(reports: Sequence[Report]) -> dict[int, pd.Series]:
    """Return, for each seed, whether each clip of all folds was recognised; failed runs are left out."""
    right: dict[int, dict[str, bool]] = {}
    for report in reports:
        if report.fault:
            continue
        clips = right.setdefault(report.content["run"]["seed"], {})
        for clip, prediction in report.content["predictions"].items():
            clips[clip] = prediction["true"] == prediction["predicted"]
    return {seed: pd.Series(clips) for seed, clips in right.items()}
