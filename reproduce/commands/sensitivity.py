"""``python -m reproduce sensitivity``: measure the effect of each alternative of each assumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.training import workers
from reproduce import markdown as text
from reproduce.assumptions import assumptions
from reproduce.cells import measured, paired
from reproduce.options import Options
from reproduce.peers import PEERS
from reproduce.runs.report import Report
from reproduce.runs.resolve import Job, resolve, runs_of
from reproduce.runs.run import Run
from reproduce.runs.schedule import run_all
from reproduce.sources import banner
from reproduce.tables import ALL, Cell, Table

__all__ = ["sensitivity"]


@workers.leave_on_error
def sensitivity(table: Table, options: Options) -> str:
    """Run the table's claimed system with every alternative of every assumption that it depends on.

    An alternative that builds the same network is not trained. Writes
    ``results``/<source>/sensitivityNN.md and .csv. Of several workers rank 0 writes, and the others return
    an empty string.

    Args:
        table: The table.
        options: The options of its runs. An assumption that they override is not varied.

    Returns:
        Markdown: for each alternative its UAR and accuracy over all folds, and the difference between its
        UAR and that of the default choices, tested on the same clips.

    Raises:
        Faults: The runs with the choices failed, or anything that ``run_all`` raises.
    """
    job = resolve(table, options)
    base = run_all(job, [table.claim])
    if faults := [report.fault for report in base if report.fault]:
        raise Faults(
            f"the run with the default choices, with which all others are compared, failed: {faults[0]}"
        )
    results, same = [("choices as listed", "", base)], []
    classes = len(base[0].content["labels"])
    varied, without = _alternatives(table, options)
    for id, value in varied:
        changed = resolve(table, replace(options, assume=[*options.assume, f"{id}={value}"]))
        if _equal(_first_run(job), _first_run(changed), classes):
            same.append(f"{id}={value}")
        else:
            results.append((id, str(value), run_all(changed, [table.claim])))
    if workers.join().rank:
        return ""
    frame = pd.DataFrame([_line(id, value, table, reports, base) for id, value, reports in results])
    run = base[0].content["run"]
    rendered = _markdown(table, run, frame, without, same)
    stem = options.results / run["source"] / f"sensitivity{table.number:02}"
    with whole(stem.with_suffix(".csv")) as path:
        frame.to_csv(path, index=False, float_format="%.4f")
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(rendered + "\n", encoding="utf-8")
    return rendered


def _alternatives(table: Table, options: Options) -> tuple[list[tuple[str, Any]], list[str]]:
    """List the assumptions' ids and values to try, and the ids that have no value to try."""
    overridden = {override.partition("=")[0] for override in options.assume}
    varied, without = [], []
    for assumption in assumptions().values():
        fixed = assumption.where == "fixed" or assumption.where in PEERS  # the claimed system is not a peer
        if table.number not in assumption.tables or assumption.id in overridden or fixed:
            continue
        varied += [(assumption.id, value) for value in assumption.values_to_try()]
        if not assumption.values_to_try():
            without.append(assumption.id)
    return varied, without


def _first_run(job: Job) -> Run:
    """Return one of the claimed system's runs, for a corpus without a name."""
    return runs_of(job, [job.table.claim], source="", data="")[0]


def _equal(first: Run, second: Run, classes: int) -> bool:
    """Whether two runs train the same network with the same settings."""
    from freqcnn_gluon.network.describe import form  # imports MXNet, which takes seconds
    from freqcnn_gluon.network.zoo import build

    size, _ = first.network_sizes()

    def without_network(run: Run) -> Run:
        # Settings that have no effect on the images do not count.
        image = ImageSettings(size, **run.choices["image"]).as_json()
        return replace(run, choices={**run.choices, "network": {}, "image": image})

    if without_network(first) != without_network(second):
        return False
    nets = [build(run.system, classes, size, **run.choices["network"]) for run in (first, second)]
    return form(nets[0]) == form(nets[1])


def _line(id: str, value: str, table: Table, reports: Sequence[Report], base: Sequence[Report]) -> dict:
    """Return the numbers of one alternative, in %, and its difference from the ``base``."""

    def numbers(measure: str, reports: Sequence[Report]) -> tuple[float, float, float, float]:
        cell = Cell((), "", table.claim, ALL, measure, None)
        return measured(cell, table.folds, [report.content for report in reports])

    if any(report.fault for report in reports):
        return {"assumption": id, "alternative": value, "failed": True}
    uar, sd, low, high = numbers("UAR", reports)
    trained = [report.content["history"][-1]["accuracy"] for report in reports]
    test = paired(base, reports)
    return {
        "assumption": id,
        "alternative": value,
        "failed": False,
        "uar": uar,
        "sd": sd,
        "low": low,
        "high": high,
        "difference": uar - numbers("UAR", base)[0],
        "accuracy": numbers("ACC", reports)[0],
        "training_accuracy": 100 * sum(trained) / len(trained),
        "p": test[2] if test and reports is not base else None,
    }


def _markdown(table: Table, run: dict, frame: pd.DataFrame, without: list[str], same: list[str]) -> str:
    lines = [
        f"## Effect of the assumptions on Table {table.number}",
        "",
        *banner(run["source"]),
        *_grid(frame),
        "",
        f"{table.claim.name}, profile {run['profile']}, in % of the test clips of all folds. 'p' is from the "
        "exact McNemar test against the default choices on the same clips, not adjusted for the number of "
        "lines. It is empty if the alternative has other clips.",
    ]
    if without:
        lines.append(f"Not varied, since any number is possible: {', '.join(without)}.")
    if same:
        lines.append(f"Not trained, since the network is the same: {', '.join(same)}.")
    return "\n".join(lines)


def _grid(frame: pd.DataFrame) -> list[str]:
    body = [
        [line.assumption, line.alternative, "failed", *[""] * 5]
        if line.failed
        else [
            line.assumption,
            line.alternative,
            f"{line.uar:.2f}",
            f"{line.low:.1f}–{line.high:.1f}",
            f"{line.difference:+.2f}",
            f"{line.accuracy:.2f}",
            f"{line.training_accuracy:.1f}",
            "" if pd.isna(line.p) else f"{line.p:.4f}",
        ]
        for line in frame.itertuples()
    ]
    head = ["Assumption", "Alternative", "UAR", "95 %", "Difference", "Accuracy", "Training accuracy", "p"]
    return text.table(head, body)
