"""Whether one of our numbers agrees with the paper's: the one rule.

A recall on n test clips is known only to within the luck of those clips: with one seed the 95 % interval is
theirs alone. Its limits are Wilson's for a recall; UAR is a mean of C recalls, and its distances to either
limit are the root of the sum of the recalls' squared ones, over C (the MOVER of Zou and Donner 2008, which
covers 94.6 to 97 % where a normal interval falls to 92). Another seed would move it too, by how much is not
known from one. From k seeds with variance v it is, and since the paper's value is itself one training,
t² v (1 + 1/k) joins the sum, t being Student's with k - 1 degrees of freedom. The paper's value is 'within'
or 'outside' that interval. Clips count as independent, CHAINS's windows of one recording too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, norm, t

__all__ = ["Z", "holm", "interval", "mcnemar", "verdict"]

Z = float(norm.ppf(0.975))


def interval(right: np.ndarray, totals: np.ndarray) -> tuple[float, float, float, float]:
    """(mean, sd over seeds, low, high), all 0..1, of the mean of C proportions.

    :param right: (k, C) counts of right answers for each of k seeds and C proportions (C = 1: a recall
        or an accuracy; one a class: UAR; one a fold: the average of folds).
    :param totals: (C,) counts of test clips.
    """
    right, totals = np.asarray(right, float), np.asarray(totals, float)
    seeds, classes = right.shape
    values = (right / totals).mean(axis=1)  # (seeds,)
    spread = values.var(ddof=1) if seeds > 1 else 0.0
    recalls = right.mean(axis=0) / totals  # (classes,)
    root = Z * np.sqrt(recalls * (1 - recalls) / totals + Z**2 / (4 * totals**2))
    limits = (recalls + Z**2 / (2 * totals) + np.stack([-root, root])) / (1 + Z**2 / totals)  # (2, classes)
    # the seeds' part, squared; of one seed it is not known
    other = t.ppf(0.975, seeds - 1) ** 2 * spread * (1 + 1 / seeds) if seeds > 1 else 0.0
    half = np.sqrt(((limits - recalls) ** 2).sum(axis=1) / classes**2 + other)
    mean = values.mean()
    return float(mean), float(np.sqrt(spread)), float(max(0, mean - half[0])), float(min(1, mean + half[1]))


def verdict(paper: float, low: float, high: float) -> str:
    """'within' or 'outside': the paper's value against our interval, in the same unit."""
    return "within" if low <= paper <= high else "outside"


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int, float]:
    """Exact McNemar test of two systems on the same clips: (only ours right, only theirs right, p).

    :param ours, theirs: (n,) bool, whether each system was right about each clip. p is two-sided: the
        chance of a split at least as uneven of the clips on which they disagree, were both equally good.
    """
    only_ours, only_theirs = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    differing = only_ours + only_theirs
    return only_ours, only_theirs, binomtest(only_ours, differing).pvalue if differing else 1.0


def holm(values: Sequence[float]) -> np.ndarray:
    """p-values (n,) adjusted for n comparisons made at a time (Holm 1979)."""
    values = np.asarray(values, float)
    order = values.argsort()
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)))
    return adjusted
