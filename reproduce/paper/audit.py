"""The paper checked against itself, with exact arithmetic on its numbers as they are printed.

A percentage of n clips must be a whole count over n. UAR must be the mean of its recalls, and an average the
mean of its folds. A number that stands in two tables must be the same in both. A number in the text must be
the one in its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.paper import checks, published
from reproduce.paper.claims import claims
from reproduce.paper.exact import Finding, Printed, printed

__all__ = ["KINDS", "UNCHECKED", "Finding", "audit", "markdown", "write"]

KINDS = {  # kind of check -> the rule that it checks; in the report's order
    "whole count": "a percentage corresponds to a whole number of clips",
    "UAR": "UAR is the mean of recalls that correspond to whole numbers of clips",
    "average": "an average over folds is the mean of the folds",
    "equal": "a network that is printed in two places has the same number in both",
    "sum": "totals are the sums of their parts, and folds and classes agree with the text",
    "text": "a number in the text equals the number in its table",
    "claim": "a claim in the text holds in the tables, in the reading that the brackets give",
}
UNCHECKED = (
    "- Table 8, i-Vector: the thresholds, and (1-EER) as a number. They depend on scores that are not "
    "printed, and (1-EER) is not a share of clips. Only the text's claims about (1-EER) are checked.",
    "- Table 11, [5], [34], [6], [35], and the 91.00 % of Section 5.2: they are cited from other papers "
    "without counts.",
    "- Table 12, Disgust: the row is illegible in the paper's file. Its diagonal is taken from the text's "
    "79.52 %; its other cells and its sum are not checked.",
    "- Tables 8 and 9, UAR of #1 and #2, except their averages: the number of each speaker's clips is not "
    "printed.",
    "- Tables 2, 7 and 10, except their blocks and classes: nothing else in the paper repeats them.",
    "- 'combination of sigmoid and tanh always yield good performance' (Sec. 5.2): 'good' is not defined.",
)


def audit(tables: Printed | None = None, sentences: Iterable[checks.Sentence] | None = None) -> list[Finding]:
    """Return the findings of every check.

    Args:
        tables: The paper's tables, by default those beside this module.
        sentences: The paper's sentences with numbers, by default those in sentences.csv.
    """
    tables = printed() if tables is None else tables
    if sentences is None:
        sentences = published.sentences()
    diagonal = checks.diagonal(tables, sentences)
    return [
        *checks.table_3(tables),
        *checks.ablations(tables),
        *checks.folds(tables),
        *checks.averages(tables),
        *checks.equal_rows(tables, diagonal),
        *checks.sums(tables),
        *checks.text(tables, sentences),
        *claims(tables, diagonal),
        *checks.networks(tables),
    ]


def markdown(findings: Sequence[Finding]) -> str:
    """Render the number of checks of each kind, then the contradictions, then the agreements by row."""
    right, wrong = ([item for item in findings if item.agrees == agrees] for agrees in (True, False))
    totals = [
        [kind, rule, str(_count(right, kind)), str(_count(wrong, kind))] for kind, rule in KINDS.items()
    ]
    lines = [
        "# Audit of the paper",
        "",
        f"{len(findings)} checks, in exact arithmetic: {len(right)} agree, {len(wrong)} do not.",
        "",
        *text.table(["Check", "Rule", "Agreements", "Contradictions"], totals),
        "",
        "## Contradictions",
        "",
        *text.table(
            ["Check", "Place in the paper", "The paper's statement", "Our calculation"],
            [[item.check, item.where, item.claim, item.result] for item in wrong],
        ),
        "",
        "## Agreements",
    ]
    for kind in KINDS:
        if grouped := _by_row([item for item in right if item.check == kind]):
            body = [[row, "; ".join(cells)] for row, cells in grouped.items()]
            head = ["Place in the paper", "Statement: calculation"]
            lines += ["", f"### {kind}", "", *text.table(head, body)]
    return "\n".join([*lines, "", "## Statements that no check covers", "", *UNCHECKED]) + "\n"


def _count(findings: Sequence[Finding], kind: str) -> int:
    return sum(item.check == kind for item in findings)


def _by_row(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """Group the findings of cells that stand in one row of a table."""
    cells: dict[str, list[str]] = {}
    for item in findings:
        quoted = item.where.startswith(("Sec.", "Table 5:")) or ";" in item.where
        parts = [item.where] if quoted else item.where.split(", ")
        line = f"{', '.join(parts[2:])} {item.claim}: {item.result}".strip()
        cells.setdefault(", ".join(parts[:2]), []).append(line)
    return cells


def write(findings: Sequence[Finding], stem: Path) -> str:
    """Write ``stem``.md and ``stem``.csv, and return the Markdown."""
    rendered = markdown(findings)
    with whole(stem.with_suffix(".csv")) as path:
        pd.DataFrame([asdict(finding) for finding in findings]).to_csv(path, index=False)
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(rendered, encoding="utf-8")
    return rendered
