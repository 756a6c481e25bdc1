"""The rule that decides whether one of our numbers agrees with the paper's.

A recall measured on n test clips is uncertain because n is finite. With one seed, this is the only
uncertainty in our 95 % interval. For a recall, the limits are Wilson's. For UAR, the mean of C recalls, the
distance to either limit is the root of the sum of the squared distances of the recalls' limits, divided by C
(MOVER; Zou and Donner 2008). If many recalls are 100 %, whose upper distance is 0, MOVER's interval covers
only 84 to 90 %. The limits are therefore at least as far away as Wilson's for the mean recall m on n clips,
where n gives a proportion m the same variance as the mean of the recalls p:
n = m (1 - m) / (Σ p (1 - p) / (n_c - 1) / C²). The wider of the two intervals covers 94 to 98 % with 3
classes and with 36, and more if all recalls are near 0 or 1 but not near each other.

Another seed would change the number too; one seed does not show by how much. With k seeds of variance v,
t² v (1 + 1/k) joins the sum of squares, since the paper's value is one training as well. t is Student's with
k - 1 degrees of freedom. The paper's value is 'within' or 'outside' this interval. Clips count as
independent, although CHAINS has several windows of one recording.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm, t

__all__ = ["Z", "holm", "interval", "mcnemar", "verdict"]

Z = float(norm.ppf(0.975))


def interval(right: np.ndarray, totals: np.ndarray) -> tuple[float, float, float, float]:
    """Return the mean of C proportions over the seeds and its 95 % interval.

    Args:
        right: (k, C) counts of correct clips for k seeds and C proportions. C = 1 is a recall or an
            accuracy. UAR has one proportion per class, the average of folds one per fold.
        totals: (C,) counts of test clips.

    Returns:
        The mean, the standard deviation over seeds, and the lower and upper limit, all in 0..1.
    """
    right, totals = np.asarray(right, float), np.asarray(totals, float)
    seeds, classes = right.shape
    values = (right / totals).mean(axis=1)  # (seeds,)
    spread = values.var(ddof=1) if seeds > 1 else 0.0
    recalls = right.mean(axis=0) / totals  # (classes,)
    distances = np.abs(_wilson(recalls, totals) - recalls)  # (2, classes)
    distances = np.sqrt((distances**2).sum(axis=1)) / classes  # (2,)
    mean = values.mean()
    if classes > 1:
        distances = np.maximum(distances, np.abs(_wilson(mean, _effective(recalls, totals)) - mean))
    # The squared part of the seeds. It is unknown for one seed.
    other = t.ppf(0.975, seeds - 1) ** 2 * spread * (1 + 1 / seeds) if seeds > 1 else 0.0
    half = np.sqrt(distances**2 + other)
    return float(mean), float(np.sqrt(spread)), float(max(0, mean - half[0])), float(min(1, mean + half[1]))


def _wilson(share: np.ndarray | float, total: np.ndarray | float) -> np.ndarray:
    """Return Wilson's lower and upper limits (2, C) of C proportions, or (2,) of one."""
    root = Z * np.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    return (share + Z**2 / (2 * total) + np.stack([-root, root])) / (1 + Z**2 / total)


def _effective(recalls: np.ndarray, totals: np.ndarray) -> float:
    """Return the number of clips on which one proportion is as uncertain as the mean of the recalls (C,).

    Infinite if every recall is 0 or 1: their variance is 0 then, and MOVER's limits hold.
    """
    mean = recalls.mean()
    variance = (recalls * (1 - recalls) / np.maximum(totals - 1, 1)).sum() / len(recalls) ** 2
    return mean * (1 - mean) / variance if variance > 0 else np.inf


def verdict(paper: float, low: float, high: float) -> str:
    """Return 'within' or 'outside': the paper's value against our interval, in the same unit."""
    return "within" if low <= paper <= high else "outside"


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int, float]:
    """Compare two systems on the same clips with the exact McNemar test.

    Args:
        ours: (n,) bool, whether the first system recognised each clip.
        theirs: (n,) bool, the same for the second system.

    Returns:
        The number of clips that only the first system recognised, the number that only the second did, and
        the two-sided p: the probability of a split at least this uneven if both systems are equally good.
    """
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    differing = only_ours + only_theirs
    return only_ours, only_theirs, binomtest(only_ours, differing).pvalue if differing else 1.0


def holm(values: Sequence[float]) -> np.ndarray:
    """Adjust the p-values (n,) of n comparisons (Holm 1979)."""
    raw = np.asarray(values, float)
    ascending = raw.argsort()
    adjusted = np.empty_like(raw)
    adjusted[ascending] = np.minimum(1, np.maximum.accumulate(raw[ascending] * np.arange(len(raw), 0, -1)))
    return adjusted
