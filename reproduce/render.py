"""report.json -> the table, as tidy CSV and as Markdown in the paper's own layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.files import whole

from .assumptions import assumptions
from .corpora import PAPER, STANDIN
from .tables import Table
from .verdict import interval, verdict

__all__ = ["cells", "markdown", "summary", "write"]

Reports = Mapping[str, Sequence[dict]]  # row name -> a report for each seed

STANDIN_BANNER = (
    "> **STAND-IN**: these are results on synthesised speech, not on the paper's corpus. They show that "
    "everything runs and learns, and say nothing about the paper's numbers."
)
OWN_BANNER = (
    "> **NOT THE PAPER'S CORPUS**: '{source}' has the layout of the paper's corpus but not its counts. Its "
    "results are not to be set against the paper's numbers."
)


def cells(table: Table, reports: Reports) -> pd.DataFrame:
    """A row for each system and measure: paper, ours, sd over seeds, 95 % interval (all in %), verdict.

    The verdict is 'within' or 'outside' (see ``verdict``) on the paper's corpus, 'not run' where there
    is no report, and empty on any other corpus.
    """
    lines = []
    for row in table.rows:
        for measure in table.measures:
            line = {"system": row.name, "measure": measure, "paper": row.paper[measure], "verdict": "not run"}
            if found := reports.get(row.name):
                ours, sd, low, high = (100 * value for value in _measured(measure, found))
                comparable = all(report["run"]["source"] == PAPER for report in found)
                line |= {
                    "ours": ours,
                    "sd": sd,
                    "low": low,
                    "high": high,
                    "seeds": len(found),
                    "verdict": verdict(row.paper[measure], low, high) if comparable else "",
                }
            lines.append(line)
    columns = ["system", "measure", "paper", "ours", "sd", "low", "high", "seeds", "verdict"]
    return pd.DataFrame(lines).reindex(columns=columns).astype({"seeds": "Int64"})


def _measured(measure: str, reports: Sequence[dict]) -> tuple[float, float, float, float]:
    """Mean, sd, low, high of ``measure`` over the seeds."""
    labels = reports[0]["labels"]
    confusion = np.array([report["metrics"]["confusion"] for report in reports])  # (seeds, true, predicted)
    right, totals = confusion.diagonal(axis1=1, axis2=2), confusion[0].sum(axis=1)
    chosen = totals > 0 if measure == "UAR" else np.array([label == measure for label in labels])
    return interval(right[:, chosen], totals[chosen])


def summary(table: Table, reports: Reports) -> str:
    """The table in the paper's orientation (a column a method), with its banner, as Markdown."""
    frame = cells(table, reports)
    source = _source(reports)
    names = [row.name for row in table.rows]
    lines = []
    if source == STANDIN:
        lines += [STANDIN_BANNER, ""]
    elif source != PAPER:
        lines += [OWN_BANNER.format(source=source), ""]
    body = []
    for measure in table.measures:
        chosen = frame[frame["measure"] == measure].set_index("system").loc[names]
        body.append([measure, "paper", *chosen["paper"].map("{:.2f}".format)])
        body.append(["", "ours" if source == PAPER else source, *chosen.apply(_ours, axis=1)])
        body.append(["", "95 %", *chosen.apply(_range, axis=1)])
        if source == PAPER:
            body.append(["", "verdict", *chosen["verdict"]])
    lines += _table(["Recall", "", *names], body)
    lines += [
        "",
        "'95 %' is the interval that the test clips and the seeds leave open (reproduce/verdict.py).",
    ]
    if left_out := [name for name in names if name not in reports]:
        lines.append(f"Not run yet: {', '.join(left_out)}; the paper's figures are shown.")
    return "\n".join(lines) + "\n"


def markdown(table: Table, reports: Reports, links: Mapping[str, Sequence[str]]) -> str:
    """The summary, each run, how they were made, and the assumptions that touch the table.

    ``links``: row name -> path of each of its reports.
    """
    found = [report for each in reports.values() for report in each]
    lines = [f"## Table {table.number}: {table.title}", "", summary(table, reports)]
    if found:
        lines += ["### The runs", "", *_runs(reports, links), "", *_notes(found), ""]
    lines += ["### What the paper leaves open here", ""]
    lines += [
        f"- `{each.id}`: {each.question} {_chosen(each, found)}"
        for each in assumptions().values()
        if table.number in each.tables
    ]
    return "\n".join(lines) + "\n"


def _source(reports: Reports) -> str:
    return next((report["run"]["source"] for each in reports.values() for report in each), PAPER)


def _ours(line: pd.Series) -> str:
    if pd.isna(line["ours"]):
        return "not run"
    return f"{line['ours']:.2f}" + (f" ± {line['sd']:.2f}" if line["seeds"] > 1 else "")


def _range(line: pd.Series) -> str:
    return "" if pd.isna(line["low"]) else f"{line['low']:.1f}–{line['high']:.1f}"


def _runs(reports: Reports, links: Mapping[str, Sequence[str]]) -> list[str]:
    """One line a run: what it took, what it learnt, and the best epoch marked as what it is."""
    body = []
    for name, found in reports.items():
        for report, link in zip(found, links[name]):
            last = report["history"][-1]
            best = report["history"][report["best_epoch_on_test"] - 1]
            body.append(
                [
                    f"[{name}]({link})",
                    str(report["run"]["seed"]),
                    f"{report['parameters']:,}",
                    str(last["epoch"]),
                    f"{last['loss']:.3f}",
                    f"{100 * last['accuracy']:.1f}",
                    f"{100 * report['metrics']['accuracy']:.2f}",
                    f"{100 * report['metrics']['uar']:.2f}",
                    f"{100 * best['test']['uar']:.2f} (epoch {best['epoch']})",
                    f"{report['training_seconds'] / 60:.1f}",
                ]
            )
    head = [
        "Run",
        "Seed",
        "Parameters",
        "Epochs",
        "Training loss",
        "Training accuracy",
        "Test accuracy",
        "Test UAR",
    ]
    return _table([*head, "Best UAR of any epoch, chosen on test data", "Minutes"], body)


def _notes(found: Sequence[dict]) -> list[str]:
    report = found[0]
    run, settings = report["run"], report["settings"]
    clips, sizes = report["clips"], sorted({each["settings"]["micro_batch"] for each in found})
    notes = [
        f"Profile {run['profile']}: spectrograms of {run['size']} × {run['size']}, "
        f"{clips['train']} training clips (over-sampled) and {clips['test']} test clips, "
        f"SGD from {settings['learning_rate']:g} ({settings['schedule']}), "
        f"momentum {settings['momentum']:g}, weight decay {settings['weight_decay']:g}, "
        f"batch {run['batch_size']} in micro-batches of {' or '.join(map(str, sizes))}.",
        f"Device {', '.join(report['device'])}; data {run['data'][:12]}; finished {report['finished']}.",
    ]
    return [*notes, *report["remarks"]]


def _chosen(assumption, found: Sequence[dict]) -> str:
    """The choice that the runs were made with, and the other choices that there are."""
    used = {
        str(chosen[assumption.id])
        for report in found
        for chosen in report["run"]["choices"].values()
        if assumption.id in chosen
    }
    text = f"Here: {' or '.join(sorted(used)) if used else assumption.choice}."
    if isinstance(assumption.alternatives, list) and assumption.alternatives:
        text += f" Or: {', '.join(map(str, assumption.alternatives))}."
    return text


def _table(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """Markdown that also reads as plain text: every column as wide as its widest cell."""
    widths = [max(len(line[column]) for line in (head, *body)) for column in range(len(head))]

    def row(line: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"

    return [row(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(row, body)]


def write(table: Table, reports: Reports, links: Mapping[str, Sequence[str]], stem: Path) -> str:
    """Write ``stem``.csv and ``stem``.md and return the Markdown."""
    text = markdown(table, reports, links)
    with whole(stem.with_suffix(".csv")) as path:
        cells(table, reports).to_csv(path, index=False, float_format="%.4f")
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(text, encoding="utf-8")
    return text
