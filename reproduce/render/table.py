"""Reports -> a table: tidy CSV, Markdown in the paper's layout and, for two tables, a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import pandas as pd

from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.cells import by_system, cells, comparisons
from reproduce.options import COMPARE
from reproduce.render.claims import recordings_section
from reproduce.render.figures import draw_confusion, draw_systems
from reproduce.render.notes import CLIPS, PREDICTION, assumption_notes, run_notes, source_of, table_notes
from reproduce.runs.report import Report, devices_of
from reproduce.sources import PAPER, banner
from reproduce.tables import Table

__all__ = [
    "LEADS",
    "as_shown",
    "columns_of",
    "comparisons_table",
    "markdown",
    "runs_table",
    "summary",
    "write",
]

FIGURES = {3: draw_systems, 12: draw_confusion}
LEADS = (
    "Both tests are exact, two-sided and on the same test clips. McNemar's takes clips as independent. The "
    "other one swaps the two systems' results speaker by speaker, with all clips of a speaker together, and "
    "decides the lead. Each p is adjusted for the number of comparisons (Holm). Of several seeds, the one "
    "with the largest p over speakers is shown. 'too few speakers (n)': no lead can be significant, because "
    "2/2ⁿ, the smallest p over n speakers, times the number of comparisons is not below 0.05. 'not tested': "
    "the reports do not state the speaker of each clip."
)


def summary(table: Table, reports: Sequence[Report]) -> str:
    """Render the table as Markdown, in the paper's layout or with a line for each system.

    Its banner is above, and its notes are below.
    """
    frame, source = cells(table, reports), source_of(reports)
    grid = _systems_grid(table, reports) if table.number == COMPARE else _grid(table, frame, source)
    lines = [
        *banner(source, devices_of(reports)),
        *grid,
        "",
        *table_notes(table, frame, reports),
    ]
    return "\n".join(lines) + "\n"


def columns_of(frame: pd.DataFrame) -> list[str]:
    """Return the heads of a table's columns in the paper's order; ``frame`` comes from ``cells``."""
    columns = list(dict.fromkeys(frame["column"]))
    if all(column.isdecimal() for column in columns):  # Table 4's first row has no number in column '0'.
        columns.sort(key=int)
    return columns


def as_shown(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Format ``frame`` from ``cells`` as strings: columns paper, ours, two intervals and verdict."""
    paper = frame["paper"].map(lambda value: "?" if pd.isna(value) else f"{value:.2f}")
    paper = paper.where(frame["predicted"] == "", paper.str.removesuffix(".00"))
    # The paper prints thresholds with six digits and all other numbers with two decimals.
    paper = paper.mask(frame["measure"] == "threshold", frame["paper"].map("{:g}".format, na_action="ignore"))
    return pd.DataFrame(
        {
            "paper": paper.where([cell.printed for cell in table.cells], ""),
            "ours": frame.apply(_ours, axis=1),
            CLIPS: [_range(*limits) for limits in zip(frame["low"], frame["high"])],
            PREDICTION: [
                _range(*limits) for limits in zip(frame["prediction_low"], frame["prediction_high"])
            ],
            "verdict": frame["verdict"],
        }
    )


def _ours(line: Mapping) -> str:
    """Format our number of a cell, or why there is none."""
    if pd.isna(line["ours"]):
        return line["verdict"] if line["verdict"] in ("not run", "failed") else "–"
    if line["predicted"]:
        return f"{line['ours']:.1f} ± {line['sd']:.1f}" if line["seeds"] > 1 else f"{line['ours']:.0f}"
    return f"{line['ours']:.2f}" + (f" ± {line['sd']:.2f}" if line["seeds"] > 1 else "")


def _range(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.1f}–{high:.1f}"


def _grid(table: Table, frame: pd.DataFrame, source: str) -> list[str]:
    """Render a group of lines (paper, ours, intervals, verdict) for each row of the paper's table."""
    columns, ours = columns_of(frame), "ours" if source == PAPER else source
    shown = as_shown(table, frame).rename(columns={"ours": ours})
    kinds = [kind for kind in shown if source == PAPER or kind != "verdict"]
    body = []
    for row in dict.fromkeys(frame["row"]):
        chosen = frame.index[frame["row"] == row]
        heads = row.split(" | ")
        for kind in kinds:
            by_column = dict(zip(frame.loc[chosen, "column"], shown[kind][chosen]))
            if kind in ("paper", ours) or any(by_column.values()):
                body.append([*heads, kind, *(by_column.get(column, "") for column in columns)])
                heads = [""] * len(heads)
    return text.table([*table.heads, "Value", *columns], body)


def _systems_grid(table: Table, reports: Sequence[Report]) -> list[str]:
    """Render a line for each system: scores, intervals, training, and the tests against the first system."""
    frame = by_system(table, reports)
    predicted = frame["uar_prediction_low"].notna().any()
    head = [*table.heads, "UAR, %", CLIPS, *([PREDICTION] if predicted else []), "Accuracy, %", CLIPS]
    head += ["Training accuracy, %", "Parameters", "Seconds", "Adjusted p (McNemar)", "Adjusted p (speakers)"]
    body = []
    for line in frame.to_dict("records"):
        scores = [_score(line, "uar")]
        if predicted:
            scores.append([_range(line["uar_prediction_low"], line["uar_prediction_high"])])
        scores.append(_score(line, "accuracy"))
        forms = {"training_accuracy": "{:.1f}", "parameters": "{:,.0f}", "seconds": "{:.1f}"}
        training = ["–" if pd.isna(line[name]) else form.format(line[name]) for name, form in forms.items()]
        tests = [_p(line[name]) for name in ("p_adjusted", "p_speakers_adjusted")]
        body.append([line["system"], *chain(*scores), *training, *tests])
    return text.table([*head, "Significant lead"], [[*line, lead] for line, lead in zip(body, frame["lead"])])


def _score(line: Mapping, name: str) -> list[str]:
    """Format a system's score and its interval from the number of test clips."""
    shown = _ours({"ours": line[name], "sd": line[f"{name}_sd"], "predicted": "", **line})
    return [shown, _range(line[f"{name}_low"], line[f"{name}_high"])]


def markdown(table: Table, reports: Sequence[Report]) -> str:
    """Render the whole page of a table: summary, claims, comparisons, runs with their notes, assumptions."""
    lines = [f"## {table.name}: {table.title}", "", summary(table, reports)]
    if table.number == COMPARE and (claims := recordings_section(table, reports)):
        lines += [*claims, ""]
    if len(frame := comparisons(table, reports)):
        lines += [f"### Is the lead of {table.claim.name} significant?", ""]
        lines += [*text.table(*comparisons_table(table, frame)), "", LEADS, ""]
    head, body = runs_table(reports)
    for line, report in zip(body, reports):
        line[0] = f"[{line[0]}]({report.link})"
    lines += ["### Runs", "", *text.table(head, body), "", *run_notes(table, reports), ""]
    lines += ["### Assumptions where the paper is silent", ""]
    for assumption, choice in assumption_notes(table, reports):
        lines.append(f"- `{assumption.id}`: {assumption.question} {choice}")
    return "\n".join(lines) + "\n"


def comparisons_table(table: Table, frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the heads and lines of the comparisons with the table's claimed system.

    Args:
        table: The table.
        frame: The comparisons, from ``comparisons``.
    """
    claim = table.claim.name
    head = ["Other system", f"Clips that only {claim} recognises", "Clips that only the other recognises"]
    head += ["p (McNemar)", "Adjusted p (McNemar)", "p (speakers)", "Adjusted p (speakers)"]
    head += ["Significant lead"]
    body = []
    for line in frame.itertuples():
        values = (line.p, line.p_adjusted, line.p_speakers, line.p_speakers_adjusted)
        body.append([line.system, str(line.only_ours), str(line.only_theirs), *map(_p, values), line.lead])
    return head, body


def _p(value: float) -> str:
    if pd.isna(value):
        return "–"
    return f"{value:.4f}" if value >= 0.0001 else f"{value:.1e}"


def runs_table(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    """Return the heads and one line for each run: its system, training, results and minutes.

    The best epoch is marked as chosen on test data, because no other number may use it.
    """
    several_folds = len({report.content["run"]["fold"] for report in reports}) > 1
    head = ["Run", *(["Fold"] if several_folds else []), "Seed"]
    results = ["Parameters", "Epochs", "Training loss", "Training accuracy, %", "Test accuracy, %"]
    results += ["Test UAR, %", "Best UAR of any epoch, % (chosen on test data)", "Minutes"]
    body = []
    for report in reports:
        run = report.content["run"]
        line = [run["row"], *([run["fold"]] if several_folds else []), str(run["seed"])]
        if report.fault:
            body.append([*line, "failed", *[""] * (len(results) - 1)])
        else:
            body.append([*line, *_results(report.content)])
    return [*head, *results], body


def _results(content: Mapping) -> list[str]:
    """Format the results of one run, with dashes where its report has no epochs."""
    learnt, best = ["–"] * 4, "–"
    if history := content["history"]:
        last, best_entry = history[-1], history[content["best_epoch_on_test"] - 1]
        learnt = [f"{content['parameters']:,}", str(last["epoch"])]
        learnt += [f"{last['loss']:.3f}", f"{100 * last['accuracy']:.1f}"]
        best = f"{100 * best_entry['test']['uar']:.2f} (epoch {best_entry['epoch']})"
    metrics = content["metrics"]
    test = [f"{100 * metrics['accuracy']:.2f}", f"{100 * metrics['uar']:.2f}"]
    return [*learnt, *test, best, f"{content['training_seconds'] / 60:.1f}"]


def write(table: Table, reports: Sequence[Report], stem: Path) -> str:
    """Write ``stem``.csv, ``stem``.md and, for the tables in FIGURES, ``stem``.png.

    The CSV has a line for each cell, or for each system of a comparison.

    Returns:
        The Markdown.
    """
    page, frame = markdown(table, reports), cells(table, reports)
    lines, digits = (by_system(table, reports), "%.6g") if table.number == COMPARE else (frame, "%.4f")
    with whole(stem.with_suffix(".csv")) as path:
        lines.to_csv(path, index=False, float_format=digits)
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(page, encoding="utf-8")
    if draw := FIGURES.get(table.number):
        with whole(stem.with_suffix(".png")) as path:
            draw(frame, source_of(reports), path)
    return page
