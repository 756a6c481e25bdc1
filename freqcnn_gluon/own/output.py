"""What the commands print: tables, and predictions as text, JSON and CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from data_prep.base.faults import printable
from freqcnn_gluon.own.predict import Prediction

__all__ = ["as_csv", "as_json", "as_text", "likely", "measured", "table"]

SHOWN = 5  # labels that a line of text has


def table(rows: pd.DataFrame) -> str:
    """A plain table, left-aligned but for the numbers."""
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


def measured(metrics: dict, labels: Sequence[str], which: str) -> str:
    """UAR, with the labels that it says nothing of, and accuracy; and the confusion with the recalls."""
    recalls = ["" if recall is None else f"{100 * recall:.1f}" for recall in metrics["recall"]]
    frame = pd.DataFrame(metrics["confusion"], columns=labels)
    frame.insert(0, "true \\ taken for", labels)
    frame["recall %"] = recalls
    absent = [label for label, recall in zip(labels, metrics["recall"]) if recall is None]
    over = f" over {len(labels) - len(absent)} of {len(labels)} labels" if absent else ""
    worth = f"UAR{over} {100 * metrics['uar']:.1f} %, accuracy {100 * metrics['accuracy']:.1f} %"
    lacking = f"; no clip of {', '.join(absent)}" if absent else ""
    return f"{worth} on {sum(map(sum, metrics['confusion']))} clips {which}{lacking}\n\n{table(frame)}"


def as_text(name: str, said: Prediction, labels: Sequence[str]) -> None:
    """Print a line for the recording, behind one for each window if there are several."""
    several = len(said.parts) > 1
    for part in said.parts if several else ():
        where = f"{name} {part.start:.2f}-{part.stop:.2f} s"
        heard = "silent" if part.probabilities is None else likely(part.probabilities, labels)
        print(printable(f"{where}: {heard}"))
    mean = f" (mean of {len(said.parts)} windows)" if several else ""
    print(printable(f"{name}: {likely(said.probabilities, labels)}{mean}"))


def likely(probabilities: np.ndarray, labels: Sequence[str]) -> str:
    """The labels, the likeliest first, with their probabilities."""
    order = probabilities.argsort()[::-1][:SHOWN]
    return ", ".join(f"{labels[number]} {probabilities[number]:.3f}" for number in order)


def as_json(name: str, said: Prediction, labels: Sequence[str]) -> None:
    """Print the recording and its windows as an object, on a line."""

    def by_label(probabilities) -> dict[str, float] | None:
        return None if probabilities is None else dict(zip(labels, map(float, probabilities)))

    line = {"file": name, "label": said.label, "probabilities": by_label(said.probabilities)}
    line["windows"] = [
        {"start": part.start, "stop": part.stop, "probabilities": by_label(part.probabilities)}
        for part in said.parts
    ]
    print(json.dumps(line, ensure_ascii=False))


def as_csv(labels: Sequence[str]) -> Callable[[str, Prediction, Sequence[str]], None]:
    """What prints a recording behind its windows; this prints the header."""
    lines = csv.writer(sys.stdout, lineterminator="\n")
    lines.writerow(["file", "window", "start", "stop", "label", *(f"p({label})" for label in labels)])

    def write(name: str, said: Prediction, labels: Sequence[str]) -> None:
        def row(window, start: float, stop: float, probabilities) -> None:
            times = [f"{start:.3f}", f"{stop:.3f}"]
            if probabilities is None:
                lines.writerow([name, window, *times, "", *[""] * len(labels)])
            else:
                told = [f"{value:.6f}" for value in probabilities]
                lines.writerow([name, window, *times, labels[int(probabilities.argmax())], *told])

        for number, part in enumerate(said.parts if len(said.parts) > 1 else (), 1):
            row(number, part.start, part.stop, part.probabilities)
        row("all", said.parts[0].start, said.parts[-1].stop, said.probabilities)

    return write
