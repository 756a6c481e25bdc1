import numpy as np
import pytest
from scipy.stats import binomtest

from reproduce.verdict import Z, holm, interval, mcnemar, verdict


@pytest.mark.parametrize("right, total", [(0, 30), (3, 30), (64, 89), (294, 332), (89, 89)])
def test_a_recalls_interval_is_wilsons(right, total):
    value, sd, low, high = interval(np.array([[right]]), np.array([total]))
    wilson = binomtest(right, total).proportion_ci(method="wilson")
    assert value == right / total and sd == 0
    assert low == pytest.approx(wilson.low, abs=1e-12) and high == pytest.approx(wilson.high)


UT_PODCAST, SENTENCES = [332, 89, 240], [33] * 36  # clips of each class: Table 3's, CHAINS's third fold


@pytest.mark.parametrize(
    "recalls, totals",
    [
        ((0.9, 0.6, 0.8), UT_PODCAST),
        ((0.97, 0.99, 0.33), UT_PODCAST),
        ((0.95,) * 36, SENTENCES),
        ((0.99,) * 36, SENTENCES),  # most of the recalls are 100 %
        ((0.02,) * 36, SENTENCES),
        ((0.99,) * 36 + (0.9986,) * 36 + (0.95,) * 36, SENTENCES * 3),  # the average of folds
    ],
)
def test_the_interval_of_uar_covers_it_95_times_in_100(recalls, totals):
    random, totals = np.random.default_rng(0), np.array(totals)
    hits = 0
    for _ in range(4000):
        _, _, low, high = interval(random.binomial(totals, recalls)[None], totals)
        hits += low <= np.mean(recalls) <= high
    assert 0.94 < hits / 4000 < 0.98


def test_uar_where_every_recall_is_0_or_100():
    """A network that always answers one class knows UAR as surely as the recalls."""
    totals = np.array(SENTENCES)
    low = binomtest(33, 33).proportion_ci(method="wilson").low
    assert interval(totals[None], totals)[2:] == (pytest.approx(1 - (1 - low) / 6), 1)
    assert interval(0 * totals[None], totals)[2:] == (0, pytest.approx((1 - low) / 6))
    totals = np.array(UT_PODCAST)
    _, _, low, high = interval(np.array([[0, 89, 0]]), totals)
    au, uk, us = (binomtest(0, total).proportion_ci(method="wilson").high for total in UT_PODCAST)
    assert low == pytest.approx((1 - uk) / 3) and high == pytest.approx((1 + np.hypot(au, us)) / 3)


def test_uar_by_hand():
    """Most recalls are 100 %: the upper limit is that of a share of n clips, the lower one is MOVER's."""
    right, totals = np.array([33] * 30 + [31] * 6), np.array(SENTENCES)
    mean, _, low, high = interval(right[None], totals)
    share = 31 / 33
    n = mean * (1 - mean) / (6 * share * (1 - share) / 32 / 36**2)
    root = Z * np.sqrt(mean * (1 - mean) / n + Z**2 / (4 * n**2))
    assert high == pytest.approx((mean + Z**2 / (2 * n) + root) / (1 + Z**2 / n))
    limits = np.array([binomtest(count, 33).proportion_ci(method="wilson").low for count in right])
    assert low == pytest.approx(mean - np.sqrt(((right / 33 - limits) ** 2).sum()) / 36)


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("scatter", [0.02, 0.06])
def test_the_interval_of_several_seeds_covers_another_training_95_times_in_100(seeds, scatter):
    """Every training has its own recalls, and all are tested on the same clips, equally hard for all. The
    interval is for the recalls of another training, as if it were tested on infinitely many clips.
    """
    random, totals = np.random.default_rng(0), np.array([332, 89, 240])
    hits = 0
    for _ in range(2000):
        trainings = np.array([0.85, 0.7, 0.8]) + scatter * random.standard_normal((seeds + 1, 1))
        right = np.stack(
            [
                (random.random(total) < trainings[:-1, [label]]).sum(axis=1)
                for label, total in enumerate(totals)
            ],
            axis=1,
        )
        _, _, low, high = interval(right, totals)
        hits += low <= trainings[-1].mean() <= high
    assert 0.94 < hits / 2000 < 0.985


def test_seeds_by_hand():
    """Student's t with one degree of freedom is 12.706: two trainings say little about a third."""
    right, totals = np.array([[600], [610]]), np.array([1000])
    _, _, low, high = interval(right, totals)
    wilson = binomtest(605, 1000).proportion_ci(method="wilson")
    other = 12.706**2 * np.var([0.60, 0.61], ddof=1) * (1 + 1 / 2)
    assert low == pytest.approx(0.605 - np.hypot(0.605 - wilson.low, other**0.5), abs=1e-5)
    assert high == pytest.approx(0.605 + np.hypot(wilson.high - 0.605, other**0.5), abs=1e-5)


def test_scattered_seeds_widen_the_interval():
    totals = np.array([100])
    _, sd, low, high = interval(np.array([[60], [80]]), totals)
    _, none, inner_low, inner_high = interval(np.array([[70], [70]]), totals)
    assert sd == pytest.approx(np.std([0.6, 0.8], ddof=1)) and none == 0
    assert low < inner_low < 0.7 < inner_high < high


def test_verdict():
    assert [verdict(value, 70.0, 80.0) for value in (69.9, 70.0, 75, 80.0, 80.1)] == [
        "outside",
        "within",
        "within",
        "within",
        "outside",
    ]


def test_mcnemar_by_hand():
    # 8 clips only the first gets right, 1 only the second: 2 * (1 + 9) / 2**9
    first = np.array([True] * 8 + [False] + [True] * 5 + [False] * 4)
    second = np.array([False] * 8 + [True] + [True] * 5 + [False] * 4)
    assert mcnemar(first, second) == (8, 1, pytest.approx(20 / 512))
    assert mcnemar(second, first) == (1, 8, pytest.approx(20 / 512))
    assert mcnemar(first, first) == (0, 0, 1.0)


def test_holm_by_hand():
    assert holm([0.04, 0.01, 0.03]).tolist() == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([]).size == 0
