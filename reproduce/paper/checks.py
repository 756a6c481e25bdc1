"""Checks of the paper against itself, table by table, on its numbers as they are printed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil

import numpy as np
import pandas as pd

from reproduce.paper.claim import Place, cell_at
from reproduce.paper.exact import (
    Finding,
    Printed,
    accents,
    mean,
    number,
    rounds_to,
    shown,
    whole_count,
)

__all__ = [
    "Sentence",
    "ablations",
    "averages",
    "diagonal",
    "equal_rows",
    "folds",
    "networks",
    "possible_recalls",
    "sums",
    "table_3",
    "text",
]

# CHAINS, Sec. 5.2: s(01) and s(02) are the sentences 1 to 9 and 10 to 33, one clip each
SPEAKERS, SENTENCES = 36, 33
ACTORS, RECORDS = 42, 30  # eNTERFACE, Sec. 5.3: each actor has the same number of records of each emotion

Sentence = Mapping[str, str]  # a line of sentences.csv


def _percent(cell: str) -> str:
    """Return a cell with the two decimals that the paper prints."""
    return f"{Decimal(cell):.2f} %"


def _rounded(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.2f}"


def _counted(where: str, cell: str, total: int, places: int = 2) -> Finding:
    """Check that a percentage is rounded from a whole count of ``total``; recognise a truncated one."""
    count = whole_count(cell, total, places)
    if count is None:
        above, nearest = (rounding(number(cell) * total / 100) for rounding in (ceil, round))
        if above <= total and Fraction(100 * above, total) < number(cell) + Fraction(1, 10**places):
            result = f"truncated, not rounded, from {above} of {total}"
        else:
            result = f"not a whole count of {total}"
        result += f"; {nearest} would have to be {_rounded(Fraction(100 * nearest, total))}"
    else:
        result = f"{count} of {total}"
    return Finding("whole count", where, _percent(cell), result, count is not None)


def table_3(tables: Printed) -> list[Finding]:
    """Check the recalls against Table 1's counts, and UAR against their mean.

    i-Vector, which is cited, has one decimal: all its cells end in 0.
    """
    frame, totals, findings = tables["table03_ut_podcast_models"], accents(tables), []
    for system in frame.columns:
        places = 1 if all((number(cell) * 10).denominator == 1 for cell in frame[system]) else 2
        counts: dict[str, int] = {}
        for label, total in totals.items():
            cell = frame.loc[label, system]
            findings.append(_counted(f"Table 3, {system}, {label}", cell, total, places))
            if (count := whole_count(cell, total, places)) is not None:
                counts[label] = count
        if len(counts) < len(totals):
            continue  # the finding on the recall has named the mistake
        cell = frame.loc["UAR", system]
        # With one decimal several whole counts fit a recall, so the printed value is used.
        uar = mean(
            number(frame.loc[label, system]) if places == 1 else Fraction(100 * counts[label], total)
            for label, total in totals.items()
        )
        agrees, result = rounds_to(uar, cell, places), f"the mean of its recalls is {shown(uar)}"
        if not agrees:
            result += f": it would have to be {_rounded(uar)}"
            right, all_clips = sum(counts.values()), sum(totals.values())
            if rounds_to(Fraction(100 * right, all_clips), cell, places):
                result += f"; {_percent(cell)} is its accuracy, {right} of {all_clips}"
        findings.append(Finding("UAR", f"Table 3, {system}, UAR", _percent(cell), result, agrees))
    return findings


def ablations(tables: Printed) -> list[Finding]:
    """Check accuracies of Tables 4 and 5, and whether any three recalls give both accuracy and UAR."""
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
            recalls = possible_recalls(right, uar, (totals["AU"], totals["UK"], totals["US"]))
            split = ", ".join(f"{label} {count}" for label, count in zip(totals, recalls or ()))
            result = f"possible, for example with {split}"
            if not recalls:
                result = f"no three recalls with {right} correct clips give it"
            findings.append(Finding("UAR", f"{where}, UAR", _percent(uar), result, recalls is not None))
    return findings


@cache  # Tables 4 and 5 share a network
def possible_recalls(right: int, uar: str, totals: tuple[int, int, int]) -> tuple[int, int, int] | None:
    """Return correct clips of three classes that sum to ``right`` and whose mean recall rounds to ``uar``.

    All whole counts are tried, in integers: the mean recall is (a n2 n3 + b n1 n3 + c n1 n2) / (3 n1 n2 n3).

    Args:
        right: Correct clips of all classes.
        uar: The printed UAR, with two decimals.
        totals: Clips of each class.

    Returns:
        The counts, or None if there are none.
    """
    first, second, third = totals
    a, b = np.meshgrid(np.arange(first + 1), np.arange(second + 1), indexing="ij")
    c = right - a - b
    weighted = a * second * third + b * first * third + c * first * second
    # 10000 times the mean recall must be within half a unit of the printed hundredths.
    unit, wanted = 3 * first * second * third, int(number(uar) * 100)
    near = np.abs(2 * (10000 * weighted - wanted * unit)) <= unit
    possible = np.argwhere(near & (c >= 0) & (c <= third))
    if not len(possible):
        return None
    chosen = possible[len(possible) // 2]
    return int(chosen[0]), int(chosen[1]), right - int(chosen.sum())


def _fold_rows(tables: Printed) -> list[tuple[str, pd.Series]]:
    """List the lines of Tables 8 and 9, with their names."""
    eight = [(f"Table 8, {name}", row) for name, row in tables["table08_chains_models"].iterrows()]
    nine = tables["table09_activations"]
    return eight + [(f"Table 9, {g}/{row['local_f']}", row) for g, row in nine.iterrows()]


def folds(tables: Printed) -> list[Finding]:
    """Check the folds of Tables 8 and 9: UAR must be ACC where every speaker has the same number of clips."""
    findings, six = [], tables["table06_chains_folds"]
    for (where, row), (fold, held_out) in product(_fold_rows(tables), six.iterrows()):
        accuracy, uar = row[f"fold{fold}_ACC"], row[f"fold{fold}_UAR"]
        size = int(held_out["validation_samples"])
        findings.append(_counted(f"{where}, #{fold}, ACC", accuracy, size))
        if all(name.startswith("s") for name in held_out["validation"].split()):
            result = f"every speaker has {SENTENCES} sentences, so that UAR equals ACC"
            result += "" if uar == accuracy else f": it would have to be {_percent(accuracy)}"
            agrees = number(uar) == number(accuracy)
            findings.append(Finding("UAR", f"{where}, #{fold}, UAR", _percent(uar), result, agrees))
    return findings


def averages(tables: Printed) -> list[Finding]:
    """Check averages over folds: exactly for accuracies, within rounding for UARs."""
    sizes = list(map(int, tables["table06_chains_folds"]["validation_samples"]))
    findings = []
    for (where, row), measure in product(_fold_rows(tables), ("ACC", "UAR")):
        cells, average = [row[f"fold{fold}_{measure}"] for fold in (1, 2, 3)], row[f"average_{measure}"]
        value = mean(map(number, cells))
        result = f"the mean of {', '.join(map(_percent, cells))} is {shown(value)}".replace(" %", "")
        shares = [
            Fraction(100 * count, size)
            for cell, size in zip(cells, sizes)
            if (count := whole_count(cell, size)) is not None
        ]
        agrees = rounds_to(value, average)
        if not agrees and measure == "ACC" and len(shares) == len(cells):
            exact = mean(shares)
            agrees = rounds_to(exact, average)
            result += f", that of its whole counts is {shown(exact)}"
        elif not agrees:  # each fold, and the average, may be off by half a hundredth
            agrees = abs(value - number(average)) <= Fraction(1, 100)
            result += "; possible before the folds were rounded" if agrees else ""
        result += "" if agrees else f": it would have to be {_rounded(value)}"
        findings.append(Finding("average", f"{where}, {measure}", _percent(average), result, agrees))
    return findings


def diagonal(tables: Printed, sentences: Iterable[Sentence]) -> pd.Series:
    """Return Table 12's correct clips of each emotion; for an illegible row, from the text's percentage."""
    frame = tables["table12_confusion"]
    of_text = {
        sentence["row"]: whole_count(sentence["number"], int(sentence["of"]))
        for sentence in sentences
        if sentence["table"] == "table12_confusion"
    }
    return pd.Series(
        {label: int(frame.loc[label, label] or of_text.get(label) or 0) for label in frame.index}
    )


def equal_rows(tables: Printed, diagonal: pd.Series) -> list[Finding]:
    """Check that a network has the same number in two places."""
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
        result, agrees = f"{_percent(second)} in the other place", number(first) == number(second)
        findings.append(Finding("equal", where, _percent(first), result, agrees))
    totals = accents(tables)
    right = sum(whole_count(three.loc[label, "FreqCNN"], total) or 0 for label, total in totals.items())
    eleven = tables["table11_enterface_methods"].set_index("method").loc["FreqCNN", "ACC"]
    where = "Table 5, frequency, 2 AC, feature-based, ACC; Table 3, FreqCNN's recalls"
    for where, cell, count, total in (
        (where, best["feature_ACC"], right, sum(totals.values())),
        ("Table 11, FreqCNN, ACC; Table 12, diagonal", eleven, int(diagonal.sum()), ACTORS * RECORDS),
    ):
        share = Fraction(100 * count, total)
        result = f"{count} of {total} in the other place, {shown(share)}"
        findings.append(Finding("equal", where, _percent(cell), result, rounds_to(share, cell)))
    return findings


def sums(tables: Printed) -> list[Finding]:
    """Check the totals of Tables 1 and 6, and the legible rows of Table 12."""
    counts, six, twelve = (
        tables[name] for name in ("table01_ut_podcast_counts", "table06_chains_folds", "table12_confusion")
    )
    totals: list[tuple[str, str, list[str]]] = []  # place, printed total, its parts
    for split, row in counts.iterrows():
        for total, uk in (("total", "UK"), ("total_oversampled", "UK_oversampled")):
            totals.append((f"Table 1, {split}, {total}", row[total], [row["AU"], row["US"], row[uk]]))
    for fold, row in six.iterrows():
        parts = six["validation_samples"].drop(fold)
        totals.append((f"Table 6, #{fold}, training", row["training_samples"], list(parts)))
        if all(name.startswith("s") for name in row["validation"].split()):
            sentences = [str(SENTENCES)] * SPEAKERS
            totals.append((f"Table 6, #{fold}, validation", row["validation_samples"], sentences))
    findings = [
        Finding("sum", where, total, _added(parts), int(total) == sum(map(int, parts)))
        for where, total, parts in totals
    ]
    size = ACTORS * RECORDS // len(twelve)  # Sec. 5.3: the emotions are balanced
    for true, row in twelve[(twelve != "").all(axis=1)].iterrows():
        result = f"{_added(list(row))}; {ACTORS} × {RECORDS} / {len(twelve)} = {size}"
        findings.append(
            Finding("sum", f"Table 12, {true}, row", str(size), result, sum(map(int, row)) == size)
        )
    accuracy = tables["table11_enterface_methods"].set_index("method").loc["FreqCNN", "ACC"]
    findings.append(_counted("Table 11, FreqCNN, ACC", accuracy, ACTORS * RECORDS))
    every = sorted({name for cell in six["validation"] for name in cell.split()})
    for fold, row in six.iterrows():  # Sec. 5.2: train on four of the six paragraphs, validate on two
        training, held_out = row["training"].split(), row["validation"].split()
        agrees = sorted(training + held_out) == every and (len(training), len(held_out)) == (4, 2)
        where, claim = f"Table 6, #{fold}, paragraphs", f"{row['training']} and {row['validation']}"
        findings.append(Finding("sum", where, claim, f"all: {' '.join(every)}", agrees))
    return findings


def _added(parts: list[str]) -> str:
    """Write a sum: '1 + 2 = 3', or '36 × 33 = 1188' for more than six equal parts."""
    total = sum(map(int, parts))
    equal = len(parts) > 6 and len(set(parts)) == 1
    return f"{len(parts)} × {parts[0]} = {total}" if equal else f"{' + '.join(parts)} = {total}"


def text(tables: Printed, sentences: Iterable[Sentence]) -> list[Finding]:
    """Check the numbers in the text against their cells.

    A sentence names its cell by file, row, column and, if two rows have the same name, 'where'
    (column=value). If it has 'of', its number must also be a whole count of this number of clips. A cell
    that is such a count is compared as a percentage. An illegible cell is not compared.
    """
    findings = []
    for sentence in sentences:
        at = Place(sentence["table"], sentence["row"], sentence["column"], sentence["where"])
        cell, quoted = cell_at(tables, at), sentence["number"]
        where = f"{sentence['section']}: '{sentence['words']}'"
        parts = (at.row, at.value, at.column.replace("_", " "))
        place = f"Table {at.table}, {', '.join(dict.fromkeys(filter(None, parts)))}"
        if sentence["of"]:
            findings.append(_counted(where, quoted, int(sentence["of"])))
        if not cell:
            continue
        if "." in quoted and "." not in cell and sentence["of"]:
            share = Fraction(100 * int(cell), int(sentence["of"]))
            result, agrees = f"{cell} of {sentence['of']}, {shown(share)}", rounds_to(share, quoted)
        else:
            result, agrees = _percent(cell) if "." in cell else cell, number(cell) == number(quoted)
        claim = _percent(quoted) if "." in quoted else quoted
        findings.append(Finding("text", where, claim, f"{result} in {place}", agrees))
    return findings


def networks(tables: Printed) -> list[Finding]:
    """Check claims about Tables 2, 7 and 10: one output per class, and the number of blocks."""
    findings = []
    classes = {2: len(accents(tables)), 7: SPEAKERS, 10: len(tables["table12_confusion"])}
    for table, count in classes.items():
        frame = tables[f"table{table:02}_architecture"]
        softmax = frame.iloc[-1]["Global convolution"]
        agrees = softmax.split("-")[0] == str(count)
        findings.append(Finding("claim", f"Table {table}, Softmax", softmax, f"{count} classes", agrees))
        blocks = [int(frame["Name"].str.startswith(name).sum()) for name in ("Basic", "Attention")]
        if table != 7:  # Section 5.2 does not count its blocks
            words = f"three basic blocks (BC) and two attention-based blocks (AC) (Table {table})"
            result = f"{blocks[0]} and {blocks[1]}"
            findings.append(Finding("claim", f"Sec. 5: '{words}'", "3 and 2", result, blocks == [3, 2]))
    return findings
