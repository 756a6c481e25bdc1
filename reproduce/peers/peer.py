"""The interface of peers, the systems of the paper's tables that ``freqcnn_gluon`` does not provide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reproduce.peers.features import Features, Kind

__all__ = ["Answer", "Peer", "Task", "decisions", "softmax"]


@dataclass(frozen=True)
class Task:
    """Clips to learn from and clips to classify.

    Attributes:
        features: Features of all clips of the corpus.
        train: Clip numbers (n,) to learn from. Over-sampled clips are listed once: these systems balance
            the classes by other means.
        train_labels: Their class numbers (n,).
        test: Clip numbers (m,) to classify.
        test_labels: Their class numbers (m,), for systems that enrol speakers with some of the test clips.
        classes: Number of classes.
        seed: Seed of all random draws.
        title: Title of the progress bar.
        folder: Folder for checkpoints, from which an interrupted run resumes.
    """

    features: Features
    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: int
    seed: int
    title: str
    folder: Path


@dataclass(frozen=True)
class Answer:
    """A system's scores of the test clips.

    Attributes:
        scores: (test clips, classes). The class with the highest score is the predicted one.
        sizes: Sizes of the trained system, by name; they go into the report's settings.
        measures: Measures other than those of the predicted classes, by name.
    """

    scores: np.ndarray
    sizes: Mapping[str, object]
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A system and its features.

    Attributes:
        features: Kind of features that it takes.
        recognise: ``recognise(task, **choices)``, deterministic for a seed. The keyword arguments are ids of
            assumptions and names in ``System.options``.
    """

    features: Kind
    recognise: Callable[..., Answer]


def decisions(machine: Any, inputs: np.ndarray, classes: int) -> np.ndarray:
    """Return the decisions (n, classes) of scikit-learn's ``machine``; -inf for classes that it never saw."""
    scores, values = np.full((len(inputs), classes), -np.inf), machine.decision_function(inputs)
    if values.ndim == 1:  # scikit-learn returns one column for two classes.
        values = np.column_stack([-values, values])
    scores[:, machine.classes_] = values
    return scores


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return probabilities (n, classes) whose logarithms are ``scores`` up to a constant in each row."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
