"""Whether one of our numbers agrees with the paper's: the one rule.

A recall on n test clips is known only to within the luck of those clips: with one seed the 95 % interval is
theirs alone. Its limits are Wilson's for a recall; UAR is a mean of C recalls, and its distances to either
limit are the root of the sum of the recalls' squared ones, over C (the MOVER of Zou and Donner 2008). Where
many of the recalls are 100 %, whose upper distances are 0, that covers 84 to 90 %: so the limits are nowhere
nearer than Wilson's of the mean m, of as many clips as give a share m the variance of the mean of recalls p,
n = m (1 - m) / (Σ p (1 - p) / (n_c - 1) / C²). The wider of the two covers 94 to 98 % with 3 classes and with
36, and more where all recalls are near 0 or 1 and not all near the same.

Another seed would move it too, by how much is not known from one. From k seeds with variance v it is, and
since the paper's value is itself one training, t² v (1 + 1/k) joins the sum, t being Student's with k - 1
degrees of freedom. The paper's value is 'within' or 'outside' that interval. Clips count as independent,
CHAINS's windows of one recording too.
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
    distances = np.abs(_wilson(recalls, totals) - recalls)  # (2, classes)
    distances = np.sqrt((distances**2).sum(axis=1)) / classes  # (2,)
    mean = values.mean()
    if classes > 1:
        distances = np.maximum(distances, np.abs(_wilson(mean, _effective(recalls, totals)) - mean))
    # the seeds' part, squared; of one seed it is not known
    other = t.ppf(0.975, seeds - 1) ** 2 * spread * (1 + 1 / seeds) if seeds > 1 else 0.0
    half = np.sqrt(distances**2 + other)
    return float(mean), float(np.sqrt(spread)), float(max(0, mean - half[0])), float(min(1, mean + half[1]))


def _wilson(share: np.ndarray | float, total: np.ndarray | float) -> np.ndarray:
    """Wilson's limits, low and high, of shares (C,) or one of as many clips: (2, C) or (2,)."""
    root = Z * np.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    return (share + Z**2 / (2 * total) + np.stack([-root, root])) / (1 + Z**2 / total)


def _effective(recalls: np.ndarray, totals: np.ndarray) -> float:
    """On how many clips one proportion would be as uncertain as the mean of the recalls (C,) is.

    Without end where each is 0 or 1: their variance says nothing then, and MOVER's limits hold.
    """
    mean = recalls.mean()
    variance = (recalls * (1 - recalls) / np.maximum(totals - 1, 1)).sum() / len(recalls) ** 2
    return mean * (1 - mean) / variance if variance > 0 else np.inf


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
