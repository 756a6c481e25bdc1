import numpy as np
import pytest
from scipy.stats import binomtest

from reproduce.verdict import interval, verdict


@pytest.mark.parametrize("right, total", [(0, 30), (3, 30), (64, 89), (294, 332), (89, 89)])
def test_a_recalls_interval_is_wilsons(right, total):
    value, sd, low, high = interval(np.array([[right]]), np.array([total]))
    wilson = binomtest(right, total).proportion_ci(method="wilson")
    assert value == right / total and sd == 0
    assert low == pytest.approx(wilson.low, abs=1e-12) and high == pytest.approx(wilson.high)


@pytest.mark.parametrize("recalls", [(0.9, 0.6, 0.8), (0.97, 0.99, 0.33)])
def test_the_interval_of_uar_covers_it_95_times_in_100(recalls):
    random, totals = np.random.default_rng(0), np.array([332, 89, 240])
    hits = 0
    for _ in range(4000):
        _, _, low, high = interval(random.binomial(totals, recalls)[None], totals)
        hits += low <= np.mean(recalls) <= high
    assert 0.94 < hits / 4000 < 0.975


def test_seeds_widen_it_by_what_they_scatter():
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
