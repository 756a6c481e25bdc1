"""The page of a training, an evaluation or a cross-validation: report.html, a file that a browser shows.

The page is made from the numbers of report.json and clips.csv. Only the players and spectrograms of the
mistakes need the recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pandas as pd

from data_prep.base.embedded import shades
from data_prep.base.files import whole
from data_prep.manifest import Clip
from freqcnn_gluon.own.about import PAGE, SVM
from freqcnn_gluon.own.report.card import card, settings
from freqcnn_gluon.own.report.curves import curves
from freqcnn_gluon.own.report.html import Child, document, name, percent, section, table, tag
from freqcnn_gluon.own.report.mistakes import mistakes
from freqcnn_gluon.own.scores import absent, ahead
from freqcnn_gluon.training.metrics import metrics

__all__ = ["report_page", "write_page"]

MOST_COUNTS = 40  # a confusion matrix of more labels is drawn as a picture without counts
MOST_CONFUSIONS = 5  # pairs of labels below the matrix
INTERVALS = ("clips", "speakers")  # what the intervals of a report are over
DARK = 0.55  # share of a label above which a cell of the matrix needs bright text


def write_page(folder: Path, report: Mapping, clips: pd.DataFrame, recordings: Sequence[Clip]) -> Path:
    """Write report.html into ``folder``, whole or not at all, and return its path.

    Other arguments as for ``report_page``.
    """
    html = report_page(report, clips, recordings)
    with whole(folder / PAGE) as path:
        path.write_text(html, encoding="utf-8")
    return folder / PAGE


def report_page(report: Mapping, clips: pd.DataFrame, recordings: Sequence[Clip]) -> str:
    """Return the report page as HTML.

    Args:
        report: The content of report.json: ``labels``, ``metrics`` (of ``training.metrics.metrics``; missing
            if no clip was held out) and ``split``, a sentence. Optional are ``intervals`` (of ``uar`` and
            ``accuracy``: low and high over ``clips`` and ``speakers``), ``baselines`` (``metrics`` and
            ``intervals`` by the name of a system), ``history`` for curves, and ``folds`` of a
            cross-validation (each with ``metrics``, ``intervals``, ``baselines``, ``clips`` and
            ``speakers``). The page lists everything else as settings.
        clips: The content of clips.csv: the manifest with ``predicted``, which is missing for clips that were
            trained on, and the columns ``p(label)``. With ``folds``, every clip has its ``fold``.
        recordings: The file, start and stop in s of each row of ``clips``.
    """
    labels, measured = report["labels"], report.get("metrics")
    held_out = clips["predicted"].notna().to_numpy()
    tested, training = clips[held_out], clips[~held_out & (clips["partition"] == "train")]
    sections = []
    if measured:
        sections.append(_results(report, tested))
        sections.append(_confusion(labels, np.array(measured["confusion"]), measured["recall"], training))
    sections += [curves(report["history"])] if report.get("history") else []
    sections += [_folds(report["folds"])] if "folds" in report else []
    if measured:
        sections += [_speakers(labels, tested, training)] if (tested["speaker"] != "").any() else []
        sections.append(mistakes(labels, tested, [recordings[index] for index in np.flatnonzero(held_out)]))
    sections += [card(report, tested, training), settings(report)]
    kind = "cross-validation" if "folds" in report else "report"
    title = f"FreqCNN {kind}: UAR {percent(measured['uar'])}" if measured else f"FreqCNN {kind}: not measured"
    lead = f"{len(tested if measured else training)} clips with {len(labels)} labels. {report['split']}"
    return document(title, lead, sections)


def _results(report: Mapping, tested: pd.DataFrame) -> Element:
    """Return the section with the model's figures and intervals, beside those of the baselines if any."""
    correct = int((tested["predicted"] == tested["label"]).sum())
    ours = "the models of the folds" if "folds" in report else "this model"
    systems = {ours: report, **report.get("baselines", {})}
    units = [unit for unit in INTERVALS if any(_limits(scores, "uar", unit) for scores in systems.values())]
    lines = [
        (system, *(text for key in ("uar", "accuracy") for text in _with_intervals(scores, key, units)))
        for system, scores in systems.items()
    ]
    head = ["system"]
    for metric in ("UAR", "accuracy"):
        head += [metric, *(f"{metric}, 95 % over {unit}" for unit in units)]
    return section(
        "results",
        "Results",
        table("UAR and accuracy", head, lines, id="systems"),
        *(tag("p", *words) for words in _remarks(report, correct, len(tested), ours)),
    )


def _remarks(report: Mapping, correct: int, tested: int, ours: str) -> Iterator[list[Child]]:
    """Yield the paragraphs below the figures: their meaning, and a baseline that is ahead of ``ours``."""
    missing, count = absent(report["labels"], report["metrics"]), len(report["labels"])
    counted = f"{correct} of {tested} clips are recognised. UAR is the mean of the labels' recalls"
    if missing:
        labels: list[Child] = [name(", ".join(missing)), "."]
        over = f"over {count - len(missing)} of {count} labels"
        yield [f"{counted}, {over}: no clip has the label ", *labels]
    else:
        yield [f"{counted}."]
    if best := ahead(report):
        uar, own = (percent(scores["metrics"]["uar"]) for scores in (report["baselines"][best], report))
        use = "use the SVM in its place." if best == SVM else "the model is of no use yet."
        yield [tag("strong", f"The baseline {best} is ahead of {ours}: UAR {uar} against {own}; {use}")]


def _limits(scores: Mapping, key: str, unit: str) -> Sequence[float] | None:
    """Return the low and high limit of a system's metric over clips or speakers, None if not known."""
    return scores.get("intervals", {}).get(key, {}).get(unit)


def _with_intervals(scores: Mapping, key: str, units: Sequence[str]) -> list[str]:
    """Format a metric of a system and its intervals, with dashes for intervals that are not known."""
    limits = [_limits(scores, key, unit) for unit in units]
    return [
        percent(scores["metrics"][key]),
        *("–" if pair is None else f"{100 * pair[0]:.1f} to {100 * pair[1]:.1f} %" for pair in limits),
    ]


def _confusion(
    labels: Sequence[str], counts: np.ndarray, recalls: Sequence[float | None], training: pd.DataFrame
) -> Element:
    """Return the section with the confusion matrix ``counts`` (true, predicted) and each label's recall."""
    totals = counts.sum(axis=1)
    shares = counts / np.maximum(1, totals)[:, None]
    trained = training["label"].value_counts()
    head = ["label", "test clips", "recall", *(["training clips"] if len(training) else [])]
    by_label: list[list[Child]] = []
    for label, total, recall in zip(labels, totals, recalls):
        by_label.append([name(label), str(total), percent(recall)])
        if len(training):
            by_label[-1].append(str(trained.get(label, 0)))
    return section(
        "confusion",
        "Confusion",
        _matrix(labels, counts, shares) if len(labels) <= MOST_COUNTS else _picture(shares),
        *_most_common(labels, counts),
        table("Recall of each label", head, by_label, id="labels"),
    )


def _matrix(labels: Sequence[str], counts: np.ndarray, shares: np.ndarray) -> Element:
    """Return the matrix as a table; a darker cell is a larger share of its true label."""
    rows: list[list[Child]] = []
    for label, line, parts in zip(labels, counts.tolist(), shares.tolist()):
        cells = [
            tag("td", str(count), style=f"--share:{part:.3f}", class_="dark" if part > DARK else "light")
            for count, part in zip(line, parts)
        ]
        rows.append([name(label), *cells])
    caption = "Clips by true label (row) and predicted label (column)"
    return table(caption, ["true \\ predicted", *map(name, labels)], rows, id="matrix", class_="matrix")


def _picture(shares: np.ndarray) -> Element:
    """Return the matrix as a picture, for labels too many for counts."""
    words = "True labels from top to bottom, predicted labels from left to right, in the order of the table"
    alt = f"Confusion matrix. {words}. A dark diagonal means that the labels are recognised."
    return tag("figure", tag("img", src=shades(shares), alt=alt, class_="pixels"), tag("figcaption", words))


def _most_common(labels: Sequence[str], counts: np.ndarray) -> Iterator[Element]:
    """Yield the list of the most common confusions, if there are any."""
    wrong = counts * (1 - np.eye(len(labels), dtype=int))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST_CONFUSIONS]
    pairs = [np.unravel_index(index, wrong.shape) for index in order if wrong.flat[index]]
    if pairs:
        yield tag("h3", "Most common confusions")
        yield tag(
            "ul",
            *(
                tag(
                    "li",
                    name(labels[true]),
                    " recognised as ",
                    name(labels[other]),
                    f": {wrong[true, other]} of {counts[true].sum()} clips",
                )
                for true, other in pairs
            ),
        )


def _folds(folds: Sequence[Mapping]) -> Element:
    """Return the section with the results of each fold of a cross-validation, in the order of the folds."""
    systems = list(folds[0].get("baselines", {}))
    head = ["fold", "clips", "UAR", "UAR, 95 % over clips", "accuracy", "accuracy, 95 % over clips"]
    head += [*(f"UAR of {system}" for system in systems), "speakers held out"]
    lines: list[list[Child]] = []
    for number, fold in enumerate(folds, 1):
        lines.append([str(number), str(fold["clips"])])
        lines[-1] += [text for key in ("uar", "accuracy") for text in _with_intervals(fold, key, ["clips"])]
        lines[-1] += [percent(fold["baselines"][system]["metrics"]["uar"]) for system in systems]
        lines[-1].append(name(", ".join(fold["speakers"])) if fold["speakers"] else "not known")
    words = (
        "Each fold was predicted by a model that was trained on the other folds. The results above are over "
        "the clips of all folds together, not means over the folds. The folder of a fold holds its model and "
        "a report with the model's curves."
    )
    return section("folds", "Folds", tag("p", words), table("Results by fold", head, lines, id="by-fold"))


def _speakers(labels: Sequence[str], tested: pd.DataFrame, training: pd.DataFrame) -> Element:
    """Return the section with the results of each speaker, the lowest accuracy first."""
    numbers = {label: number for number, label in enumerate(labels)}
    known = set(training["speaker"])
    lines = []
    for speaker, group in tested.groupby("speaker"):
        true, predicted = (group[column].map(numbers).to_numpy() for column in ("label", "predicted"))
        measured = metrics(true, predicted, len(labels))
        shown = [name(speaker) if speaker else "not known", str(len(group))]
        shown += [percent(measured["accuracy"]), percent(measured["uar"])]
        if len(training):
            shown.append("–" if not speaker else "yes" if speaker in known else "no")
        lines.append((measured["accuracy"], shown))
    head = ["speaker", "clips", "accuracy", "UAR over the speaker's labels"]
    head += ["also trained on"] if len(training) else []
    ordered = [shown for _, shown in sorted(lines, key=lambda line: line[0])]
    return section("speakers", "Speakers", table("Results by speaker", head, ordered, id="by-speaker"))
