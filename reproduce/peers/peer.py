"""What a peer is: a system of the paper's tables that is not one of ``freqcnn_gluon``'s networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import freqcnn_gluon  # noqa: F401  must come before MXNet, which some of the peers import
from reproduce.peers.features import Features, Kind

__all__ = ["Answer", "Peer", "Task", "softmax"]


@dataclass(frozen=True)
class Task:
    """What a peer is to do: learn from the clips ``train``, tell the labels of the clips ``test``.

    ``features``: of all clips; ``train``, ``test``: clip numbers; ``train_labels``, ``test_labels``: their
    class numbers, those of the test for a system that is enrolled with some of them. No training clip is
    there twice, over-sampled or not: these systems weigh the classes alike by other means. ``title``: of
    the progress bar; ``folder``: for what is kept to go on from.
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
    """``scores``: (test clips, classes), the highest is the label; ``sizes``: what the system consisted of;
    ``measures``: what it was measured by besides the labels, by name.
    """

    scores: np.ndarray
    sizes: dict[str, object]
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A system: the ``features`` that it hears, and ``recognise(task, **choices)``, whose keyword arguments
    are assumptions' ids and ``System.options``. It is deterministic: the task's seed decides.
    """

    features: Kind
    recognise: Callable[..., Answer]


def softmax(scores: np.ndarray) -> np.ndarray:
    """``scores`` (n, classes), taken for logarithms, as probabilities."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
