"""Scores of predicted labels: metrics with 95 % confidence intervals over clips and over speakers.

UAR and accuracy are weighted means of right answers: accuracy weighs all clips the same, UAR each clip by the
inverse of its class's number of clips. The variance of such a mean is estimated by linearisation. The
interval is Wilson's for the number of clips on which one proportion would have the same variance, as Korn and
Graubard (1998) do for surveys. For the accuracy over clips, this is Wilson's interval itself.

Clips of one speaker are right or wrong together, so the interval over clips holds for these speakers only.
The interval over speakers takes whole speakers as the independent units, and Student's t for their number. It
is never narrower than the interval over clips. There is none if each label has one speaker: the variance
between a label's speakers is then unknown, and where the speakers are the labels, others are other labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t

from freqcnn_gluon.own.about import MAJORITY, SVM
from freqcnn_gluon.training.metrics import Z, metrics, wilson

__all__ = ["absent", "ahead", "interval", "score_columns", "scored"]


def score_columns(frame: pd.DataFrame, labels: Sequence[str]) -> dict:
    """Score the columns of predicted labels of a frame, for a report.

    Args:
        frame: The clips with the columns ``label``, ``speaker``, ``predicted`` and, if there are baselines,
            'svm' and 'majority'.
        labels: The labels in the order of the classes.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    names = {"predicted": "", **{name: name for name in (SVM, MAJORITY) if name in frame}}
    scores = {
        name: scored(
            frame["label"].map(numbers).to_numpy(),
            frame[column].map(numbers).to_numpy(),
            len(labels),
            frame["speaker"].to_numpy(),
        )
        for column, name in names.items()
    }
    return {**scores.pop(""), "baselines": scores}


def absent(labels: Sequence[str], metrics: Mapping) -> list[str]:
    """Return the ``labels`` that no evaluated clip has, so that ``metrics`` have no recall of them."""
    return [label for label, recall in zip(labels, metrics["recall"]) if recall is None]


def ahead(scores: Mapping) -> str | None:
    """Return the name of the baseline with the highest UAR, None if none is above the system's.

    Args:
        scores: The scores of a system and of its baselines, from ``score_columns``.
    """
    rates = {None: scores["metrics"]["uar"]}
    rates |= {name: others["metrics"]["uar"] for name, others in scores.get("baselines", {}).items()}
    return max(rates, key=lambda name: rates[name])  # the first of several, so not a baseline


def scored(labels: np.ndarray, predictions: np.ndarray, classes: int, speakers: np.ndarray) -> dict:
    """Compare predictions with labels, with intervals, as JSON.

    Args:
        labels: True class numbers (n,).
        predictions: Predicted class numbers (n,).
        classes: Number of classes.
        speakers: The clips' speakers (n,), '' for a clip that names none.

    Returns:
        ``metrics``: see ``training.metrics.metrics``.
        ``intervals``: for ``uar`` and ``accuracy``, the limits (low, high) over ``clips`` and over
        ``speakers``, 0 to 1. Those over speakers are None if a clip names no speaker, all name one, or each
        label has one.
    """
    several = pd.Series(speakers).groupby(np.asarray(labels)).nunique() > 1  # of each label
    whole = len(set(speakers)) > 1 and all(speakers) and several.any()
    return {
        "metrics": metrics(labels, predictions, classes),
        "intervals": {
            name: {
                "clips": interval(labels, predictions, by_class),
                "speakers": interval(labels, predictions, by_class, speakers) if whole else None,
            }
            for name, by_class in (("uar", True), ("accuracy", False))
        },
    }


def interval(
    labels: np.ndarray, predictions: np.ndarray, by_class: bool, speakers: np.ndarray | None = None
) -> tuple[float, float]:
    """Compute the 95 % interval of UAR or accuracy.

    Args:
        labels: True class numbers (n,).
        predictions: Predicted class numbers (n,).
        by_class: True for UAR, False for accuracy.
        speakers: The clips' speakers (n,), at least two. None for the interval over clips.

    Returns:
        The lower and the upper limit, 0 to 1.
    """
    groups = np.asarray(labels) if by_class else np.zeros(len(labels), int)
    frame = pd.DataFrame(
        {"group": groups, "right": np.asarray(labels) == np.asarray(predictions)}, dtype=float
    )
    totals = frame.groupby("group")["right"].transform("size")
    weights = 1 / (totals * frame["group"].nunique())  # they add up to 1
    mean = float((weights * frame["right"]).sum())
    deviations = weights * (frame["right"] - frame.groupby("group")["right"].transform("mean"))
    over_clips = wilson(mean, _effective(mean, float((deviations**2).sum()), len(frame)))
    if speakers is None:
        return _within(*over_clips)
    sums = deviations.groupby(np.asarray(speakers)).sum()
    variance = float((sums**2).sum()) * len(sums) / (len(sums) - 1)
    student = Z / t.ppf(0.975, len(sums) - 1)
    limits = np.stack([over_clips, wilson(mean, _effective(mean, variance, len(frame)) * student**2)])
    return _within(limits[:, 0].min(), limits[:, 1].max())


def _effective(mean: float, variance: float, clips: int) -> float:
    """Return the number of clips, at most ``clips``, on which one proportion has this variance."""
    return min(clips, mean * (1 - mean) / variance) if variance > 1e-15 else clips


def _within(low: float, high: float) -> tuple[float, float]:
    """Return limits within 0 to 1, which a rounding may exceed."""
    return max(0.0, float(low)), min(1.0, float(high))
