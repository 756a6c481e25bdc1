"""The intervals and the verdict, compared with scipy, closed forms and simulation.

test_coverage.py simulates trainings.
"""

from math import comb

import numpy as np
import pytest
from scipy.stats import binomtest

from freqcnn_gluon.training.metrics import Z
from reproduce.verdict import by_chance, interval, prediction, speakers_part, verdict


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


def test_the_clips_interval_of_several_seeds_is_that_of_their_mean():
    totals = np.array([100])
    mean, sd, low, high = interval(np.array([[60], [80]]), totals)
    assert (mean, sd) == (pytest.approx(0.7), pytest.approx(np.std([0.6, 0.8], ddof=1)))
    assert (low, high) == pytest.approx(interval(np.array([[70]]), totals)[2:])


def test_prediction_by_hand():
    """Student's t with two degrees of freedom is 4.3027."""
    values = [0.60, 0.61, 0.65]
    half = 4.3027 * np.std(values, ddof=1) * np.sqrt(1 + 1 / 3)
    assert prediction(values) == pytest.approx((0.62 - half, 0.62 + half), abs=1e-5)
    below, above = np.sqrt(half**2 + 2 * np.array([0.03, 0.05]) ** 2)
    assert prediction(values, [0.03, 0.05]) == pytest.approx((0.62 - below, 0.62 + above), abs=1e-5)
    assert prediction([0.7, 0.9, 1.0])[1] == 1 and prediction([0.3, 0.1, 0])[0] == 0
    assert prediction([0.5] * 3) == (0.5, 0.5)
    assert np.isnan(prediction([0.6, 0.7])).all() and np.isnan(prediction([0.6])).all()


def test_speakers_part_by_hand():
    """For equal numbers of clips the variance of the accuracy is that of the speakers' accuracies."""
    right, totals = np.array([[20], [28], [30], [12]]), np.full((4, 1), 30)
    sigma = (right / 30).std() / 2
    assert speakers_part(right, totals) == pytest.approx(3.1824 * sigma, rel=0.05)  # t, three degrees
    right[:] = 30
    wilson = binomtest(120, 120).proportion_ci(method="wilson").low
    assert speakers_part(right, totals) == pytest.approx([1 - wilson, 0])
    assert np.isnan(speakers_part(right[:1], totals[:1])).all()


def test_verdict():
    """The paper rounds to two decimals, so that 69.996 is printed as 70.00."""
    values = (69.99, 70.0, 75, 80.0, 80.01)
    assert [verdict(value, 70.0, 80.0) for value in values] == [
        "outside",
        "within",
        "within",
        "within",
        "outside",
    ]
    assert verdict(88.55, 100 * 294 / 332, 100 * 294 / 332) == "within"  # 88.5542


@pytest.mark.parametrize("judged", [1, 28, 72])
def test_numbers_outside_by_chance(judged):
    expected, low, high = by_chance(judged)
    assert expected == pytest.approx(judged / 20)
    chances = [comb(judged, count) * 0.05**count * 0.95 ** (judged - count) for count in range(judged + 1)]
    assert sum(chances[:low]) < 0.025 <= sum(chances[: low + 1])
    assert sum(chances[: high + 1]) >= 0.975 > sum(chances[:high])
