"""The rule that decides whether a claim of the paper holds on our numbers.

A comparison of two quantities is examined on their differences d, one for each seed that both have. The two
share their test clips, except where a claim compares folds. With k >= 3 seeds, the 95 % interval of the mean
difference is mean(d) ± t sd(d) / √k, where t is Student's 97.5 % quantile with k - 1 degrees of freedom.

- 'above' holds if the interval lies above 0, and does not hold if it lies below 0.
- 'not below' is the same with -TOLERANCE in place of 0: no sample shows that a difference is exactly 0.
- A number that the paper quotes is that of one training. It holds if it lies in the prediction interval
  mean(d) ± t sd(d) √(1 + 1/k), as the paper rounds it, and otherwise does not hold.

In all other cases, and below three seeds, the answer cannot be told. A claim holds if each of its parts
holds, and does not hold if one of them does not. A part holds if one of its comparisons holds, and does not
hold if none of them does.

Where one of n results is enough for an answer, chance has n attempts. The quantile is then Bonferroni's: a
part with n comparisons needs the 1 - 0.025/n quantile to hold, a claim with n parts needs it not to hold.
Where all results are needed, the 97.5 % quantile stays. If the differences are normally distributed, a false
'holds' and a false 'does not hold' of a claim that compares quantities each have a probability of at most
2.5 %, and a true quoted number does not hold with a probability of 5 %.

On other recordings than the paper's, ``on_recordings`` takes each claim that one system is above another as a
claim of its own, with one comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import t

from reproduce.cells import by_seed
from reproduce.paper import checks
from reproduce.paper.claim import EQUAL, NOT_BELOW, Claim, Comparison, Place, examined, printed_values
from reproduce.paper.claims import CLAIMS, quoted
from reproduce.paper.exact import Finding, printed
from reproduce.paper.published import sentences
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER
from reproduce.tables import (
    ALL,
    AVERAGE,
    Cell,
    System,
    Table,
    compare,
    table03,
    table04,
    table05,
    table08,
    table09,
    table11,
    trained,
)
from reproduce.verdict import LEAST_SEEDS, half_width

__all__ = [
    "FAILED",
    "HOLDS",
    "LEAST_SEEDS",
    "NOT_COMPARED",
    "NOT_RUN",
    "REFUTED",
    "TOLERANCE",
    "UNKNOWN",
    "Judged",
    "Judgement",
    "cell_of",
    "counts",
    "every_claim",
    "judge",
    "on_recordings",
    "on_the_paper",
]

TOLERANCE = 1.0  # percentage points, for 'not below'
HOLDS, REFUTED, UNKNOWN = "holds", "does not hold", "cannot be told"
NOT_RUN, FAILED, NOT_COMPARED = "not run", "failed", "not compared"
Reports = Mapping[int, Sequence[Report]]  # number of a table -> its reports


@dataclass(frozen=True)
class Judged:
    """A comparison on our numbers.

    Attributes:
        comparison: The comparison.
        differences: Seed -> first quantity less second, in percentage points.
        mean: Mean difference; NaN without a seed that both quantities have.
        low, high: The limits that decide whether it holds and whether it does not; NaN below LEAST_SEEDS.
        result: HOLDS, REFUTED or UNKNOWN.
    """

    comparison: Comparison
    differences: Mapping[int, float]
    mean: float
    low: float
    high: float
    result: str


@dataclass(frozen=True)
class Judgement:
    """A claim on the paper's numbers and on ours.

    Attributes:
        claim: The claim.
        paper: The audit's finding on the paper's numbers.
        parts: The comparisons on our numbers, by the claim's parts; empty unless all systems were run.
        result: HOLDS, REFUTED, UNKNOWN, NOT_RUN, FAILED, or NOT_COMPARED for a number that the paper quotes
            if ours are not from its corpora.
        missing: With NOT_RUN, the tables whose reports are missing.
    """

    claim: Claim
    paper: Finding
    parts: tuple[tuple[Judged, ...], ...]
    result: str
    missing: tuple[int, ...] = ()

    @property
    def seeds(self) -> int:
        """The smallest number of seeds of a comparison, 0 if nothing was run."""
        return min((len(item.differences) for part in self.parts for item in part), default=0)


def every_claim() -> list[Claim]:
    """List the claims that can be examined on our numbers, not only on the paper's."""
    return [claim for claim in (*CLAIMS, *quoted(sentences())) if not claim.paper_only]


def on_the_paper(claims: Sequence[Claim]) -> list[Finding]:
    """Return the audit's finding on each claim."""
    tables = printed()
    value = printed_values(tables, checks.diagonal(tables, sentences()))
    return [examined(claim, value) for claim in claims]


def judge(reports: Reports, source: str) -> list[Judgement]:
    """Judge every claim on our numbers.

    Args:
        reports: The source's reports; tables without reports may be missing.
        source: The source, see ``reproduce.sources``.
    """
    claims = every_claim()
    values: dict[Place, dict[int, float]] = {}
    return [
        _judgement(claim, finding, reports, source, values)
        for claim, finding in zip(claims, on_the_paper(claims))
    ]


def on_recordings(table: Table, reports: Sequence[Report]) -> pd.DataFrame:
    """Judge the paper's claims about the systems of a comparison, on their UAR.

    Returns:
        One line for each claim whose two systems are in the table: ``words``, ``tables`` (the paper's),
        ``first`` and ``second`` (rows), ``difference`` (mean over the seeds that both have, in percentage
        points), ``low``, ``high``, ``result`` (HOLDS, REFUTED, UNKNOWN or FAILED) and ``seeds``.
    """
    cells = {cell.system.name: cell for cell in table.cells if cell.measure == "UAR"}
    lines = []
    for claim in compare.claims(table):
        pair = cells[claim.first], cells[claim.second]
        behind = [report for cell in pair for report in reports_of(cell.system, reports)]
        differences: list[float] = []
        judged = (np.nan, np.nan, np.nan, FAILED)
        if not any(report.fault for report in behind):
            first, second = (by_seed(cell, table, reports) for cell in pair)
            differences = [first[seed] - second[seed] for seed in first if seed in second]
            judged = _paired(differences, 0.0, 1, 1)
        lines.append([*claim, *judged, len(differences)])
    columns = [*compare.PairClaim._fields, "difference", "low", "high", "result", "seeds"]
    return pd.DataFrame(lines, columns=columns)


def counts(judgements: Sequence[Judgement]) -> dict[str, int]:
    """Return the number of claims with each result, in the order of this module's constants."""
    number = Counter(judgement.result for judgement in judgements)
    return {name: number[name] for name in (HOLDS, REFUTED, UNKNOWN, NOT_RUN, FAILED, NOT_COMPARED)}


def _judgement(
    claim: Claim, paper: Finding, reports: Reports, source: str, values: dict[Place, dict[int, float]]
) -> Judgement:
    """Judge a claim; ``values`` keeps the numbers that are already calculated."""
    missing, failed = set(), False
    for place in (place for comparison in claim.comparisons() for place in comparison.places()):
        cell = cell_of(place)
        behind = reports_of(cell.system, reports.get(place.table, ()))
        if not behind:
            missing.add(place.table)
        elif any(report.fault for report in behind):
            failed = True
        elif place not in values:
            values[place] = by_seed(cell, trained(place.table), behind)
    if missing or failed:
        return Judgement(claim, paper, (), FAILED if failed else NOT_RUN, tuple(sorted(missing)))
    parts = tuple(tuple(_judged(claim, item, values, len(part)) for item in part) for part in claim.parts)
    if claim.relation == EQUAL and source != PAPER:
        return Judgement(claim, paper, parts, NOT_COMPARED)
    results = [_any([item.result for item in part]) for part in parts]
    return Judgement(claim, paper, parts, _all(results))


def _judged(
    claim: Claim, comparison: Comparison, values: Mapping[Place, Mapping[int, float]], alternatives: int
) -> Judged:
    differences = _differences(comparison, values)
    listed = list(differences.values())
    if claim.relation == EQUAL:
        return Judged(comparison, differences, *_prediction(listed, claim.number))
    threshold = -TOLERANCE if claim.relation == NOT_BELOW else 0.0
    return Judged(comparison, differences, *_paired(listed, threshold, alternatives, len(claim.parts)))


def _differences(comparison: Comparison, values: Mapping[Place, Mapping[int, float]]) -> dict[int, float]:
    """Return the difference for each seed that has a number for all cells."""
    terms = [*comparison.first.terms, *((-weight, place) for weight, place in comparison.second.terms)]
    seeds = set.intersection(*(set(values[place]) for _, place in terms))
    sums = {
        seed: sum(float(weight) * values[place][seed] for weight, place in terms) for seed in sorted(seeds)
    }
    return {seed: value for seed, value in sums.items() if not np.isnan(value)}


def _paired(
    differences: Sequence[float], threshold: float, alternatives: int, parts: int
) -> tuple[float, float, float, str]:
    """Return the mean difference, the limits and the result of an 'above' or a 'not below'.

    Args:
        differences: One difference for each seed.
        threshold: What the difference must exceed.
        alternatives: The number of comparisons of which one has to hold.
        parts: The number of parts of which one is enough to refute the claim.
    """
    k = len(differences)
    mean = float(np.mean(differences)) if k else np.nan
    if k < LEAST_SEEDS:
        return mean, np.nan, np.nan, UNKNOWN
    error = float(np.std(differences, ddof=1)) / np.sqrt(k)
    low = mean - float(t.ppf(1 - 0.025 / alternatives, k - 1)) * error
    high = mean + float(t.ppf(1 - 0.025 / parts, k - 1)) * error
    return mean, low, high, HOLDS if low > threshold else REFUTED if high < threshold else UNKNOWN


def _prediction(differences: Sequence[float], number: str) -> tuple[float, float, float, str]:
    """Return the mean, the limits and the result of a number that the paper quotes with its decimals."""
    k = len(differences)
    mean = float(np.mean(differences)) if k else np.nan
    if k < LEAST_SEEDS:
        return mean, np.nan, np.nan, UNKNOWN
    half = half_width(differences)
    rounding = 0.5 / 10 ** len(number.partition(".")[2])
    inside = abs(mean - float(number)) <= half + rounding
    return mean, mean - half, mean + half, HOLDS if inside else REFUTED


def _any(results: Sequence[str]) -> str:
    return HOLDS if HOLDS in results else REFUTED if set(results) == {REFUTED} else UNKNOWN


def _all(results: Sequence[str]) -> str:
    return REFUTED if REFUTED in results else HOLDS if set(results) == {HOLDS} else UNKNOWN


def cell_of(place: Place) -> Cell:
    """Return our cell for a place in the paper's tables; for a count, the share in per cent."""
    system, fold, measure = _FINDERS[place.file](place)
    return Cell((), "", system, fold, measure, None)


def _chains(system: System, column: str) -> tuple[System, str, str]:
    """Split a column such as 'fold1_ACC' or 'average_UAR' of Tables 8 and 9."""
    fold, _, measure = column.partition("_")
    return system, AVERAGE if fold == "average" else fold.removeprefix("fold"), measure


def _attention(place: Place) -> tuple[System, str, str]:
    kind, _, measure = place.column.partition("_")
    return table05.SYSTEMS[place.row, int(place.value[0]), kind], "test", measure


def _method(place: Place) -> tuple[System, str, str]:
    return next(cell.system for cell in table11.TABLE.cells if cell.row[1] == place.value), ALL, "ACC"


_FINDERS = {
    "table03_ut_podcast_models": lambda place: (table03.SYSTEMS[place.column], "test", place.row),
    "table04_segments": lambda place: (table04.SYSTEMS[place.row, int(place.column)], "test", place.value),
    "table05_attention": _attention,
    "table08_chains_models": lambda place: _chains(table08.SYSTEMS[place.row], place.column),
    "table08_chains_ivector": lambda place: (table08.IVECTOR, place.row, "1-EER"),
    "table08_chains_cited": lambda place: _chains(table08.GMM, place.column),
    "table09_activations": lambda place: _chains(table09.SYSTEMS[place.row, place.value], place.column),
    "table11_enterface_methods": _method,
    "table12_confusion": lambda place: (table11.FREQCNN, ALL, place.row),
}
