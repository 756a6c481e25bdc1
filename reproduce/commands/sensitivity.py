"""What each open point of the paper is worth: its alternatives run one at a time against the choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon.training import workers as cluster
from reproduce import markdown as text
from reproduce.assumptions import assumptions
from reproduce.cells import measured, paired
from reproduce.options import Options
from reproduce.peers import PEERS
from reproduce.runs.report import Report
from reproduce.runs.resolve import runs_of
from reproduce.runs.run import Run
from reproduce.runs.schedule import run_all
from reproduce.sources import banner
from reproduce.tables import ALL, Cell, Table

__all__ = ["sensitivity"]


@cluster.leave_on_error
def sensitivity(table: Table, options: Options) -> str:
    """Run the table's claimed system with every alternative of every assumption that touches the table.

    Returns Markdown: UAR and accuracy over all folds, and what each alternative adds to the UAR of the
    choices, tested on the same clips. One that is the same network is not trained. Written too, as
    ``results``/<source>/sensitivityNN.md and .csv. Among several workers the first writes it; of the others
    it is empty.
    """
    base = run_all(table, [table.claim], options)
    if faults := [report.fault for report in base if report.fault]:
        raise Faults(f"the choices as listed, which all else is compared with, failed: {faults[0]}")
    given = {each.partition("=")[0] for each in options.assume}
    found, left_out, same = [("choices as listed", "", base)], [], []
    listed, classes = _run(table, options), len(base[0].content["labels"])
    for assumption in assumptions().values():
        fixed = assumption.where == "fixed" or assumption.where in PEERS  # not the claimed system's
        if table.number not in assumption.tables or assumption.id in given or fixed:
            continue
        if not assumption.others():
            left_out.append(assumption.id)
        for value in assumption.others():
            other = replace(options, assume=[*options.assume, f"{assumption.id}={value}"])
            if _alike(listed, _run(table, other), classes):
                same.append(f"{assumption.id}={value}")
            else:
                found.append((assumption.id, str(value), run_all(table, [table.claim], other)))
    if cluster.join().rank:
        return ""
    frame = pd.DataFrame([_line(id, value, table, reports, base) for id, value, reports in found])
    run = base[0].content["run"]
    stem = options.results / run["source"] / f"sensitivity{table.number:02}"
    said = "\n".join(
        [
            f"## What the open points are worth in Table {table.number}",
            "",
            *banner(run["source"]),
            *_grid(frame),
            "",
            f"{table.claim.name}, profile {run['profile']}, all folds' test clips as one; in %. 'p': exact "
            "McNemar test against the choices on the same clips, not adjusted for the number of lines; "
            "empty where the alternative has other clips.",
            *([f"Not varied, since any number is possible: {', '.join(left_out)}."] if left_out else []),
            *([f"Not trained, since the network is the same: {', '.join(same)}."] if same else []),
        ]
    )
    with whole(stem.with_suffix(".csv")) as path:
        frame.to_csv(path, index=False, float_format="%.4f")
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(said + "\n", encoding="utf-8")
    return said


def _run(table: Table, options: Options) -> Run:
    """One of the claimed system's runs, whatever the corpus."""
    return runs_of(table, [table.claim], options, source="", data="")[0]


def _alike(run: Run, other: Run, classes: int) -> bool:
    """Whether two runs train the same network in the same way."""
    from freqcnn_gluon.network.describe import form  # here, since MXNet takes its time
    from freqcnn_gluon.network.zoo import build

    rest, others = (replace(each, choices={**each.choices, "network": {}}) for each in (run, other))
    if rest != others:
        return False
    one, two = (build(each.system, classes, each.size, **each.choices["network"]) for each in (run, other))
    return form(one) == form(two)


def _line(id: str, value: str, table: Table, reports: Sequence[Report], base: Sequence[Report]) -> dict:
    """Numbers of one alternative, in %, and its difference to the ``base``."""

    def of(measure: str, found: Sequence[Report]) -> tuple[float, ...]:
        return measured(
            Cell((), "", table.claim, ALL, measure, None), table.folds, [each.content for each in found]
        )

    if any(report.fault for report in reports):
        return {"assumption": id, "alternative": value, "failed": True}
    uar, sd, low, high = of("UAR", reports)
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
        "difference": uar - of("UAR", base)[0],
        "accuracy": of("ACC", reports)[0],
        "training_accuracy": 100 * sum(trained) / len(trained),
        "p": test[2] if test and reports is not base else None,
    }


def _grid(frame: pd.DataFrame) -> list[str]:
    body = [
        [each.assumption, each.alternative, "failed", *[""] * 5]
        if each.failed
        else [
            each.assumption,
            each.alternative,
            f"{each.uar:.2f}",
            f"{each.low:.1f}–{each.high:.1f}",
            f"{each.difference:+.2f}",
            f"{each.accuracy:.2f}",
            f"{each.training_accuracy:.1f}",
            "" if pd.isna(each.p) else f"{each.p:.4f}",
        ]
        for each in frame.itertuples()
    ]
    head = ["Assumption", "Alternative", "UAR", "95 %", "Difference", "Accuracy", "Training accuracy", "p"]
    return text.table(head, body)
