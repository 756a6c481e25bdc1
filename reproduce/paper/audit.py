"""The paper checked against itself, with exact arithmetic on its numbers as they are printed.

A percentage of n clips must be a whole count over n; UAR must be the mean of its recalls; an average the
mean of its folds; what stands in two tables must be the same; what the text says must be in the tables.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.base.files import whole
from reproduce import markdown as text
from reproduce.paper.claims import claims
from reproduce.paper.exact import Finding, Printed, accents, number, printed, rounds_to, shown, whole_count
from reproduce.paper.published import FOLDER

__all__ = ["Finding", "audit", "markdown", "write"]

# CHAINS, Sec. 5.2: s(01) and s(02) are the sentences 1 to 9 and 10 to 33, one clip each
SPEAKERS, SENTENCES = 36, 33
ACTORS, RECORDS = 42, 30  # eNTERFACE, Sec. 5.3: records of each actor, as many of each emotion

KINDS = {  # what is asked of each kind of check; the report's order
    "whole count": "a percentage is a whole count over the clips that it is of",
    "UAR": "UAR is the mean of recalls that are whole counts themselves",
    "average": "an average over folds is their mean",
    "equal": "what one network is printed for in two places is the same",
    "sum": "totals are sums, and the folds and classes those of the text",
    "text": "a number in the text is the one in its table",
    "claim": "what the text says in words holds in the tables, in the reading in brackets",
}


def audit(
    tables: Printed | None = None, sentences: Iterable[Mapping[str, str]] | None = None
) -> list[Finding]:
    """Every check on the paper's tables and sentences (by default those in paper/)."""
    tables = printed() if tables is None else tables
    if sentences is None:
        with open(FOLDER / "sentences.csv", encoding="utf-8", newline="") as file:
            sentences = list(csv.DictReader(file))
    diagonal = _diagonal(tables, sentences)
    findings = [*_table_3(tables), *_ablations(tables), *_folds(tables), *_averages(tables)]
    findings += [*_equal_rows(tables, diagonal), *_sums(tables)]
    return [*findings, *_sentences(tables, sentences), *claims(tables, diagonal)]


def _percent(cell: str) -> str:
    """A cell with the two decimals that are printed."""
    return f"{Decimal(cell):.2f} %"


def _counted(where: str, cell: str, total: int, places: int = 2) -> Finding:
    """Whether a percentage is rounded from a whole count of ``total``; if not, from which it is cut off."""
    count = whole_count(cell, total, places)
    if count is None:
        above, nearest = (how(number(cell) * total / 100) for how in (ceil, round))
        if above <= total and Fraction(100 * above, total) < number(cell) + Fraction(1, 10**places):
            found = f"cut off, not rounded, from {above} of {total}"
        else:
            found = f"no whole count of {total}"
        found += f"; {nearest} would have to be {_rounded(Fraction(100 * nearest, total))}"
    else:
        found = f"{count} of {total}"
    return Finding("whole count", where, _percent(cell), found, count is not None)


def _rounded(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.2f}"


# The tables, one after the other.


def _table_3(tables: Printed) -> list[Finding]:
    """Recalls over Table 1's counts, and UAR as their mean.

    A system whose four cells all end in 0 is taken as printed with one decimal (i-Vector, which is cited).
    """
    frame, totals, findings = tables["table03_ut_podcast_models"], accents(tables), []
    for system in frame.columns:
        places = 1 if all((number(cell) * 10).denominator == 1 for cell in frame[system]) else 2
        counts = {}
        for label, total in totals.items():
            cell = frame.loc[label, system]
            findings.append(_counted(f"Table 3, {system}, {label}", cell, total, places))
            counts[label] = whole_count(cell, total, places)
        if None in counts.values():
            continue  # the complaint is of the recall
        cell = frame.loc["UAR", system]
        # with one decimal a recall has several whole counts: only its printed value is sure
        recalls = [
            number(frame.loc[label, system]) if places == 1 else Fraction(100 * counts[label], total)
            for label, total in totals.items()
        ]
        mean = sum(recalls) / len(recalls)
        agrees, found = rounds_to(mean, cell, places), f"the mean of its recalls is {shown(mean)}"
        if not agrees:
            found += f": it would have to be {_rounded(mean)}"
            right, all_clips = sum(counts.values()), sum(totals.values())
            if rounds_to(Fraction(100 * right, all_clips), cell, places):
                found += f"; {_percent(cell)} is its accuracy, {right} of {all_clips}"
        findings.append(Finding("UAR", f"Table 3, {system}, UAR", _percent(cell), found, agrees))
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
                f"possible, as with {split}" if recalls else f"no three recalls with {right} right give it"
            )
            findings.append(Finding("UAR", f"{where}, UAR", _percent(uar), found, recalls is not None))
    return findings


@cache  # Tables 4 and 5 share a network
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


def _fold_rows(tables: Printed) -> list[tuple[str, pd.Series]]:
    """Each line of Tables 8 and 9: its name and cells."""
    eight = [(f"Table 8, {name}", row) for name, row in tables["table08_chains_models"].iterrows()]
    nine = tables["table09_activations"]
    return eight + [(f"Table 9, {g}/{row['local_f']}", row) for g, row in nine.iterrows()]


def _folds(tables: Printed) -> list[Finding]:
    """Tables 8 and 9: accuracies as whole counts; UAR, exactly where every speaker has as many clips."""
    findings = []
    folds = tables["table06_chains_folds"]
    for (where, row), (fold, held_out) in product(_fold_rows(tables), folds.iterrows()):
        accuracy, uar, size = (
            row[f"fold{fold}_ACC"],
            row[f"fold{fold}_UAR"],
            int(held_out["validation_samples"]),
        )
        findings.append(_counted(f"{where}, #{fold}, ACC", accuracy, size))
        if all(name.startswith("s") for name in held_out["validation"].split()):
            found = f"{SENTENCES} sentences of every speaker make it the ACC"
            found += "" if uar == accuracy else f": it would have to be {_percent(accuracy)}"
            findings.append(
                Finding(
                    "UAR", f"{where}, #{fold}, UAR", _percent(uar), found, number(uar) == number(accuracy)
                )
            )
    return findings


def _averages(tables: Printed) -> list[Finding]:
    """Averages over folds: of accuracies by their whole counts, of UARs by all values that round to them."""
    sizes = list(map(int, tables["table06_chains_folds"]["validation_samples"]))
    findings = []
    for (where, row), measure in product(_fold_rows(tables), ("ACC", "UAR")):
        cells, average = [row[f"fold{fold}_{measure}"] for fold in (1, 2, 3)], row[f"average_{measure}"]
        mean = sum(map(number, cells)) / 3
        found = f"the mean of {', '.join(map(_percent, cells))} is {shown(mean)}".replace(" %", "")
        counts = [whole_count(cell, size) for cell, size in zip(cells, sizes)]
        agrees = rounds_to(mean, average)
        if not agrees and measure == "ACC" and None not in counts:
            exact = sum(Fraction(100 * count, size) for count, size in zip(counts, sizes)) / 3
            agrees = rounds_to(exact, average)
            found += f", of its whole counts {shown(exact)}"
        elif not agrees:  # each fold, and the average, may be off by half a hundredth
            agrees = abs(mean - number(average)) <= Fraction(1, 100)
            found += "; possible before the folds were rounded" if agrees else ""
        found += "" if agrees else f": it would have to be {_rounded(mean)}"
        findings.append(Finding("average", f"{where}, {measure}", _percent(average), found, agrees))
    return findings


def _diagonal(tables: Printed, sentences: Iterable[Mapping[str, str]]) -> pd.Series:
    """Right clips of each emotion: Table 12's diagonal, or the text's percentage of a row that is missing."""
    frame = tables["table12_confusion"]
    of_text = {
        sentence["row"]: whole_count(sentence["number"], int(sentence["of"]))
        for sentence in sentences
        if sentence["table"] == "table12_confusion"
    }
    return pd.Series(
        {label: int(frame.loc[label, label] or of_text.get(label) or 0) for label in frame.index}
    )


def _equal_rows(tables: Printed, diagonal: pd.Series) -> list[Finding]:
    """What one network is printed for in two places."""
    three, five = tables["table03_ut_podcast_models"], tables["table05_attention"].reset_index()
    four = tables["table04_segments"].set_index("measure", append=True)
    eight = tables["table08_chains_models"]
    nine = tables["table09_activations"].set_index("local_f", append=True)
    five.index = pd.MultiIndex.from_arrays([five["split"], five["attention_blocks"].str[0]])
    best = five.loc[("frequency", "2")]
    where = "Table 3, FreqCNN, UAR; Table 5, frequency, 2 AC, feature-based"
    pairs = [(where, three.loc["UAR", "FreqCNN"], best["feature_UAR"])]
    for measure in ("ACC", "UAR"):
        where = f"Table 4, global+local, 2, {measure}; Table 5, frequency, All BC"
        without = five.loc[("frequency", "0"), f"feature_{measure}"]
        pairs.append((where, four.loc[("global+local", measure), "2"], without))
    for column in eight:
        where = f"Table 8, FreqCNN, {column.replace('_', ' ')}; Table 9, sigmoid/sigmoid"
        pairs.append((where, eight.loc["FreqCNN", column], nine.loc[("sigmoid", "sigmoid"), column]))
    findings = []
    for where, first, second in pairs:
        found, agrees = f"{_percent(second)} in the other", number(first) == number(second)
        findings.append(Finding("equal", where, _percent(first), found, agrees))
    totals = accents(tables)
    right = sum(whole_count(three.loc[label, "FreqCNN"], total) or 0 for label, total in totals.items())
    eleven = tables["table11_enterface_methods"].set_index("method").loc["FreqCNN", "ACC"]
    where = "Table 5, frequency, 2 AC, feature-based, ACC; Table 3, FreqCNN's recalls"
    for where, cell, count, total in (
        (where, best["feature_ACC"], right, sum(totals.values())),
        ("Table 11, FreqCNN, ACC; Table 12, diagonal", eleven, int(diagonal.sum()), ACTORS * RECORDS),
    ):
        share = Fraction(100 * count, total)
        found = f"{count} of {total} in the other, {shown(share)}"
        findings.append(Finding("equal", where, _percent(cell), found, rounds_to(share, cell)))
    return findings


def _sums(tables: Printed) -> list[Finding]:
    """Totals of Tables 1 and 6, and the rows of Table 12 that could be read."""
    one, six, twelve = (
        tables[name] for name in ("table01_ut_podcast_counts", "table06_chains_folds", "table12_confusion")
    )
    sums = []  # place, the printed total, its parts
    for split, row in one.iterrows():
        for total, uk in (("total", "UK"), ("total_oversampled", "UK_oversampled")):
            sums.append((f"Table 1, {split}, {total}", row[total], [row["AU"], row["US"], row[uk]]))
    for fold, row in six.iterrows():
        others = six["validation_samples"].drop(fold)
        sums.append((f"Table 6, #{fold}, training", row["training_samples"], list(others)))
        if all(name.startswith("s") for name in row["validation"].split()):
            sentences = [str(SENTENCES)] * SPEAKERS
            sums.append((f"Table 6, #{fold}, validation", row["validation_samples"], sentences))
    findings = [Finding("sum", where, total, _added(parts), int(total) == sum(map(int, parts)))
                for where, total, parts in sums]  # fmt: skip
    size = ACTORS * RECORDS // len(twelve)  # Sec. 5.3: the emotions are balanced
    for true, row in twelve[(twelve != "").all(axis=1)].iterrows():
        found = f"{_added(list(row))}; {ACTORS} × {RECORDS} / {len(twelve)} = {size}"
        findings.append(
            Finding("sum", f"Table 12, {true}, row", str(size), found, sum(map(int, row)) == size)
        )
    accuracy = tables["table11_enterface_methods"].set_index("method").loc["FreqCNN", "ACC"]
    findings.append(_counted("Table 11, FreqCNN, ACC", accuracy, ACTORS * RECORDS))
    every = sorted({name for cell in six["validation"] for name in cell.split()})
    for fold, row in six.iterrows():  # Sec. 5.2: four of the six paragraphs, and the remaining two
        training, held_out = row["training"].split(), row["validation"].split()
        agrees = sorted(training + held_out) == every and (len(training), len(held_out)) == (4, 2)
        where, claim = f"Table 6, #{fold}, paragraphs", f"{row['training']} and {row['validation']}"
        findings.append(Finding("sum", where, claim, f"all: {' '.join(every)}", agrees))
    return findings


def _added(parts: list[str]) -> str:
    """How parts add up: '1 + 2 = 3', or '36 × 33 = 1188' where they are many and alike."""
    total = sum(map(int, parts))
    alike = len(parts) > 6 and len(set(parts)) == 1
    return f"{len(parts)} × {parts[0]} = {total}" if alike else f"{' + '.join(parts)} = {total}"


def _sentences(tables: Printed, sentences: Iterable[Mapping[str, str]]) -> list[Finding]:
    """Numbers in the text against their cells (file, row, column and, for a third key, its column=value).

    With ``of``, the number must also be a whole count over so many clips; where the cell is such a count,
    or could not be read, the number is compared with it, or with nothing, as a percentage.
    """
    findings = []
    for sentence in sentences:
        frame = tables[sentence["table"]].reset_index().astype(str)
        chosen = frame[frame.iloc[:, 0] == sentence["row"]]
        column, _, value = sentence["where"].partition("=")
        if column:
            chosen = chosen[chosen[column] == value]
        cell, said = chosen[sentence["column"]].iloc[0], sentence["number"]
        where = f"{sentence['section']}: '{sentence['words']}'"
        parts = (sentence["row"], value, sentence["column"].replace("_", " "))
        place = f"Table {int(sentence['table'][5:7])}, {', '.join(dict.fromkeys(filter(None, parts)))}"
        if sentence["of"]:
            findings.append(_counted(where, said, int(sentence["of"])))
        if not cell:
            continue
        if "." in said and "." not in cell and sentence["of"]:
            share = Fraction(100 * int(cell), int(sentence["of"]))
            found, agrees = f"{cell} of {sentence['of']}, {shown(share)}", rounds_to(share, said)
        else:
            found, agrees = _percent(cell) if "." in cell else cell, number(cell) == number(said)
        said = _percent(said) if "." in said else said
        findings.append(Finding("text", where, said, f"{found} in {place}", agrees))
    return findings


# The report.


def markdown(findings: list[Finding]) -> str:
    """How many checks of each kind; what does not agree, each in full; then what does, line by line."""
    right, wrong = ([each for each in findings if each.agrees == agrees] for agrees in (True, False))
    kinds = {kind: [each for each in findings if each.check == kind] for kind in KINDS}
    totals = [
        [kind, KINDS[kind], *(str(sum(each.agrees == agrees for each in these)) for agrees in (True, False))]
        for kind, these in kinds.items()
    ]
    lines = [
        "# The paper, checked against itself",
        "",
        f"{len(findings)} checks, in exact arithmetic: {len(right)} agree, {len(wrong)} do not.",
        "",
        *text.table(["Check", "What it asks", "Agree", "Do not"], totals),
        "",
        "## What does not agree",
        "",
        *text.table(
            ["Check", "Where", "Printed or claimed", "Found"],
            [[each.check, each.where, each.claim, each.found] for each in wrong],
        ),
        "",
        "## What agrees",
    ]
    for kind, these in kinds.items():
        cells = {}  # cells of one row of a table share a line
        for each in filter(lambda each: each.agrees, these):
            quoted = each.where.startswith(("Sec.", "Table 5:")) or ";" in each.where
            parts = [each.where] if quoted else each.where.split(", ")
            said = f"{', '.join(parts[2:])} {each.claim}: {each.found}".strip()
            cells.setdefault(", ".join(parts[:2]), []).append(said)
        if cells:
            lines += ["", f"### {kind}", ""]
            lines += text.table(
                ["Where", "Printed: found"], [[row, "; ".join(said)] for row, said in cells.items()]
            )
    return "\n".join([*lines, "", "## What no check touches", "", *UNCHECKED]) + "\n"


UNCHECKED = (
    "- Table 8, i-Vector: the thresholds, and (1-EER) as a number. They depend on scores that are not "
    "printed, and (1-EER) is no share of clips. Only what the text says of (1-EER) is checked.",
    "- Table 11, [5], [34], [6], [35], and the 91.00 % of Section 5.2: cited from other papers, no counts.",
    "- Table 12, Disgust: the row could not be read from the paper's file. Its diagonal is taken from the "
    "text's 79.52 %; its other cells and its sum are not checked.",
    "- Tables 8 and 9, UAR of #1 and #2, but for their averages: each speaker's clips are not printed.",
    "- Tables 2, 7 and 10, but for their blocks and classes: nothing else in the paper repeats them.",
    "- 'combination of sigmoid and tanh always yield good performance' (Sec. 5.2): what is good?",
)


def write(findings: list[Finding], stem: Path) -> str:
    """Write ``stem``.md and ``stem``.csv and return the Markdown."""
    said = markdown(findings)
    with whole(stem.with_suffix(".csv")) as path:
        pd.DataFrame([asdict(finding) for finding in findings]).to_csv(path, index=False)
    with whole(stem.with_suffix(".md")) as path:
        path.write_text(said, encoding="utf-8")
    return said
