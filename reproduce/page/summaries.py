"""What all results of a source say together: the paper's claims, and what the runs spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reproduce.claims import judge
from reproduce.page.grid import Grid
from reproduce.render.claims import HEAD, RULE, left_out, lines_of, summary
from reproduce.runs.report import Report, devices_of
from reproduce.sources import devices_note
from reproduce.tables import heading

__all__ = ["Claims", "Compute", "claims_of", "compute_of"]


@dataclass(frozen=True)
class Claims:
    """The paper's claims, examined on the numbers of a source.

    Attributes:
        grid: A line for each claim.
        summary: The number of claims by their result, in a sentence.
        rule: The rule in sentences.
        left_out: What is not examined, in sentences.
    """

    grid: Grid
    summary: str
    rule: Sequence[str]
    left_out: Sequence[str]


@dataclass(frozen=True)
class Compute:
    """What the runs of a source spent.

    Attributes:
        by_table: A line for each table; a run that two tables share counts in both.
        by_device: A line for each device, and one for the runs whose reports do not state it.
        note: That nothing was computed on a GPU, if that is so; otherwise empty.
    """

    by_table: Grid
    by_device: Grid
    note: str


def claims_of(by_number: Mapping[int, Sequence[Report]], source: str) -> Claims:
    """Judge the paper's claims on the reports of a source.

    Args:
        by_number: Number of a table -> its reports.
        source: The source.
    """
    judgements = judge(by_number, source)
    return Claims(Grid(HEAD, lines_of(judgements)), summary(judgements), RULE, left_out())


def compute_of(by_number: Mapping[int, Sequence[Report]]) -> Compute:
    """Sum what the runs of a source spent, by table and by device. Arguments as in ``claims_of``."""
    runs = {report.link: report for reports in by_number.values() for report in reports if not report.fault}
    by_device: dict[str, list[Report]] = {}
    for report in runs.values():
        by_device.setdefault(_hardware(report), []).append(report)
    tables = [
        [heading(number), *_spent([report for report in reports if not report.fault])]
        for number, reports in by_number.items()
    ]
    head = ["Runs", "Runs that do not state it", "Hours", "Processor hours", "Most memory, GB"]
    return Compute(
        by_table=Grid(["Table", *head], [*tables, ["All, each run once", *_spent(list(runs.values()))]]),
        by_device=Grid(
            ["Device", *head], [[name, *_spent(reports)] for name, reports in sorted(by_device.items())]
        ),
        note=devices_note(devices_of(list(runs.values()))),
    )


def _hardware(report: Report) -> str:
    """Name the device of a run with its threads, or say that the report does not state it."""
    compute = report.content.get("compute")
    if not compute:
        return "not stated"
    if compute["gpus"]:
        return ", ".join(compute["gpus"])
    return f"{compute['cpu']}, {compute['threads']} of {compute['cores']} cores, {compute['memory_gb']:g} GB"


def _spent(reports: Sequence[Report]) -> list[str]:
    """Return the number of runs, of those that do not state their cost, and the sums of the others."""
    stated = [report.content["compute"] for report in reports if "compute" in report.content]
    counts = [str(len(reports)), str(len(reports) - len(stated))]
    if not stated:
        return [*counts, *["not stated"] * 3]
    wall, processor = (
        sum(compute[name] for compute in stated) / 3600 for name in ("wall_seconds", "cpu_seconds")
    )
    most = max(compute["peak_memory_gb"] for compute in stated)
    return [*counts, f"{wall:.2f}", f"{processor:.2f}", f"{most:.1f}"]
