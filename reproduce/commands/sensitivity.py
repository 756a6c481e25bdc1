"""``python -m reproduce sensitivity``: measure the effect of each alternative of each assumption."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon.training import workers
from reproduce import markdown as text
from reproduce.assumptions import assumptions
from reproduce.cells import measured, paired
from reproduce.options import Options
from reproduce.peers import PEERS
from reproduce.runs.networks import check_networks, training_key
from reproduce.runs.report import Report, devices_of
from reproduce.runs.resolve import Job, resolve, runs_of
from reproduce.runs.run import Run
from reproduce.runs.schedule import run_all
from reproduce.sources import banner
from reproduce.tables import ALL, Cell, Table

__all__ = ["sensitivity"]

LISTED = "choices as listed"
Change = tuple[tuple[str, Any], ...]  # assumptions and their values in place of the choices


@workers.leave_on_error
def sensitivity(table: Table, options: Options, together: Sequence[str] = ()) -> str:
    """Run the table's claimed system with every alternative of every assumption that it depends on.

    Alternatives and combinations that give the same training as an earlier one are not trained. Writes
    ``results``/<source>/sensitivityNN.md and .csv. Of several workers rank 0 writes, and the others return
    an empty string.

    Args:
        table: The table.
        options: The options of its runs. An assumption that they override is not varied.
        together: Ids of assumptions whose alternatives are also run in all combinations.

    Returns:
        Markdown: for each alternative and combination its UAR and accuracy over all folds, and the difference
        between its UAR and that of the default choices, tested on the same clips.

    Raises:
        Faults: An id in ``together`` is not varied, a network cannot be built or does not fit (before
            anything is trained), the runs with the default choices failed, or anything that ``run_all``
            raises.
    """
    job = resolve(table, options)
    varied, without = _alternatives(table, options)
    changes: list[Change] = [((id, value),) for id, value in varied]
    changes += _combinations(varied, together, table, options)
    distinct, same = _distinct(job, changes, options)
    base = run_all(job, [table.claim])
    if faults := [report.fault for report in base if report.fault]:
        raise Faults(
            f"the run with the default choices, with which all others are compared, failed: {faults[0]}"
        )
    results = [(change, run_all(changed, [table.claim])) for change, changed in distinct]
    if workers.join().rank:
        return ""
    lines = [_line(LISTED, "", table, base, base)]
    for change, reports in results:
        ids, values = (" + ".join(map(str, column)) for column in zip(*change))
        lines.append(_line(ids, values, table, reports, base))
    frame, run = pd.DataFrame(lines), base[0].content["run"]
    rendered = _markdown(table, base, frame, without, same)
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


def _combinations(
    varied: Sequence[tuple[str, Any]], together: Sequence[str], table: Table, options: Options
) -> list[Change]:
    """List all combinations of two or more alternatives of the assumptions in ``together``."""
    values: dict[str, list[Any]] = {}
    for id, value in varied:
        values.setdefault(id, []).append(value)
    overridden = {override.partition("=")[0] for override in options.assume}
    faults = [
        f"the assumption '{id}' has a value in ASSUME, so TOGETHER cannot vary it"
        if id in overridden
        else f"there is no assumption '{id}' that TOGETHER can vary for table {table.number}: choose among "
        f"{', '.join(values)}"
        for id in together
        if id not in values
    ]
    if len(ids := list(dict.fromkeys(together))) == 1:
        faults.append(f"TOGETHER names only '{ids[0]}': name two or more assumptions")
    if faults:
        raise Faults(faults)
    each = [[None, *((id, value) for value in values[id])] for id in ids]  # None is the choice
    products = (tuple(filter(None, product)) for product in itertools.product(*each))
    return [change for change in products if len(change) > 1]


def _distinct(
    job: Job, changes: Sequence[Change], options: Options
) -> tuple[list[tuple[Change, Job]], list[str]]:
    """Return the changes that give a training of their own with their jobs, and the others in words.

    Raises:
        Faults: A change gives a network that cannot be built or does not fit. All are listed.
    """
    from freqcnn_gluon.network.architectures import architecture

    classes = architecture(job.table.architecture).classes
    devices = None if job.scheduler else job.device
    distinct, same, faults = [], [], []
    keys: list[tuple[str, tuple]] = []
    for change in [(), *changes]:  # first without a change
        words = [f"{id}={value}" for id, value in change]
        changed = resolve(job.table, replace(options, assume=[*options.assume, *words]))
        label, run = " ".join(words) or LISTED, _first_run(changed)
        try:
            check_networks([run], classes)
            key = training_key(run, classes, devices)
        except Faults as fault:
            faults += [f"{label}: {text}" for text in fault.faults]
            continue
        if twin := next((other for other, known in keys if known == key), None):
            same.append(f"{label} (as {twin})")
            continue
        keys.append((label, key))
        if change:
            distinct.append((change, changed))
    if faults:
        raise Faults(faults)
    return distinct, same


def _first_run(job: Job) -> Run:
    """Return one of the claimed system's runs, for a corpus without a name."""
    return runs_of(job, [job.table.claim], source="", data="")[0]


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
        "p": test.p_speakers if test and reports is not base else None,
    }


def _markdown(
    table: Table, base: Sequence[Report], frame: pd.DataFrame, without: list[str], same: list[str]
) -> str:
    run, devices = base[0].content["run"], devices_of(base)
    lines = [
        f"## Effect of the assumptions on Table {table.number}",
        "",
        *banner(run["source"], devices),
        *_grid(frame),
        "",
        f"{table.claim.name}, profile {run['profile']}, in % of the test clips of all folds. '95 % (clips)' "
        "is the interval from the number of test clips. 'p' is from the exact test that swaps the "
        "alternative and the default choices speaker by speaker, for the seed with the largest p. It is not "
        "adjusted for the number of lines, and it is empty if the alternative has other clips.",
    ]
    if without:
        lines.append(f"Not varied, since any number is possible: {', '.join(without)}.")
    if same:
        lines.append(f"Not trained, since another training is the same: {', '.join(same)}.")
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
    head = [
        "Assumption",
        "Alternative",
        "UAR",
        "95 % (clips)",
        "Difference",
        "Accuracy",
        "Training accuracy",
        "p",
    ]
    return text.table(head, body)
