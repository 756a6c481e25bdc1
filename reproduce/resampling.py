"""Tests and standard deviations that resample whole speakers, and the tests that they are compared with.

Clips of one speaker are not independent: a system that misunderstands a speaker does so in many clips. Whole
speakers are therefore drawn or swapped, with all their clips in all folds. The windows of one CHAINS
recording stay together too, because a recording has one speaker. This holds as well where the speakers are
the classes: a system's results on the clips of one class depend on each other, and a claim is meant to hold
for other speakers. The recordings of CHAINS would be smaller clusters, and would treat 37 readings of one
voice as independent. What several speakers have in common, such as a text that all of them read, is treated
as fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy.stats import binomtest

__all__ = ["LEVEL", "can_reject", "cluster_sd", "holm", "mcnemar", "swap_test"]

LEVEL = 0.05  # An adjusted p below this is significant.
DRAWS = 2000  # The standard deviation of 2000 draws is within 3.1 % of its limit, with a probability of 95 %.


def cluster_sd(right: np.ndarray, totals: np.ndarray) -> float:
    """Return the standard deviation of a mean of proportions over bootstrap samples of speakers.

    A sample has as many speakers as the corpus, drawn with replacement, each with all clips. If every class
    has one speaker, a speaker that is drawn twice is two classes: the mean is over the drawn speakers.
    Otherwise the drawn speakers' clips of a class are pooled, and classes without clips are left out.

    Args:
        right: (s, P) counts of correct clips of s speakers for P proportions, see ``verdict.interval``.
        totals: (s, P) counts of test clips. Every speaker and every proportion has some.

    Returns:
        The standard deviation, in 0..1. The draws have a fixed seed.
    """
    times, present = _drawn(len(totals)), totals > 0
    if (present.sum(axis=0) == 1).all():
        recalls = right.sum(axis=0) / totals.sum(axis=0)
        means = times @ (present @ recalls) / (times @ present.sum(axis=1))
    else:
        clips = times @ totals  # (DRAWS, P)
        shares = np.divide(times @ right, clips, out=np.zeros_like(clips), where=clips > 0)
        means = shares.sum(axis=1) / (clips > 0).sum(axis=1)
    return float(means.std(ddof=1))


@cache
def _drawn(speakers: int) -> np.ndarray:
    """Return how often each speaker is in each bootstrap sample: (DRAWS, speakers)."""
    chances = np.full(speakers, 1 / speakers)
    return np.random.default_rng(0).multinomial(speakers, chances, DRAWS).astype(float)


def swap_test(differences: Sequence[int]) -> float:
    """Test whether two systems differ, by swapping their results speaker by speaker.

    If the systems are equally good, their results on each speaker could as well be swapped. All 2^s ways to
    swap the results of s speakers are equally likely then. Their distribution is computed exactly.

    Args:
        differences: For each speaker, the number of clips that only the first system recognised minus the
            number that only the second did.

    Returns:
        The two-sided p: the share of the ways in which the sum is at least as far from 0. Where every speaker
        has one clip, this is the exact McNemar test.
    """
    sizes = np.abs(np.asarray(differences, int))
    chances = np.ones(1)  # the distribution of the sum over the speakers so far, from -range to range
    for size in sizes[sizes > 0]:
        swapped = np.zeros(2 * size + 1)
        swapped[[0, -1]] = 0.5
        chances = np.convolve(chances, swapped)
    reach = sizes.sum()
    sums = np.arange(-reach, reach + 1)
    return float(min(1, chances[np.abs(sums) >= abs(np.sum(differences))].sum()))


def can_reject(speakers: int, comparisons: int) -> bool:
    """Return whether ``swap_test`` can find any of several differences significant.

    Its smallest p is 2/2^s, where one system is better on all s speakers. ``holm`` multiplies the smallest of
    n p-values by n, and makes no other one smaller than that.

    Args:
        speakers: s, the number of speakers.
        comparisons: n, the number of comparisons.
    """
    return comparisons * 2.0 ** (1 - speakers) < LEVEL


def mcnemar(ours: np.ndarray, theirs: np.ndarray) -> tuple[int, int, float]:
    """Compare two systems on the same clips with the exact McNemar test, which takes clips as independent.

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
