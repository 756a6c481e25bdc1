"""Format and print results: tables, and predictions as text, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from data_prep.base.faults import one_line
from freqcnn_gluon.own.about import SVM
from freqcnn_gluon.own.predict import Prediction
from freqcnn_gluon.own.scores import absent, ahead

__all__ = ["comparison", "csv_printer", "most_likely", "print_json", "print_text", "score", "table"]

SHOWN = 5  # labels on a line of text


def table(rows: pd.DataFrame) -> str:
    """Format a plain-text table, the last column aligned to the right."""
    lines = [list(rows.columns), *rows.astype(str).values.tolist()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column == len(widths) - 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )


def score(metrics: dict, labels: Sequence[str], origin: str) -> str:
    """Format UAR, accuracy and the confusion matrix with the recalls.

    Args:
        metrics: The metrics of ``training.metrics.metrics``.
        labels: The labels in the order of the classes.
        origin: The words after 'on 5 clips', such as 'of recordings/'.
    """
    frame = pd.DataFrame(metrics["confusion"], columns=labels)
    frame.insert(0, "true \\ predicted", labels)
    frame["recall %"] = ["" if recall is None else f"{100 * recall:.1f}" for recall in metrics["recall"]]
    missing = absent(labels, metrics)
    over = f" over {len(labels) - len(missing)} of {len(labels)} labels" if missing else ""
    values = f"UAR{over} {100 * metrics['uar']:.1f} %, accuracy {100 * metrics['accuracy']:.1f} %"
    without = f"; no clip has the label {', '.join(missing)}" if missing else ""
    return f"{values} on {sum(map(sum, metrics['confusion']))} clips {origin}{without}\n\n{table(frame)}"


def comparison(name: str, scores: dict, advice: str) -> str:
    """Format the scores of a system beside those of the baselines.

    Args:
        name: The system's name.
        scores: Its scores and those of the baselines, see ``scores.score_columns``.
        advice: A sentence to add if the SVM is ahead of the system.
    """
    systems = {name: scores, **scores["baselines"]}
    units = ["clips", "speakers"] if scores["intervals"]["uar"]["speakers"] else ["clips"]
    rows = [
        [system]
        + [
            cell
            for measure in ("uar", "accuracy")
            for cell in (
                f"{100 * of_system['metrics'][measure]:.1f}",
                *(
                    "{:.1f}-{:.1f}".format(*100 * np.array(of_system["intervals"][measure][unit]))
                    for unit in units
                ),
            )
        ]
        for system, of_system in systems.items()
    ]
    over = [f"over {unit}" for unit in units]
    text = "Beside the baselines, with 95 % intervals " + " and ".join(over) + ":\n\n"
    text += table(pd.DataFrame(rows, columns=["system", "UAR %", *over, "accuracy %", *over]))
    if best := ahead(scores):
        others, ours = (100 * systems[system]["metrics"]["uar"] for system in (best, name))
        difference = f"UAR {others:.1f} % against {ours:.1f} %"
        remedy = advice if best == SVM else "The model is of no use yet."
        text += f"\n\nThe baseline {best} is ahead of {name}: {difference}. {remedy}"
    return text


def print_text(name: str, prediction: Prediction, labels: Sequence[str]) -> None:
    """Print a line for the recording and, if it has several windows, a line for each of them."""
    several = len(prediction.parts) > 1
    mean = f" (mean of {len(prediction.parts)} windows)" if several else ""
    print(one_line(f"{name}: {most_likely(prediction.probabilities, labels)}{mean}"))
    for part in prediction.parts if several else ():
        result = "silent" if part.probabilities is None else most_likely(part.probabilities, labels)
        print(one_line(f"{name} {part.start:.2f}-{part.stop:.2f} s: {result}"))


def most_likely(probabilities: np.ndarray, labels: Sequence[str]) -> str:
    """Format the most likely labels with their ``probabilities`` (classes,), the most likely first."""
    order = probabilities.argsort()[::-1][:SHOWN]
    return ", ".join(f"{labels[index]} {probabilities[index]:.3f}" for index in order)


def print_json(name: str, prediction: Prediction, labels: Sequence[str]) -> None:
    """Print the recording and its windows as one line of JSON, in ASCII so that any locale can print it."""

    def by_label(probabilities: np.ndarray | None) -> dict[str, float] | None:
        return None if probabilities is None else dict(zip(labels, map(float, probabilities)))

    line = {
        "file": _in_utf8(name),
        "label": prediction.label,
        "probabilities": by_label(prediction.probabilities),
        "windows": [
            {"start": part.start, "stop": part.stop, "probabilities": by_label(part.probabilities)}
            for part in prediction.parts
        ],
    }
    print(json.dumps(line))


def csv_printer(labels: Sequence[str]) -> Callable[[str, Prediction, Sequence[str]], None]:
    """Print the header of the CSV and return the function that prints a recording after its windows.

    The CSV is in UTF-8 in every locale.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(["file", "window", "start", "stop", "label", *(f"p({label})" for label in labels)])

    def write(name: str, prediction: Prediction, labels: Sequence[str]) -> None:
        def row(window: int | str, start: float, stop: float, probabilities: np.ndarray | None) -> None:
            cells = [_in_utf8(name), window, f"{start:.3f}", f"{stop:.3f}"]
            if probabilities is None:
                lines.writerow([*cells, "", *[""] * len(labels)])
            else:
                values = [f"{value:.6f}" for value in probabilities]
                lines.writerow([*cells, labels[int(probabilities.argmax())], *values])

        parts = prediction.parts
        for number, part in enumerate(parts if len(parts) > 1 else (), 1):
            row(number, part.start, part.stop, part.probabilities)
        row("all", parts[0].start, parts[-1].stop, prediction.probabilities)

    return write


def _in_utf8(name: str) -> str:
    """Decode a file's name as UTF-8, even if Python decodes names differently in this locale."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")
