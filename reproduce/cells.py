"""report.json -> the numbers of a table's cells, and how sure they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER
from reproduce.tables import ALL, AVERAGE, Cell, Table
from reproduce.verdict import holm, interval, mcnemar, verdict

__all__ = ["behind", "by_seed", "cells", "comparisons", "confusion", "measured", "paired"]


def cells(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """A row for each cell of the table: where it stands, paper, ours, sd over seeds, 95 % interval, seeds,
    verdict. Percentages, or counts where ``predicted`` is given.

    The verdict is 'within' or 'outside' (see ``verdict``) on the paper's corpus in the paper's sizes, 'not
    run' where there is no report, 'failed' where one of the runs that the cell needs is, 'unknown' where
    the paper's number is, and empty for any other source.
    """
    lines = []
    for cell in table.cells:
        line = {
            "row": " | ".join(cell.row),
            "column": cell.column,
            "system": cell.system.name,
            "fold": cell.fold,
            "measure": cell.measure,
            "predicted": cell.predicted or "",
            "paper": cell.paper,
            "verdict": "not run",
        }
        found = reports_of(cell.system, reports)
        if any(each.fault and cell.fold in (ALL, AVERAGE, each.content["run"]["fold"]) for each in found):
            line["verdict"] = "failed"
        elif found := [each for each in found if not each.fault]:
            ours, sd, low, high = measured(cell, table.folds, [report.content for report in found])
            line |= {"ours": ours, "sd": sd, "low": low, "high": high}
            line["seeds"] = len({report.content["run"]["seed"] for report in found})
            line["verdict"] = ""
            if found[0].content["run"]["source"] == PAPER and cell.printed and not np.isnan(low):
                known = not pd.isna(cell.paper)
                line["verdict"] = verdict(cell.paper, low, high) if known else "unknown"
        lines.append(line)
    columns = [
        "row",
        "column",
        "system",
        "fold",
        "measure",
        "predicted",
        "paper",
        "ours",
        "sd",
        "low",
        "high",
    ]
    return pd.DataFrame(lines).reindex(columns=[*columns, "seeds", "verdict"]).astype({"seeds": "Int64"})


def measured(cell: Cell, folds: Sequence[str], found: Sequence[dict]) -> tuple[float, float, float, float]:
    """Mean, sd, low, high of a cell over the seeds, in its own unit; ``folds``: all of its table's.

    NaN for a class that the corpus does not have, for what a peer could not be measured by, and for the
    limits of what is no proportion.
    """
    folds = _folds(cell, folds)
    measures = [each.get("measures", {}) for each in found if each["run"]["fold"] in folds]
    if beside := [each for each in measures if cell.measure in each]:
        return _beside(cell.measure, beside)
    counts = confusion(found, folds)  # (seeds, folds, true, predicted)
    if cell.fold == ALL:
        counts = counts.sum(axis=1, keepdims=True)
    labels = found[0]["labels"]
    right = counts.diagonal(axis1=2, axis2=3)  # (seeds, folds, classes)
    totals = counts[0].sum(axis=2)  # (folds, classes)
    if cell.predicted and not {cell.measure, cell.predicted} <= set(labels):
        return (np.nan,) * 4
    if cell.predicted:
        true = labels.index(cell.measure)
        taken = counts[:, :, true, labels.index(cell.predicted)]  # (seeds, 1)
        return tuple(totals[0, true] * value for value in interval(taken, totals[:, true]))
    if cell.measure == "ACC":
        right, totals = right.sum(axis=2), totals.sum(axis=1)
    else:
        chosen = totals > 0
        if cell.measure != "UAR":
            chosen &= np.array([label == cell.measure for label in labels])
        right, totals = right[:, chosen], totals[chosen]
        if not chosen.any():
            return (np.nan,) * 4
    return tuple(100 * value for value in interval(right, totals))


def _folds(cell: Cell, folds: Sequence[str]) -> Sequence[str]:
    return folds if cell.fold in (ALL, AVERAGE) else (cell.fold,)


def behind(cell: Cell, table: Table, reports: Sequence[Report]) -> list[Report]:
    """The reports that a cell's number comes from, in the order given."""
    folds = _folds(cell, table.folds)
    return [each for each in reports_of(cell.system, reports) if each.content["run"]["fold"] in folds]


def by_seed(cell: Cell, table: Table, reports: Sequence[Report]) -> dict[int, float]:
    """Seed -> what the cell would be with that seed alone, in its own unit."""
    found = [report.content for report in behind(cell, table, reports)]
    seeds = sorted({each["run"]["seed"] for each in found})
    return {
        seed: measured(cell, table.folds, [each for each in found if each["run"]["seed"] == seed])[0]
        for seed in seeds
    }


def _beside(measure: str, measures: Sequence[dict]) -> tuple[float, float, float, float]:
    """A peer's own measure in one fold: 1-EER is the share of its target trials that are accepted."""
    values = np.array([each[measure] for each in measures])
    if measure != "1-EER":
        return float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0, np.nan, np.nan
    targets = measures[0]["targets"]
    return tuple(100 * value for value in interval(values[:, None] * targets, [targets]))


def confusion(found: Sequence[dict], folds: Sequence[str]) -> np.ndarray:
    """Counts (seeds, folds, true, predicted) of one system's reports; classes in their labels' order."""
    by_run = {(each["run"]["seed"], each["run"]["fold"]): each["metrics"]["confusion"] for each in found}
    seeds = sorted({seed for seed, _ in by_run})
    return np.array([[by_run[seed, fold] for fold in folds] for seed in seeds])


def comparisons(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Whether the lead of the table's ``claim`` over each other system that ran is more than chance.

    A row a system: clips that only the claimed one gets right, clips that only the other does, the exact
    McNemar p, p adjusted for the number of systems (Holm), and 'more than chance' (ours leads, adjusted
    p < 0.05), 'less than chance' (the other does) or 'not shown'. All folds' clips are one test set; of
    several seeds the one with the largest p is given.
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
    """``mcnemar`` of two systems on the clips of all folds, of several seeds the one with the largest p.

    None where they have no seed in common or were not tested on the same clips.
    """
    first, second = _right(ours), _right(theirs)
    tests = [
        mcnemar(first[seed].to_numpy(), second[seed].reindex(first[seed].index).to_numpy(bool))
        for seed in first
        if seed in second and set(first[seed].index) == set(second[seed].index)
    ]
    return max(tests, key=lambda test: test[2], default=None)


def _right(found: Sequence[Report]) -> dict[int, pd.Series]:
    """Seed -> whether each clip was recognised, over all folds."""
    right: dict[int, dict[str, bool]] = {}
    for report in found:
        if report.fault:
            continue
        told = right.setdefault(report.content["run"]["seed"], {})
        for clip, each in report.content["predictions"].items():
            told[clip] = each["true"] == each["predicted"]
    return {seed: pd.Series(told) for seed, told in right.items()}
