"""The numbers of a table's cells and their uncertainty, computed from reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reproduce.corpora import CORPORA
from reproduce.resampling import LEVEL, can_reject, holm, mcnemar, swap_test
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER
from reproduce.tables import ALL, AVERAGE, Cell, Table
from reproduce.verdict import LEAST_SEEDS, interval, prediction, speakers_part, verdict

__all__ = [
    "NOT_JUDGED",
    "Paired",
    "by_seed",
    "by_system",
    "cells",
    "comparisons",
    "confusion",
    "measured",
    "paired",
    "reports_behind",
]

Measured = tuple[float, float, float, float]  # mean, sd over seeds, low, high
Proportions = tuple[np.ndarray, np.ndarray]  # (k, C) correct clips and test clips for k seeds or speakers
UNKNOWN: Measured = (np.nan,) * 4
NOT_JUDGED = ("one seed: not judged", "two seeds: not judged", "no speakers: not judged")
COLUMNS = (
    "row column system fold measure predicted paper ours sd low high prediction_low prediction_high seeds "
    "verdict"
).split()


class Paired(NamedTuple):
    """Two systems compared on the same clips with the same seed.

    Attributes:
        only_ours: Number of clips that only the first system recognised.
        only_theirs: Number of clips that only the second system recognised.
        p: Two-sided p of the exact McNemar test, which takes clips as independent.
        p_speakers: Two-sided p of the test that swaps the systems speaker by speaker; NaN if the reports do
            not state the speakers.
        speakers: Number of speakers; 0 if the reports do not state them.
    """

    only_ours: int
    only_theirs: int
    p: float
    p_speakers: float
    speakers: int


def cells(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Return one line for each cell of the table.

    Returns:
        The columns row, column, system, fold, measure, predicted, paper, ours, sd (over seeds), low and high
        (the 95 % interval from the number of test clips), prediction_low and prediction_high (the 95 %
        prediction interval for another training, if it is known), seeds and verdict. The numbers are
        percentages, or counts where ``predicted`` is given. The verdict is

        - 'within' or 'outside' (see ``reproduce.verdict``) on the paper's corpus in the paper's sizes,
        - 'one seed: not judged' or 'two seeds: not judged' there with fewer than three seeds,
        - 'no speakers: not judged' there if the test clips are redrawn and the reports do not state what was
          right for each speaker,
        - 'unknown' there if the paper's number is illegible,
        - 'not run' without a report,
        - 'failed' if one of the runs that the cell needs failed,
        - empty for any other source.
    """
    redrawn = CORPORA[table.corpus].test_clips == "redrawn"
    speakers = {
        system.name: _by_speaker(table, reports_of(system, reports)) if redrawn else None
        for system in table.systems()
    }
    lines = [_line(cell, table, reports, redrawn, speakers[cell.system.name]) for cell in table.cells]
    return pd.DataFrame(lines).reindex(columns=COLUMNS).astype({"seeds": "Int64"})


def _line(
    cell: Cell, table: Table, reports: Sequence[Report], redrawn: bool, speakers: np.ndarray | None
) -> dict[str, Any]:
    """Return one cell's line; ``speakers`` are its system's counts from ``_by_speaker``."""
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
    if np.isnan(low):
        return line
    limits = _predicted(cell, table.folds, contents, redrawn, speakers)
    line["prediction_low"], line["prediction_high"] = limits
    if contents[0]["run"]["source"] == PAPER and cell.printed:
        line["verdict"] = _verdict(cell.paper, line["seeds"], *limits)
    return line


def _verdict(paper: float | None, seeds: int, low: float, high: float) -> str:
    """Return the verdict on a number that is compared with the paper's, with its prediction interval."""
    if paper is None or np.isnan(paper):
        return "unknown"
    if seeds < LEAST_SEEDS:
        return NOT_JUDGED[seeds - 1]
    return NOT_JUDGED[-1] if np.isnan(low) else verdict(paper, low, high)


def measured(cell: Cell, folds: Sequence[str], contents: Sequence[Mapping[str, Any]]) -> Measured:
    """Return a cell's mean and standard deviation over the seeds, and its interval from the number of clips.

    Args:
        cell: The cell.
        folds: All folds of its table.
        contents: The contents of its system's reports, without failed ones.

    Returns:
        Mean, sd, low, high in the cell's unit. NaN if the corpus does not have the class, or if the peer
        has no such measure. The limits are NaN if the measure is not a proportion.
    """
    if proportions := _proportions(cell, folds, contents):
        right, totals = proportions
        mean, sd, low, high = (_scale(cell, totals) * value for value in interval(right, totals[0]))
        return mean, sd, low, high
    if not (values := [measures[cell.measure] for measures in _own_measures(cell, folds, contents)]):
        return UNKNOWN
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0, np.nan, np.nan


def _predicted(
    cell: Cell,
    folds: Sequence[str],
    contents: Sequence[Mapping[str, Any]],
    redrawn: bool,
    speakers: np.ndarray | None,
) -> tuple[float, float]:
    """Return a cell's prediction interval in its unit; NaN without enough seeds, or without speakers."""
    proportions = _proportions(cell, folds, contents)
    if proportions is None or len(proportions[0]) < LEAST_SEEDS:
        return np.nan, np.nan
    right, totals = proportions
    sampling = np.zeros(2)
    if redrawn:
        if speakers is None or _own_measures(cell, folds, contents):
            return np.nan, np.nan
        chosen = speakers[:, [folds.index(fold) for fold in _folds(cell, folds)]]
        of_speakers = _selected(cell, contents[0]["labels"], chosen)
        assert of_speakers is not None, "the speakers have the same clips as the seeds"
        tested = of_speakers[1].any(axis=1)
        sampling = speakers_part(of_speakers[0][tested], of_speakers[1][tested])
    low, high = prediction((right / totals).mean(axis=1), sampling)
    return _scale(cell, totals) * low, _scale(cell, totals) * high


def _scale(cell: Cell, totals: np.ndarray) -> float:
    """Return the factor from a proportion to the cell's unit: per cent, or clips of the true class."""
    return float(totals[0].sum()) if cell.predicted else 100


def _proportions(
    cell: Cell, folds: Sequence[str], contents: Sequence[Mapping[str, Any]]
) -> Proportions | None:
    """Return the proportions of each seed whose mean is the cell's number; None if it is no such mean."""
    if measures := _own_measures(cell, folds, contents):
        if cell.measure != "1-EER":  # It is the share of the trials of the same speaker that are accepted.
            return None
        targets = np.array([[entry["targets"]] for entry in measures])
        return np.array([[entry["1-EER"]] for entry in measures]) * targets, targets
    return _selected(cell, contents[0]["labels"], confusion(contents, _folds(cell, folds)))


def _own_measures(
    cell: Cell, folds: Sequence[str], contents: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, float]]:
    """Return the measures of each report of the cell's folds if its measure is a peer's own."""
    chosen = [content for content in contents if content["run"]["fold"] in _folds(cell, folds)]
    measures = [content.get("measures", {}) for content in chosen]
    return [entry for entry in measures if cell.measure in entry]


def _selected(cell: Cell, labels: Sequence[str], counts: np.ndarray) -> Proportions | None:
    """Select a cell's proportions from counts (k, folds, true, predicted); None if its class has no clips."""
    if cell.fold == ALL:
        counts = counts.sum(axis=1, keepdims=True)
    right, totals = counts.diagonal(axis1=2, axis2=3), counts.sum(axis=3)  # (k, folds, classes)
    if cell.predicted:
        if not {cell.measure, cell.predicted} <= set(labels):
            return None
        true = labels.index(cell.measure)
        return counts[:, :, true, labels.index(cell.predicted)], totals[:, :, true]
    if cell.measure == "ACC":
        return right.sum(axis=2), totals.sum(axis=2)
    chosen = totals.any(axis=0)
    if cell.measure != "UAR":
        chosen &= np.array([label == cell.measure for label in labels])
    return (right[:, chosen], totals[:, chosen]) if chosen.any() else None


def _folds(cell: Cell, folds: Sequence[str]) -> Sequence[str]:
    """Select from all ``folds`` those that a cell's number needs."""
    return folds if cell.fold in (ALL, AVERAGE) else (cell.fold,)


def reports_behind(cell: Cell, table: Table, reports: Sequence[Report]) -> list[Report]:
    """Return the reports that a cell's number comes from, in the order given."""
    folds = _folds(cell, table.folds)
    return [report for report in reports_of(cell.system, reports) if report.content["run"]["fold"] in folds]


def by_seed(cell: Cell, table: Table, reports: Sequence[Report]) -> dict[int, float]:
    """Return, for each seed, the cell's number with that seed alone, in the cell's unit."""
    contents = [report.content for report in reports_behind(cell, table, reports)]
    seeds = sorted({content["run"]["seed"] for content in contents})
    return {
        seed: measured(cell, table.folds, [entry for entry in contents if entry["run"]["seed"] == seed])[0]
        for seed in seeds
    }


def confusion(contents: Sequence[Mapping[str, Any]], folds: Sequence[str]) -> np.ndarray:
    """Return the counts (seeds, folds, true, predicted) of one system's reports, in the labels' order."""
    by_run = {
        (content["run"]["seed"], content["run"]["fold"]): content["metrics"]["confusion"]
        for content in contents
    }
    seeds = sorted({seed for seed, _ in by_run})
    return np.array([[by_run[seed, fold] for fold in folds] for seed in seeds])


def _by_speaker(table: Table, reports: Sequence[Report]) -> np.ndarray | None:
    """Return the counts (speakers, folds, true, predicted) of one system's reports, averaged over the seeds.

    None without reports, or if a report does not state the speaker of each clip.
    """
    contents = [report.content for report in reports if not report.fault]
    if not contents or not all("speakers" in entry and "" not in entry["speakers"] for entry in contents):
        return None
    names = sorted({speaker for content in contents for speaker in content["speakers"]})
    labels = {label: number for number, label in enumerate(contents[0]["labels"])}
    counts = np.zeros((len(names), len(table.folds), len(labels), len(labels)))
    for content in contents:
        fold = table.folds.index(content["run"]["fold"])
        for speaker, clips in content["speakers"].items():
            for clip in clips:
                answer = content["predictions"][clip]
                true, predicted = labels[answer["true"]], labels[answer["predicted"]]
                counts[names.index(speaker), fold, true, predicted] += 1
    return counts / len({content["run"]["seed"] for content in contents})


def by_system(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Return one line for each system of a comparison.

    Returns:
        The columns system; uar and accuracy in per cent, each with _sd, _low and _high as in ``cells``;
        uar_prediction_low and uar_prediction_high; training_accuracy in per cent (of the last epoch) and
        parameters, which only networks have; seconds, the time of one training; seeds; verdict ('failed' or
        'not run' without numbers); and p_adjusted, p_speakers_adjusted and lead as in ``comparisons``.
        Training accuracy and seconds are means over the runs.
    """
    frame = cells(table, reports).set_index(["system", "measure"])
    tests, lines = comparisons(table, reports).set_index("system"), []
    for system in table.systems():
        line: dict[str, Any] = {"system": system.name}
        for name, measure in (("uar", "UAR"), ("accuracy", "ACC")):
            cell = frame.loc[system.name, measure]
            line |= {name: cell["ours"], **{f"{name}_{of}": cell[of] for of in ("sd", "low", "high")}}
        cell = frame.loc[system.name, "UAR"]
        line |= {f"uar_{name}": cell[name] for name in ("prediction_low", "prediction_high")}
        contents = [report.content for report in reports_of(system, reports) if not report.fault]
        last = [100 * content["history"][-1]["accuracy"] for content in contents if content["history"]]
        line |= {
            "training_accuracy": np.mean(last) if last else np.nan,
            "parameters": next((entry["parameters"] for entry in contents if entry["history"]), np.nan),
            "seconds": np.mean([entry["training_seconds"] for entry in contents]) if contents else np.nan,
            "seeds": cell["seeds"],
            "verdict": cell["verdict"],
            **{name: tests[name].get(system.name, np.nan) for name in ("p_adjusted", "p_speakers_adjusted")},
            "lead": tests["lead"].get(system.name, ""),
        }
        lines.append(line)
    return pd.DataFrame(lines).astype({"parameters": "Int64", "seeds": "Int64"})


def comparisons(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Test whether the table's claimed system differs from each other system by more than chance.

    The clips of all folds are one test set. Of several seeds, the one with the largest p counts.

    Returns:
        One line for each other system that ran: system, the fields of ``Paired``, p_adjusted and
        p_speakers_adjusted (Holm, for the number of systems), and lead: the name of the system that leads
        with p_speakers_adjusted < 0.05, 'neither', 'too few speakers (n)' if no results on n speakers could
        show a lead, or 'not tested' without speakers.
    """
    ours, lines = reports_of(table.claim, reports), []
    for system in table.systems():
        theirs = reports_of(system, reports) if system != table.claim else []
        if test := paired(ours, theirs):
            lines.append({"system": system.name, **test._asdict()})
    frame = pd.DataFrame(lines, columns=["system", *Paired._fields])
    for name in ("p", "p_speakers"):
        frame[f"{name}_adjusted"] = holm(frame[name])
    leading = np.where(frame["only_ours"] > frame["only_theirs"], table.claim.name, frame["system"])
    frame["lead"] = np.where(frame["p_speakers_adjusted"] < LEVEL, leading, "neither")
    few = [not can_reject(speakers, len(frame)) for speakers in frame["speakers"]]
    frame.loc[few, "lead"] = [f"too few speakers ({speakers})" for speakers in frame.loc[few, "speakers"]]
    frame.loc[frame["p_speakers"].isna(), "lead"] = "not tested"
    return frame


def paired(ours: Sequence[Report], theirs: Sequence[Report]) -> Paired | None:
    """Compare two systems on the clips of all folds, for the seed with the largest p.

    It is the p of the test over speakers, or without speakers that of the McNemar test. None if the systems
    have no seed in common, or were not tested on the same clips.
    """
    first, second, speakers = _right(ours), _right(theirs), _speaker_of_clips(ours)
    tests = []
    for seed, right in first.items():
        if seed not in second or set(right.index) != set(second[seed].index):
            continue
        other = second[seed].reindex(right.index)
        swapped, count = np.nan, 0
        if set(right.index) <= set(speakers):
            differences = (right.astype(int) - other.astype(int)).groupby(speakers).sum().to_numpy()
            swapped, count = swap_test(differences), len(differences)
        tests.append(Paired(*mcnemar(right.to_numpy(bool), other.to_numpy(bool)), swapped, count))
    return max(tests, key=lambda test: test.p if np.isnan(test.p_speakers) else test.p_speakers, default=None)


def _speaker_of_clips(reports: Sequence[Report]) -> dict[str, str]:
    """Return the speaker of each test clip that the reports state."""
    return {
        clip: speaker
        for report in reports
        for speaker, clips in report.content.get("speakers", {}).items()
        for clip in clips
        if speaker
    }


def _right(reports: Sequence[Report]) -> dict[int, pd.Series]:
    """Return, for each seed, whether each clip of all folds was recognised; failed runs are left out."""
    right: dict[int, dict[str, bool]] = {}
    for report in reports:
        if report.fault:
            continue
        clips = right.setdefault(report.content["run"]["seed"], {})
        for clip, answer in report.content["predictions"].items():
            clips[clip] = answer["true"] == answer["predicted"]
    return {seed: pd.Series(clips) for seed, clips in right.items()}
