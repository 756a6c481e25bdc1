"""The rules that decide whether one of our numbers agrees with the paper's.

**The interval from the number of test clips** (``interval``) says how far a mean of recalls may be from its
value on infinitely many clips. For a recall, the limits are Wilson's. For UAR, the mean of C recalls, the
distance to either limit is the root of the sum of the squared distances of the recalls' limits, divided by C
(MOVER; Zou and Donner 2008). If many recalls are 100 %, whose upper distance is 0, MOVER's interval covers
only 84 to 90 %. The limits are therefore at least as far away as Wilson's for the mean recall m on n clips,
where n gives a proportion m the same variance as the mean of the recalls p:
n = m (1 - m) / (Σ p (1 - p) / (n_c - 1) / C²). The wider of the two intervals covers 94 to 98 % with 3
classes and with 36, and more if all recalls are near 0 or 1 but not near each other. It takes clips as
independent, and it decides nothing: the paper tested on clips too, and another training changes the number.

**The prediction interval** (``prediction``) decides the verdict. The paper's number is that of one training.
With k seeds of mean m and standard deviation s, another training's number lies in m ± t s √(1 + 1/k) with a
probability of 95 %, where t is the 97.5 % quantile of Student's distribution with k - 1 degrees of freedom.
Nothing else separates two numbers where the test clips are the paper's own ('shared' in
``reproduce.corpora``), because then both have the same clips. Below three seeds there is no verdict: t is
12.7 for two, and unknown for one. If all seeds agree, the interval is a point. The rule takes numbers as
normal over trainings. Where one training in five stays near chance, three seeds cover only 88 % and ten 92 %
(tests/reproduce/test_coverage.py simulates this and all other cases).

**Redrawn clips.** Where folds were drawn anew or recordings are cut in another way, the paper's test clips
and ours are two draws, and each has its own error of sampling. Twice its square is added to the squared half
width. It is t σ (``speakers_part``), where σ is the number's standard deviation if whole speakers are drawn
with replacement (``resampling.cluster_sd``; clips of one speaker are not independent) and t has one degree of
freedom less than there are speakers. On each side it is at least the distance from the number of test clips,
because speakers that all agree, as on a count of 0, have σ = 0. The corpora's speakers are the same as the
paper's, so that both draws also have something in common: the interval is wider than it would have to be,
and an 'outside' is safe.

**The verdict** is 'within' if the paper's number, as it is rounded in print, is in the prediction interval,
and otherwise 'outside'. Of n numbers that agree, 5 % are outside by chance (``by_chance``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import binom, t

from freqcnn_gluon.training.metrics import wilson
from reproduce.resampling import cluster_sd

__all__ = ["LEAST_SEEDS", "by_chance", "half_width", "interval", "prediction", "speakers_part", "verdict"]

LEAST_SEEDS = 3
ROUNDING = 0.005  # The paper prints two decimals.


def interval(right: np.ndarray, totals: np.ndarray) -> tuple[float, float, float, float]:
    """Return the mean of C proportions over the seeds and its 95 % interval from the number of test clips.

    Args:
        right: (k, C) counts of correct clips for k seeds and C proportions. C = 1 is a recall or an
            accuracy. UAR has one proportion per class, the average of folds one per fold.
        totals: (C,) counts of test clips.

    Returns:
        The mean, the standard deviation over seeds (0 for one seed), and the lower and upper limit, all in
        0..1.
    """
    right, totals = np.asarray(right, float), np.asarray(totals, float)
    values = (right / totals).mean(axis=1)  # (k,)
    mean = values.mean()
    below, above = _distances(right.mean(axis=0) / totals, totals)
    sd = values.std(ddof=1) if len(values) > 1 else 0.0
    return float(mean), float(sd), float(max(0, mean - below)), float(min(1, mean + above))


def _distances(recalls: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the distances (2,) from the mean of the recalls (C,) to its lower and its upper limit."""
    classes, mean = len(recalls), recalls.mean()
    distances = np.abs(wilson(recalls, totals) - recalls)  # (2, C)
    distances = np.sqrt((distances**2).sum(axis=1)) / classes  # (2,)
    if classes == 1:
        return distances
    return np.maximum(distances, np.abs(wilson(mean, _effective(recalls, totals)) - mean))


def _effective(recalls: np.ndarray, totals: np.ndarray) -> float:
    """Return the number of clips on which one proportion is as uncertain as the mean of the recalls (C,).

    Infinite if every recall is 0 or 1: their variance is 0 then, and MOVER's limits hold.
    """
    mean = recalls.mean()
    variance = (recalls * (1 - recalls) / np.maximum(totals - 1, 1)).sum() / len(recalls) ** 2
    return mean * (1 - mean) / variance if variance > 0 else np.inf


def half_width(values: Sequence[float] | np.ndarray) -> float:
    """Return t s √(1 + 1/k) of the numbers (k,) of at least two trainings, in their unit."""
    k = len(values)
    return float(t.ppf(0.975, k - 1) * np.std(values, ddof=1) * np.sqrt(1 + 1 / k))


def prediction(
    values: Sequence[float] | np.ndarray, sampling: Sequence[float] | np.ndarray = (0.0, 0.0)
) -> tuple[float, float]:
    """Return the limits between which another training's number lies with a probability of 95 %.

    Args:
        values: (k,) the number with each of k seeds, in 0..1.
        sampling: (2,) for redrawn test clips, the error of sampling below and above (``speakers_part``).

    Returns:
        The lower and the upper limit, in 0..1; NaN with fewer than LEAST_SEEDS seeds.
    """
    mean = np.mean(values)
    if len(values) < LEAST_SEEDS:
        return np.nan, np.nan
    below, above = np.sqrt(half_width(values) ** 2 + 2 * np.square(sampling))
    return float(max(0, mean - below)), float(min(1, mean + above))


def speakers_part(right: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return how far the sampling of speakers and clips moves a mean of proportions, below and above (2,).

    Args:
        right: (s, C) counts of correct clips of s speakers for C proportions, averaged over the seeds.
        totals: (s, C) counts of test clips.

    Returns:
        Distances in 0..1; NaN for fewer than two speakers.
    """
    speakers = len(totals)
    if speakers < 2:
        return np.full(2, np.nan)
    clips = totals.sum(axis=0)
    of_speakers = t.ppf(0.975, speakers - 1) * cluster_sd(right, totals)
    return np.maximum(of_speakers, _distances(right.sum(axis=0) / clips, clips))


def verdict(paper: float, low: float, high: float) -> str:
    """Return 'within' if the paper's printed value is in the interval, otherwise 'outside'.

    Args:
        paper: The printed value, in per cent or in clips.
        low: Lower limit in the same unit.
        high: Upper limit in the same unit.
    """
    return "within" if low - ROUNDING <= paper <= high + ROUNDING else "outside"


def by_chance(judged: int) -> tuple[float, int, int]:
    """Return how many of ``judged`` numbers that agree with the paper's would be outside all the same.

    Returns:
        The expected number, and the limits between which the number lies with a probability of at least
        95 % if the numbers are independent.
    """
    low, high = binom.ppf([0.025, 0.975], judged, 0.05)
    return 0.05 * judged, int(low), int(high)
