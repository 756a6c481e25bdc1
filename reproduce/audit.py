"""The paper checked against itself, with exact arithmetic on its numbers as they are printed.

A percentage of n clips must be a whole count over n; UAR must be the mean of its recalls; an average the
mean of its folds; what stands in two tables must be the same; what the text says must be in the tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.files import whole

from . import text
from .claims import claims
from .exact import Finding, Printed, accents, number, printed, rounds_to, shown, whole_count
from .paper import FOLDER

__all__ = ["audit", "markdown", "write"]


def audit(
    tables: Printed | None = None, sentences: Iterable[Mapping[str, str]] | None = None
) -> list[Finding]:
    """Every check on the paper's tables and sentences (by default those in paper/)."""
    tables = printed() if tables is None else tables
    if sentences is None:
        with open(FOLDER / "sentences.csv", encoding="utf-8", newline="") as file:
            sentences = list(csv.DictReader(file))
    checks = (_table_3, _ablations, _folds, _averages, _equal_rows, _sums, _confusion, claims)
    findings = [finding for check in checks for finding in check(tables)]
    return findings + _sentences(tables, sentences)


def _counted(where: str, cell: str, total: int, places: int = 2) -> Finding:
    count = whole_count(cell, total, places)
    nearest = round(number(cell) * total / 100)
    found = (
        f"{count} of {total}"
        if count is not None
        else (f"no whole count of {total}: {nearest} would be {shown(Fraction(100 * nearest, total))}")
    )
    return Finding("whole count", where, f"{cell} %", found, count is not None)


# The tables, one after the other.


def _table_3(tables: Printed) -> list[Finding]:
    """Recalls over Table 1's counts, and UAR as their mean (i-Vector's are cited, with one decimal)."""
    frame, totals, findings = tables["table03_ut_podcast_models"], accents(tables), []
    for system in frame.columns:
        places = 1 if all((number(cell) * 10).denominator == 1 for cell in frame[system]) else 2
        counts = {}
        for label, total in totals.items():
            found = _counted(f"Table 3, {system}, {label}", frame.loc[label, system], total, places)
            counts[label] = whole_count(frame.loc[label, system], total, places)
            findings.append(found)
        cell = frame.loc["UAR", system]
        if places == 1:
            recalls = [number(frame.loc[label, system]) for label in totals]
        elif None in counts.values():
            continue
        else:
            recalls = [Fraction(100 * counts[label], total) for label, total in totals.items()]
        mean = sum(recalls) / len(recalls)
        agrees, found = rounds_to(mean, cell, places), f"the mean of its recalls is {shown(mean)}"
        if not agrees and places == 2:
            accuracy = Fraction(100 * sum(counts.values()), sum(totals.values()))
            if rounds_to(accuracy, cell):
                found += f"; {cell} is its accuracy, {sum(counts.values())} of {sum(totals.values())}"
        findings.append(Finding("UAR", f"Table 3, {system}, UAR", f"{cell} %", found, agrees))
    return findings


def _ablations(tables: Printed) -> list[Finding]:
    """Tables 4 and 5: accuracies as whole counts, and whether any three recalls give both numbers."""
    pairs = []
    four = tables["table04_segments"].set_index("measure", append=True)
    for path, n in product(("local", "global+local"), ("0", "2", "4", "8")):
        accuracy, uar = (four.loc[(path, measure), n] for measure in ("ACC", "UAR"))
        if accuracy:
            pairs.append((f"Table 4, {path}, {n}", accuracy, uar))
    for split, row in tables["table05_attention"].iterrows():
        for kind in ("feature", "spatial"):
            where = f"Table 5, {split}, {row['attention_blocks']}, {kind}-based"
            pairs.append((where, row[f"{kind}_ACC"], row[f"{kind}_UAR"]))
    totals, findings = accents(tables), []
    for where, accuracy, uar in pairs:
        findings.append(_counted(f"{where}, ACC", accuracy, sum(totals.values())))
        right = whole_count(accuracy, sum(totals.values()))
        if right is not None:
            recalls = possible_recalls(right, uar, tuple(totals.values()))
            split = ", ".join(f"{label} {count}" for label, count in zip(totals, recalls or ()))
            found = (
                f"possible, as with {split} right"
                if recalls
                else f"no three recalls with {right} right give it"
            )
            findings.append(Finding("UAR", f"{where}, UAR", f"{uar} %", found, recalls is not None))
    return findings


def possible_recalls(right: int, uar: str, totals: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Whole counts of three classes that sum to ``right`` and whose mean recall rounds to ``uar``, if any.

    All of them are tried, as integers: the mean recall is (a n2 n3 + b n1 n3 + c n1 n2) / (3 n1 n2 n3).
    """
    first, second, third = totals
    a, b = np.meshgrid(np.arange(first + 1), np.arange(second + 1), indexing="ij")
    c = right - a - b
    weighted = a * second * third + b * first * third + c * first * second
    # 10000 times the mean recall must lie within half a unit of the printed hundredths
    unit, wanted = 3 * first * second * third, int(number(uar) * 100)
    near = np.abs(2 * (10000 * weighted - wanted * unit)) <= unit
    possible = np.argwhere(near & (c >= 0) & (c <= third))
    if not len(possible):
        return None
    a, b = map(int, possible[len(possible) // 2])
    return a, b, right - a - b


def fold_rows(tables: Printed) -> list[tuple[str, pd.Series]]:
    """Each line of Tables 8 and 9: its name and cells."""
    eight = [(f"Table 8, {name}", row) for name, row in tables["table08_chains_models"].iterrows()]
    nine = tables["table09_activations"]
    return eight + [(f"Table 9, {g}/{row['local_f']}", row) for g, row in nine.iterrows()]


def _folds(tables: Printed) -> list[Finding]:
    """Tables 8 and 9: accuracies as whole counts; UAR where every speaker has as many clips."""
    sizes = {fold: int(row["validation_samples"]) for fold, row in tables["table06_chains_folds"].iterrows()}
    findings = []
    for where, row in fold_rows(tables):
        for fold, size in sizes.items():
            accuracy, uar = row[f"fold{fold}_ACC"], row[f"fold{fold}_UAR"]
            findings.append(_counted(f"{where}, #{fold}, ACC", accuracy, size))
            if fold == 3:  # 33 sentences of each of the 36 speakers
                found = "33 sentences a speaker make UAR and ACC the same"
                found += "" if uar == accuracy else f", {accuracy}: the speakers' clips were not as many"
                findings.append(Finding("UAR", f"{where}, #3, UAR", f"{uar} %", found, uar == accuracy))
    return findings


def _averages(tables: Printed) -> list[Finding]:
    """Averages over folds: of values that each stand for all that round to them."""
    findings = []
    for where, row in fold_rows(tables):
        for measure in ("ACC", "UAR"):
            cells, average = [row[f"fold{fold}_{measure}"] for fold in (1, 2, 3)], row[f"average_{measure}"]
            mean = sum(map(number, cells)) / 3
            possible = abs(mean - number(average)) <= Fraction(1, 100)  # half a hundredth each way, twice
            found = f"the mean of {', '.join(cells)} is {shown(mean)}"
            if possible and not rounds_to(mean, average):
                found += "; right only before the folds were rounded"
            findings.append(Finding("average", f"{where}, {measure}", f"{average} %", found, possible))
    return findings


def _equal_rows(tables: Printed) -> list[Finding]:
    """What one network is printed for in two places."""
    three, five = tables["table03_ut_podcast_models"], tables["table05_attention"].reset_index()
    four = tables["table04_segments"].set_index("measure", append=True)
    eight, nine = tables["table08_chains_models"], tables["table09_activations"].reset_index()

    def of_five(split: str, blocks: str, column: str) -> str:
        chosen = five[(five["split"] == split) & five["attention_blocks"].str.startswith(blocks)]
        return chosen[column].iloc[0]

    totals = accents(tables)
    right = sum(whole_count(three.loc[label, "FreqCNN"], total) or 0 for label, total in totals.items())
    accuracy = Fraction(100 * right, sum(totals.values()))
    same = nine[(nine["global_g"] == "sigmoid") & (nine["local_f"] == "sigmoid")].iloc[0]
    best = ("Table 3, FreqCNN, UAR; Table 5, frequency, 2 AC", three.loc["UAR", "FreqCNN"])
    pairs = [(*best, of_five("frequency", "2", "feature_UAR"))]
    for measure in ("ACC", "UAR"):
        where = f"Table 4, global and local, 2, {measure}; Table 5, frequency, All BC"
        without = of_five("frequency", "0", f"feature_{measure}")
        pairs.append((where, four.loc[("global+local", measure), "2"], without))
    for column in eight:
        where = f"Table 8, FreqCNN, {column}; Table 9, sigmoid/sigmoid"
        pairs.append((where, eight.loc["FreqCNN", column], same[column]))
    findings = [
        Finding("equal", where, first, f"{second} in the other place", number(first) == number(second))
        for where, first, second in pairs
    ]
    printed_accuracy = of_five("frequency", "2", "feature_ACC")
    findings.append(
        Finding(
            "equal",
            "Table 5, frequency, 2 AC, feature-based, ACC; Table 3's FreqCNN recalls",
            f"{printed_accuracy} %",
            f"they are {right} of {sum(totals.values())}, {shown(accuracy)} %",
            rounds_to(accuracy, printed_accuracy),
        )
    )
    return findings


def _sums(tables: Printed) -> list[Finding]:
    """Totals of Tables 1 and 6."""
    findings = []

    def equal(where: str, claim: str, found: int, how: str) -> None:
        findings.append(Finding("sum", where, claim, f"{how} = {found}", int(claim) == found))

    for split, row in tables["table01_ut_podcast_counts"].iterrows():
        au, us, uk, more = (int(row[name]) for name in ("AU", "US", "UK", "UK_oversampled"))
        equal(f"Table 1, {split}, Original", row["total"], au + us + uk, f"{au} + {us} + {uk}")
        equal(
            f"Table 1, {split}, Over-sampled",
            row["total_oversampled"],
            au + us + more,
            f"{au} + {us} + {more}",
        )
    six = tables["table06_chains_folds"]
    for fold, row in six.iterrows():
        others = [int(size) for other, size in six["validation_samples"].items() if other != fold]
        equal(
            f"Table 6, #{fold}, training", row["training_samples"], sum(others), " + ".join(map(str, others))
        )
    equal(
        "Table 6, #3, validation", six["validation_samples"].iloc[-1], 36 * 33, "36 speakers × 33 sentences"
    )
    return findings


def _confusion(tables: Printed) -> list[Finding]:
    """Table 12: rows of 42 x 5 clips, and Table 11's accuracy as its diagonal's share."""
    frame, size = tables["table12_confusion"], 42 * 5
    findings = []
    for true, row in frame.iterrows():
        if not all(row):
            continue  # its diagonal comes from the text, see ``claims``
        total = sum(map(int, row))
        findings.append(
            Finding(
                "sum",
                f"Table 12, {true}",
                " + ".join(row),
                f"{total}; a label has 42 × 5 = {size}",
                total == size,
            )
        )
    eleven = tables["table11_enterface_methods"].set_index("method")
    findings.append(_counted("Table 11, FreqCNN, ACC", eleven.loc["FreqCNN", "ACC"], 6 * size))
    return findings


def _sentences(tables: Printed, sentences: Iterable[Mapping[str, str]]) -> list[Finding]:
    """Numbers in the text against the cells that they speak of: file, row, column and, for a third key,
    its column=value.
    """
    findings = []
    for sentence in sentences:
        frame = tables[sentence["table"]].reset_index().astype(str)
        chosen = frame[frame.iloc[:, 0] == sentence["row"]]
        if sentence["where"]:
            column, _, value = sentence["where"].partition("=")
            chosen = chosen[chosen[column] == value]
        cell = chosen[sentence["column"]].iloc[0]
        findings.append(
            Finding(
                "text",
                f"{sentence['section']}: '{sentence['words']}'",
                sentence["number"],
                f"{cell} in {_named(sentence)}",
                number(cell) == number(sentence["number"]),
            )
        )
    return findings


def _named(sentence: Mapping[str, str]) -> str:
    place = [sentence["row"], sentence["where"].partition("=")[2], sentence["column"]]
    return f"Table {int(sentence['table'][5:7])}, {', '.join(part for part in place if part)}"


# The report.


def markdown(findings: list[Finding]) -> str:
    """What does not agree, each in full; then what does, by kind."""
    right, wrong = ([each for each in findings if each.agrees == agrees] for agrees in (True, False))
    lines = [
        "# The paper, checked against itself",
        "",
        f"{len(findings)} checks, in exact arithmetic: {len(right)} agree, {len(wrong)} do not.",
        "",
        "## What does not agree",
        "",
        *text.table(
            ["Check", "Where", "Printed", "Found"],
            [[each.check, each.where, each.claim, each.found] for each in wrong],
        ),
        "",
        "## What agrees",
    ]
    for kind in dict.fromkeys(finding.check for finding in findings):
        these = [finding for finding in right if finding.check == kind]
        lines += ["", f"### {kind}: {len(these)}", ""]
        lines += text.table(
            ["Where", "Printed", "Found"], [[each.where, each.claim, each.found] for each in these]
        )
    return "\n".join([*lines, "", "## What no check touches", "", *UNCHECKED]) + "\n"


UNCHECKED = (
    "- Table 8, i-Vector: (1-EER) and its threshold depend on scores that are not printed.",
    "- Table 11, [5], [34], [6], [35]: figures cited from other papers.",
    "- Table 12, Disgust, but for its diagonal: the row could not be read from the paper's file.",
    "- UAR of folds 1 and 2 in Tables 8 and 9: how many clips each speaker has there is not printed.",
)


def write(findings: list[Finding], stem: Path) -> str:
    """Write ``stem``.md and ``stem``.csv and return the Markdown."""
    said = markdown(findings)
    with whole(stem.with_suffix(".csv")) as path:
        pd.DataFrame([asdict(finding) for finding in findings]).to_csv(path, index=False)
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(said, encoding="utf-8")
    return said
