"""Reports -> the paper's claims on our numbers: Markdown and a CSV file with every comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.claims import (
    LEAST_SEEDS,
    NOT_RUN,
    TOLERANCE,
    UNKNOWN,
    Judged,
    Judgement,
    Reports,
    counts,
    every_claim,
    judge,
    on_recordings,
    on_the_paper,
)
from reproduce.paper import checks
from reproduce.paper.audit import KINDS, audit
from reproduce.paper.claim import EQUAL, NOT_BELOW, Claim
from reproduce.paper.claims import CLAIMS
from reproduce.paper.exact import printed
from reproduce.runs.report import Report, devices_of
from reproduce.sources import TITLES, banner
from reproduce.tables import Table

__all__ = [
    "HEAD",
    "RULE",
    "RULE_ON_RECORDINGS",
    "left_out",
    "lines_of",
    "recordings_section",
    "recordings_table",
    "summary",
    "targets",
    "write",
]

HEAD = ("Place", "The paper's claim", "The paper's numbers", "On the paper's", "Ours", "Seeds", "On ours")
RULE = (
    "A claim consists of comparisons. Each is examined on the differences between its two numbers, one for "
    f"each seed. With {LEAST_SEEDS} seeds or more, it holds if the 95 % interval of the mean difference "
    "(Student's t over the seeds) lies above 0, and does not hold if the interval lies below 0.",
    f"'Does not improve' has {TOLERANCE:g} percentage point in place of 0: it holds if the improvement is "
    "smaller than that.",
    "A number that the paper quotes holds if it lies in the 95 % prediction interval for another training, "
    "t s √(1 + 1/k) on either side of the mean over k seeds. In Tables 8, 9, 11 and 12 the verdict of the "
    "cell counts, which also allows for clips that are drawn anew.",
    "A claim holds if all its comparisons hold, and does not hold if one of them does not. Where one of n "
    "comparisons is enough for an answer, its level is corrected for n (Bonferroni). In all other cases, and "
    f"below {LEAST_SEEDS} seeds, the answer cannot be told. reproduce/claims.py has the whole rule.",
)

RULE_ON_RECORDINGS = (
    "A claim holds if the 95 % interval of the mean difference over the seeds (Student's t) lies above 0. It "
    "does not hold if the interval lies below 0. In all other cases, and with fewer than "
    f"{LEAST_SEEDS} seeds, it cannot be told. The interval is over trainings, not over speakers. "
    "The paper's claims are about its own corpora: other recordings can neither refute nor confirm the paper."
)


def lines_of(judgements: Sequence[Judgement]) -> list[list[str]]:
    """Return one line for each claim, with the columns HEAD."""
    return [
        [
            _place(item.claim),
            str(item.claim),
            f"{item.claim.wanted}: {item.paper.result}"
            if item.claim.relation != EQUAL
            else item.paper.result,
            "holds" if item.paper.agrees else "does not hold",
            _ours(item),
            str(item.seeds or ""),
            _result(item.result, item.seeds),
        ]
        for item in judgements
    ]


def _result(result: str, seeds: int) -> str:
    """Name the result, with the number of seeds if there are too few."""
    if result == UNKNOWN and seeds < LEAST_SEEDS:
        return f"{UNKNOWN} ({seeds} seed{'' if seeds == 1 else 's'})"
    return result


def recordings_table(
    table: Table, reports: Sequence[Report], least_seeds: int = 0
) -> tuple[list[str], list[list[str]]]:
    """Return the heads and lines of the claims on a comparison, see ``reproduce.claims.on_recordings``.

    Claims with fewer than ``least_seeds`` seeds are left out.
    """
    head = ["The paper's claim on these recordings", "The paper's table", "Mean difference in UAR, points"]
    head += ["95 % (seeds)", "Seeds", "Answer"]
    body = [
        [
            line.words,
            " and ".join(map(str, line.tables)),
            "" if np.isnan(line.difference) else f"{line.difference:+.2f}",
            "" if np.isnan(line.low) else f"{line.low:+.2f} to {line.high:+.2f}",
            str(line.seeds or ""),
            _result(line.result, line.seeds),
        ]
        for line in on_recordings(table, reports).itertuples()
        if line.seeds >= least_seeds
    ]
    return head, body


def recordings_section(table: Table, reports: Sequence[Report], least_seeds: int = 0) -> list[str]:
    """Return the Markdown lines of ``recordings_table`` and its rule; none if no claim is left."""
    head, body = recordings_table(table, reports, least_seeds)
    return [*text.table(head, body), "", RULE_ON_RECORDINGS] if body else []


def _place(claim: Claim) -> str:
    if claim.section.startswith("Table"):
        return claim.section
    tables = claim.tables()
    return f"{claim.section}, Table{'s' if len(tables) > 1 else ''} {', '.join(map(str, tables))}"


def _ours(judgement: Judgement) -> str:
    """Describe our numbers: the weakest part of a claim decides."""
    if judgement.result == NOT_RUN:
        targets = " ".join(f"table{number}" for number in judgement.missing)
        return f"not run: `make {targets}`"
    if not judgement.seeds:
        return ""
    best = [max(part, key=lambda item: item.mean) for part in judgement.parts]
    if judgement.claim.relation == EQUAL:
        return _number(best[0], "{:.2f}")
    weakest = min(best, key=lambda item: item.mean)
    threshold = -TOLERANCE if judgement.claim.relation == NOT_BELOW else 0
    above = sum(item.mean > threshold for item in best)
    count = f"{above} of {len(best)} differences above {threshold:g}; smallest: " if len(best) > 1 else ""
    return f"{count}{weakest.comparison}: {_number(weakest, '{:+.2f}')}"


def _number(item: Judged, form: str) -> str:
    limits = "" if np.isnan(item.low) else f" ({form.format(item.low)} to {form.format(item.high)})"
    return form.format(item.mean) + limits


def summary(judgements: Sequence[Judgement]) -> str:
    """Return a sentence with the number of claims by their result."""
    stated = "; ".join(f"{name}: {count}" for name, count in counts(judgements).items() if count)
    return f"{len(judgements)} claims on our numbers: {stated}."


def left_out() -> list[str]:
    """List what the audit checks on the paper's numbers and no training of ours can answer."""
    paper_only = [
        f"{claim.section}: '{claim}': {claim.paper_only}, so this is the other reading's claim."
        for claim in CLAIMS
        if claim.paper_only
    ]
    layers = [
        f"{finding.where}: about the network's layers, see `make table2`, `make table7` and `make table10`."
        for finding in checks.networks(printed())
    ]
    findings = audit()
    number = Counter(finding.check for finding in findings)
    arithmetic = [
        f"{rule[0].upper()}{rule[1:]} ({number[kind]} checks): the paper's own arithmetic."
        for kind, rule in KINDS.items()
        if kind not in ("text", "claim")
    ]
    return [*paper_only, *layers, "The numbers of UT-Podcast's clips: see `make table1`.", *arithmetic]


def targets() -> list[str]:
    """Return a Markdown table of the claims, and whether they hold on the paper's own numbers."""
    claims, relation = every_claim(), {EQUAL: "equal", NOT_BELOW: f"not below, within {TOLERANCE:g} point"}
    body = [
        [
            _place(claim),
            str(claim),
            claim.wanted,
            relation.get(claim.relation, "above"),
            str(len(claim.comparisons())),
            "holds" if finding.agrees else "does not hold",
        ]
        for claim, finding in zip(claims, on_the_paper(claims))
    ]
    head = ["Place", "The paper's claim", "In short", "Relation", "Comparisons", "On the paper's numbers"]
    return text.table(head, body)


def _markdown(judgements: Sequence[Judgement], reports: Reports, source: str) -> str:
    behind = [report for listed in reports.values() for report in listed]
    title = TITLES.get(source, f"'{source}'")
    lines = [f"## The paper's claims: {title}", "", *banner(source, devices_of(behind))]
    lines += [*text.table(HEAD, lines_of(judgements)), "", summary(judgements), ""]
    lines += [*RULE, "", "### Left out", "", *(f"- {sentence}" for sentence in left_out())]
    return "\n".join(lines) + "\n"


def _frame(judgements: Sequence[Judgement]) -> pd.DataFrame:
    """Return one line for each comparison, and one for each claim without numbers."""
    lines = []
    for number, judgement in enumerate(judgements, 1):
        claim = {
            "claim": number,
            "place": _place(judgement.claim),
            "words": str(judgement.claim),
            "on_the_papers": "holds" if judgement.paper.agrees else "does not hold",
            "on_ours": judgement.result,
        }
        for part, comparisons in enumerate(judgement.parts, 1):
            for item in comparisons:
                numbers = {"difference": item.mean, "low": item.low, "high": item.high}
                lines.append(
                    claim
                    | {"part": part, "comparison": str(item.comparison), "seeds": len(item.differences)}
                    | numbers
                    | {"result": item.result}
                )
        if not judgement.parts:
            lines.append(claim)
    columns = (
        "claim place words on_the_papers on_ours part comparison seeds difference low high result".split()
    )
    return pd.DataFrame(lines).reindex(columns=columns).astype({"part": "Int64", "seeds": "Int64"})


def write(reports: Reports, folder: Path) -> str:
    """Judge the claims on the reports of a source; write claims.md and claims.csv to its folder.

    Returns:
        The Markdown.
    """
    judgements = judge(reports, folder.name)
    rendered = _markdown(judgements, reports, folder.name)
    with whole(folder / "claims.csv") as path:
        _frame(judgements).to_csv(path, index=False, float_format="%.4f")
    with whole(folder / "claims.md") as path:
        path.write_text(rendered, encoding="utf-8")
    return rendered
