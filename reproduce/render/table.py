"""Reports -> the table, as tidy CSV, as Markdown in the paper's own layout and, of some tables, a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.assumptions import Assumption, assumptions
from reproduce.cells import cells, comparisons
from reproduce.paper.audit import audit
from reproduce.render.figures import draw_confusion, draw_systems
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER, banner
from reproduce.tables import Table

__all__ = [
    "MCNEMAR",
    "as_shown",
    "columns_of",
    "compared_table",
    "how_made",
    "left_open",
    "markdown",
    "runs_table",
    "source_of",
    "summary",
    "to_be_known",
    "write",
]

PICTURES = {3: draw_systems, 12: draw_confusion}
MCNEMAR = (
    "Exact McNemar test on the same clips, two-sided; adjusted for the number of comparisons (Holm). "
    "Of several seeds the largest p counts."
)


def summary(table: Table, reports: Sequence[Report]) -> str:
    """The table in the paper's orientation, with its banner and what is to be known, as Markdown."""
    frame, source = cells(table, reports), source_of(reports)
    lines = [*banner(source), *_grid(table, frame, source), "", *to_be_known(table, frame, reports)]
    return "\n".join(lines) + "\n"


def to_be_known(table: Table, frame: pd.DataFrame, reports: Sequence[Report]) -> list[str]:
    """Sentences below a table; ``frame``: of ``cells``."""
    open_by = "the test clips and the seeds leave open for another training"
    if not (frame["seeds"] > 1).any():
        open_by = "the test clips leave open, the seeds aside: there is one"
    lines = [f"'95 %' is the interval that {open_by} (reproduce/verdict.py)."]
    if source_of(reports) == PAPER:
        counts = frame["verdict"].value_counts()
        within, outside = counts.get("within", 0), counts.get("outside", 0)
        lines.append(f"{within} of the paper's numbers are within it, {outside} outside.")
    for each in reports:
        if each.fault:
            run = each.content["run"]
            lines.append(f"Failed: {run['row']}, fold {run['fold']}, seed {run['seed']}: {each.fault}.")
    if left_out := [each.name for each in table.systems() if not reports_of(each, reports)]:
        lines.append(
            f"Not run yet: {', '.join(left_out)}; the paper's figures are shown. `make table{table.number}` "
            "adds them, and does nothing again that is done."
        )
    return [*lines, *_impossible(table), *table.notes, *_segments(reports)]


def _impossible(table: Table) -> list[str]:
    """What the audit proves wrong of the paper's UARs by its other numbers, each reason once."""
    reasons: dict[str, list[str]] = {}
    for each in audit():
        place, _, cell = each.where.partition(", ")
        if each.check == "UAR" and not each.agrees and place == f"Table {table.number}":
            reason, _, instead = each.found.partition(": ")
            reasons.setdefault(reason, []).append(f"{cell} {each.claim} ({instead})")
    return [
        f"Impossible as the paper prints it (`make audit`), since {reason}: {'; '.join(found)}."
        for reason, found in reasons.items()
    ]


def columns_of(frame: pd.DataFrame) -> list[str]:
    """The heads of a table's columns in the paper's order; ``frame``: of ``cells``."""
    columns = list(dict.fromkeys(frame["column"]))
    if all(column.isdecimal() for column in columns):  # Table 4 has nothing in the first row's first column
        columns.sort(key=int)
    return columns


def as_shown(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` of ``cells`` as it is read: paper, ours, 95 % and verdict, all strings."""
    paper = frame["paper"].map(lambda value: "?" if pd.isna(value) else f"{value:.2f}")
    paper = paper.where(frame["predicted"] == "", paper.str.removesuffix(".00"))
    # the one number of which the paper prints six digits
    paper = paper.mask(frame["measure"] == "threshold", frame["paper"].map("{:g}".format))
    return pd.DataFrame(
        {
            "paper": paper.where([cell.printed for cell in table.cells], ""),
            "ours": frame.apply(_ours, axis=1),
            "95 %": frame.apply(_range, axis=1),
            "verdict": frame["verdict"],
        }
    )


def _grid(table: Table, frame: pd.DataFrame, source: str) -> list[str]:
    """A group of lines (paper, ours, 95 %, verdict) for each row of the paper's table."""
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
    return text.table([*table.heads, "", *columns], body)


def markdown(table: Table, reports: Sequence[Report]) -> str:
    """The summary, whose lead is more than chance, each run, how they were made, and the assumptions."""
    lines = [f"## Table {table.number}: {table.title}", "", summary(table, reports)]
    if len(compared := comparisons(table, reports)):
        lines += [f"### Is the lead of {table.claim.name} more than chance?", ""]
        lines += [*text.table(*compared_table(compared)), "", MCNEMAR, ""]
    if reports:
        head, body = runs_table(reports)
        for line, report in zip(body, reports):
            line[0] = f"[{line[0]}]({report.link})"
        lines += ["### The runs", "", *text.table(head, body), "", *how_made(table, reports), ""]
    lines += ["### What the paper leaves open here", ""]
    lines += [f"- `{each.id}`: {each.question} {said}" for each, said in left_open(table, reports)]
    return "\n".join(lines) + "\n"


def left_open(table: Table, reports: Sequence[Report]) -> list[tuple[Assumption, str]]:
    """The assumptions that touch a table, each with the choice that was made and the others."""
    touching = [each for each in assumptions().values() if table.number in each.tables]
    return [(each, _chosen(each, reports)) for each in touching]


def source_of(reports: Sequence[Report]) -> str:
    """Whose data the reports are of; the paper's where there is none."""
    return reports[0].content["run"]["source"] if reports else PAPER


def _ours(line: pd.Series) -> str:
    if pd.isna(line["ours"]):
        return line["verdict"] if line["verdict"] in ("not run", "failed") else "–"
    if line["predicted"]:
        return f"{line['ours']:.1f} ± {line['sd']:.1f}" if line["seeds"] > 1 else f"{line['ours']:.0f}"
    return f"{line['ours']:.2f}" + (f" ± {line['sd']:.2f}" if line["seeds"] > 1 else "")


def _range(line: pd.Series) -> str:
    return "" if pd.isna(line["low"]) else f"{line['low']:.1f}–{line['high']:.1f}"


def _segments(reports: Sequence[Report]) -> list[str]:
    """Where spectrograms are too small for as many segments as the paper has."""
    told = {}
    for report in reports:
        run = report.content["run"]
        segments = run["choices"].get("network", {}).get("segments")
        if isinstance(segments, list):
            told[f"{run['row']}: {', '.join(map(str, segments))} segments in blocks 1 to 5"] = run["size"]
    if not told:
        return []
    size = next(iter(told.values()))
    return [f"At {size} × {size} the last blocks have fewer rows than the paper's: {'; '.join(told)}."]


def compared_table(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Heads and lines; ``frame``: of ``comparisons``."""
    body = [
        [each.system, str(each.only_ours), str(each.only_theirs), _p(each.p), _p(each.p_adjusted), each.lead]
        for each in frame.itertuples()
    ]
    head = ["Against", "Only ours right", "Only theirs right", "p", "p, adjusted", "Lead"]
    return head, body


def _p(value: float) -> str:
    return f"{value:.4f}" if value >= 0.0001 else f"{value:.1e}"


def runs_table(reports: Sequence[Report]) -> tuple[list[str], list[list[str]]]:
    """Heads, and one line a run: what it took, what it learnt, and the best epoch marked as what it is."""
    several = len({report.content["run"]["fold"] for report in reports}) > 1
    body = []
    for report in reports:
        content = report.content
        head = [content["run"]["row"], *([content["run"]["fold"]] if several else [])]
        head.append(str(content["run"]["seed"]))
        if report.fault:
            body.append([*head, "failed", *[""] * 7])
            continue
        body.append(
            [
                *head,
                *(_learnt(content) if content["history"] else ["–"] * 4),
                f"{100 * content['metrics']['accuracy']:.2f}",
                f"{100 * content['metrics']['uar']:.2f}",
                _best(content) if content["history"] else "–",
                f"{content['training_seconds'] / 60:.1f}",
            ]
        )
    head = ["Run", *(["Fold"] if several else []), "Seed", "Parameters", "Epochs", "Training loss"]
    head += ["Training accuracy", "Test accuracy", "Test UAR", "Best UAR of any epoch, chosen on test data"]
    return [*head, "Minutes"], body


def _learnt(content: Mapping) -> list[str]:
    last = content["history"][-1]
    return [
        f"{content['parameters']:,}",
        str(last["epoch"]),
        f"{last['loss']:.3f}",
        f"{100 * last['accuracy']:.1f}",
    ]


def _best(content: Mapping) -> str:
    best = content["history"][content["best_epoch_on_test"] - 1]
    return f"{100 * best['test']['uar']:.2f} (epoch {best['epoch']})"


def how_made(table: Table, reports: Sequence[Report]) -> list[str]:
    """How the networks were trained and of what the other systems consisted; an item begins with '- '."""
    done = [report for report in reports if not report.fault]
    trained = [report.content for report in done if report.content["history"]]
    return [*(_trained(table, trained) if trained else []), *_peers(done)]


def _peers(reports: Sequence[Report]) -> list[str]:
    """What the systems that are no network consisted of, on each fold where that differs."""
    said: dict[str, dict[str, list[str]]] = {}
    for report in reports:
        content = report.content
        if not content["history"]:
            sizes = ", ".join(
                f"{name.replace('_', ' ')} {size}" for name, size in content["settings"].items()
            )
            folds = said.setdefault(content["run"]["row"], {}).setdefault(sizes, [])
            folds.append(content["run"]["fold"])
    return [
        f"- {row}" + (f", fold {', '.join(dict.fromkeys(folds))}" if len(sizes) > 1 else "") + f": {size}."
        for row, sizes in said.items()
        for size, folds in sizes.items()
    ]


def _trained(table: Table, found: Sequence[Mapping]) -> list[str]:
    """How the networks were trained."""
    report = found[0]
    run, settings = report["run"], report["settings"]
    sizes = sorted({each["settings"]["micro_batch"] for each in found})
    dtype = run["choices"]["training"].get("dtype")

    def clips(part: str) -> str:
        counts = sorted({each["clips"][part] for each in found})
        return " to ".join(dict.fromkeys(map(str, (counts[0], counts[-1]))))

    over_sampled = " (over-sampled)" if table.corpus == "ut_podcast" else ""
    notes = [
        f"Profile {run['profile']}: spectrograms of {run['size']} × {run['size']}, "
        f"{clips('train')} training clips{over_sampled} and {clips('test')} test clips, "
        f"SGD from {settings['learning_rate']:g} ({settings['schedule']}), "
        f"momentum {settings['momentum']:g}, weight decay {settings['weight_decay']:g}, "
        f"batch {run['batch_size']} in micro-batches of {' or '.join(map(str, sizes))}"
        + (f", convolutions in {dtype}." if dtype else "."),
        f"Device {', '.join(report['device'])}; data {run['data'][:12]}; finished {report['finished']}.",
    ]
    return notes + [f"- {remark}" for remark in report["remarks"]]


def _chosen(assumption, reports: Sequence[Report]) -> str:
    """The choice that the runs were made with, and the other choices that there are."""
    used = {
        str(chosen[assumption.id])
        for report in reports
        for chosen in report.content["run"]["choices"].values()
        if assumption.id in chosen
    }
    said = f"Here: {' or '.join(sorted(used)) if used else assumption.choice}."
    if isinstance(assumption.alternatives, list) and assumption.alternatives:
        said += f" Or: {', '.join(map(str, assumption.alternatives))}."
    return said


def write(table: Table, reports: Sequence[Report], stem: Path) -> str:
    """Write ``stem``.csv, ``stem``.md and, of the tables in PICTURES, ``stem``.png; return the Markdown."""
    said, frame = markdown(table, reports), cells(table, reports)
    with whole(stem.with_suffix(".csv")) as path:
        frame.to_csv(path, index=False, float_format="%.4f")
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(said, encoding="utf-8")
    if draw := PICTURES.get(table.number):
        with whole(stem.with_suffix(".png")) as path:
            draw(frame, source_of(reports), path)
    return said
