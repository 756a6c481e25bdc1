"""Speaker verification as Table 8 counts it: enrolment, trials, Kaldi's equal error rate."""

from __future__ import annotations

import math

import numpy as np

__all__ = ["enrolment", "equal_error_rate"]


def enrolment(labels: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Which of the clips (n,) bool enrol their speaker: ``each`` random ones of every speaker in ``labels``.

    The others are the trials, scored against every speaker (Kaldi's aishell recipe). A speaker who would
    be left without a trial is not enrolled: all its clips are trials against the others.
    """
    chosen, random = np.zeros(len(labels), bool), np.random.default_rng(seed)
    for speaker in np.unique(labels):
        (own,) = np.nonzero(labels == speaker)
        if len(own) > each:
            chosen[random.choice(own, each, replace=False)] = True
    return chosen


def equal_error_rate(target: np.ndarray, nontarget: np.ndarray) -> tuple[float, float]:
    """(rate, threshold) of the scores of same-speaker trials (n,) and of others (m,), by Kaldi's compute-eer.

    The first i of the sorted target scores that is above the one below which 1 - i/n of the others are:
    then i/n of the targets are rejected at that threshold, and as many of the others accepted.
    """
    target, nontarget = np.sort(target), np.sort(nontarget)
    n, m = len(target), len(nontarget)
    for i in range(n):
        if nontarget[max(0, m - 1 - math.floor(m * i / n))] < target[i]:
            break
    return i / n, float(target[i])
