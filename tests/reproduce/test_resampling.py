"""Bootstrap and tests over speakers, compared with scipy, closed forms and enumeration."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, permutation_test

from reproduce.resampling import can_reject, cluster_sd, holm, mcnemar, swap_test


def counts(speakers, classes, seed=0):
    """Draw the right clips and all clips (speakers, classes) of speakers who are not equally easy."""
    random = np.random.default_rng(seed)
    totals = random.integers(1, 9, (speakers, classes))
    return random.binomial(totals, random.beta(4, 2, (speakers, 1))), totals


@pytest.mark.parametrize("classes", [1, 3, 6])
def test_the_bootstrap_is_scipys(classes):
    right, totals = counts(42, classes)

    def uar(chosen, axis):
        return (right[chosen].sum(axis=-2) / totals[chosen].sum(axis=-2)).mean(axis=-1)

    scipys = bootstrap((np.arange(42),), uar, n_resamples=5000, method="percentile", random_state=1)
    assert cluster_sd(right, totals) == pytest.approx(scipys.standard_error, rel=0.05)


def test_the_bootstrap_of_speakers_that_are_the_classes():
    """The variance of a mean over bootstrap samples is the variance of its parts, divided by their number."""
    random = np.random.default_rng(0)
    totals = np.diag(random.integers(20, 40, 36))
    right = random.binomial(totals, random.beta(9, 1, (36, 1)))
    recalls = right.diagonal() / totals.diagonal()
    assert cluster_sd(right, totals) == pytest.approx(recalls.std() / 6, rel=0.05)
    folds = [np.hstack([part, part]) for part in (right, totals)]  # the average over two equal folds
    assert cluster_sd(*folds) == pytest.approx(cluster_sd(right, totals))


def test_classes_of_which_a_sample_has_no_clip_are_left_out():
    """Of two speakers, the first with both classes: a sample has (1, 1), (1, 2), (2, 1) or (2, 2)."""
    right, totals = np.array([[4, 0], [0, 0]]), np.array([[4, 4], [4, 0]])
    uars = [1 / 2, 1 / 4, 1 / 4, 0]
    assert cluster_sd(right, totals) == pytest.approx(np.std(uars), rel=0.05)


@pytest.mark.parametrize("speakers", [2, 5, 10])
def test_swapping_speakers_is_scipys_exact_permutation_test(speakers):
    for seed in range(5):
        differences = np.random.default_rng(seed).integers(-4, 7, speakers)
        scipys = permutation_test(
            (differences,),
            lambda sample, axis: sample.sum(axis=axis),
            permutation_type="samples",
            vectorized=True,
            n_resamples=np.inf,
        )
        assert swap_test(differences) == pytest.approx(scipys.pvalue)


def test_swapping_speakers_by_enumeration():
    differences = [3, -1, 0, 4, 2]
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=5)]
    assert swap_test(differences) == np.mean(np.array(sums) >= 8)
    assert swap_test([-value for value in differences]) == swap_test(differences)
    assert swap_test([0, 0]) == swap_test([]) == swap_test([7]) == 1


@pytest.mark.parametrize("more, fewer", [(8, 1), (24, 3), (300, 240), (5, 5)])
def test_swapping_speakers_with_one_clip_each_is_mcnemars_test(more, fewer):
    differences = [1] * more + [-1] * fewer + [0] * 20
    assert swap_test(differences) == pytest.approx(binomtest(more, more + fewer).pvalue)


def test_only_the_test_over_speakers_keeps_its_level_if_clips_of_a_speaker_agree():
    """Two systems are equally good, but each speaker suits one of them. 5 % of the tests may reject."""
    random, found = np.random.default_rng(0), []
    for _ in range(1000):
        suited = random.normal(0, 0.3, (36, 1))
        right = [random.random((36, 30)) < 0.8 + sign * suited for sign in (1, -1)]
        differences = right[0].sum(axis=1) - right[1].sum(axis=1)
        found.append((swap_test(differences), mcnemar(right[0].ravel(), right[1].ravel())[2]))
    swapped, clips = (np.array(found) < 0.05).mean(axis=0)
    assert 0.03 < swapped < 0.07 and clips > 0.4


@pytest.mark.parametrize("comparisons", [1, 4, 6, 13])
def test_a_lead_is_possible_if_the_clearest_results_are_significant(comparisons):
    """One system is better on every speaker in each comparison, or in one of them only."""
    for speakers in range(1, 13):
        least = swap_test([1] * speakers)
        every, one = [least] * comparisons, [least] + [1.0] * (comparisons - 1)
        possible = holm(every).min() < 0.05 or holm(one).min() < 0.05
        assert can_reject(speakers, comparisons) == possible


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
    adjusted = holm([np.nan, 0.01])  # a comparison that was not tested still counts
    assert np.isnan(adjusted[0]) and adjusted[1] == 0.02
