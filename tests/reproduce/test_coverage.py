"""How often each interval has the paper's number, simulated with trainings that differ.

The paper's number is that of one more training. All scenarios are drawn at once; the seeds are fixed.
"""

import numpy as np
import pytest
from scipy.stats import norm

from reproduce.verdict import interval, prediction, speakers_part

SEEDS = (3, 5, 10)
# Recalls and clips of each class: Table 3's FreqCNN, and CHAINS's third fold.
THREE = (0.8855, 0.7191, 0.775), (332, 89, 240)
THIRTY_SIX = (0.97,) * 36, (33,) * 36


def trained(recalls, totals, seeds, sd, repeats, failing=0.0):
    """Draw the right clips (repeats, seeds + 1, classes) of trainings that are tested on the same clips.

    A training recognises a clip if its skill, how easy the clip is for all trainings and a draw of its own
    sum to more than 0. The standard deviation of the last two is 1, that of the skills ``sd``; half of the
    skills' variance is common to the classes. A training fails with the probability ``failing``.
    """
    random = np.random.default_rng(0)
    share = sd * np.sqrt(0.5)
    skill = share * random.standard_normal((repeats, seeds + 1, 1 + len(totals)))
    skill[..., 0] -= 1.5 * (random.random((repeats, seeds + 1)) < failing)
    right = np.empty((repeats, seeds + 1, len(totals)))
    for number, (recall, total) in enumerate(zip(recalls, totals)):
        easy = np.sqrt(0.6) * random.standard_normal((repeats, 1, total), dtype=np.float32)
        own = np.sqrt(0.4) * random.standard_normal((repeats, seeds + 1, total), dtype=np.float32)
        level = norm.ppf(recall) + skill[..., :1] + skill[..., 1 + number, None]
        right[..., number] = (easy + own + level > 0).sum(axis=2)
    return right


def covered(right, totals):
    """Return how often the prediction interval of all trainings but the last has the last one's UAR."""
    uars = (right / totals).mean(axis=2)
    limits = np.array([prediction(values[:-1]) for values in uars])
    return np.mean((limits[:, 0] <= uars[:, -1]) & (uars[:, -1] <= limits[:, 1]))


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("sd", [0.05, 0.2])
@pytest.mark.parametrize("recalls, totals, repeats", [(*THREE, 1000), (*THIRTY_SIX, 800)])
def test_another_training_on_the_same_clips(recalls, totals, repeats, sd, seeds):
    """Skills that differ by 0.2 make UARs near 100 % skewed, which costs up to 2 % of coverage."""
    coverage = covered(trained(recalls, totals, seeds, sd, repeats), totals)
    assert 0.92 < coverage < 0.97


@pytest.mark.parametrize("seeds", SEEDS)
def test_a_single_recall_of_few_clips(seeds):
    """Counts are whole, and 3 of 89 clips are wrong. Seeds that agree by chance make the interval a point."""
    coverage = covered(trained((0.97,), (89,), seeds, 0.05, 1000), (89,))
    assert 0.92 < coverage < 0.98


@pytest.mark.parametrize("seeds", SEEDS)
def test_trainings_of_which_one_in_five_fails(seeds):
    """Numbers of trainings are not normal then. Three that succeed say nothing of one that fails."""
    coverage = covered(trained(*THREE, seeds, 0.05, 1000, failing=0.2), THREE[1])
    assert 0.85 < coverage < 0.95


def test_the_interval_from_the_number_of_clips_does_not_cover_another_training():
    """It knows nothing of trainings that differ, and decides no verdict for this reason."""
    right = trained(*THREE, 1, 0.4, 500)
    limits = np.array([interval(item[:1], np.array(THREE[1]))[2:] for item in right])
    other = (right[:, 1] / THREE[1]).mean(axis=1)
    assert np.mean((limits[:, 0] <= other) & (other <= limits[:, 1])) < 0.8


def redrawn(speakers, classes, clips, level, seeds, common, repeats=300):
    """Draw the share of right clips for each of ``seeds`` trainings and speakers, and another's UAR.

    The other training, in the paper, is tested on a second draw of the speakers. ``common`` is the share of
    the speakers' variance that both draws have in common: 0 for other speakers, 1 for the same. With
    ``classes`` None, each speaker is a class.

    Returns:
        right: (repeats, seeds, speakers, classes); totals: (speakers, classes); other: (repeats,).
    """
    random = np.random.default_rng(0)
    both = np.sqrt(common) * random.standard_normal((repeats, 1, speakers, 1))
    draws = both + np.sqrt(1 - common) * random.standard_normal((repeats, 2, speakers, 1))
    effects = draws[:, [0] * seeds + [1]]  # (repeats, seeds + 1, speakers, 1)
    skills = 0.1 * random.standard_normal((repeats, seeds + 1, 1, 1))
    own = 0.2 * random.standard_normal((repeats, seeds + 1, speakers, classes or 1))
    right = random.binomial(clips, norm.cdf(level + 0.4 * effects + skills + own))
    totals = np.full((speakers, classes or 1), clips)
    if classes is None:
        right, totals = right * np.eye(speakers, dtype=int), np.diag(totals[:, 0])
    other = (right[:, -1].sum(axis=1) / totals.sum(axis=0)).mean(axis=1)
    return right[:, :-1], totals, other


@pytest.mark.parametrize("seeds", SEEDS)
@pytest.mark.parametrize("common", [0, 0.5])
@pytest.mark.parametrize("speakers, classes, clips", [(42, 3, 10), (36, None, 33)])
def test_another_training_on_redrawn_speakers(speakers, classes, clips, common, seeds):
    right, totals, other = redrawn(speakers, classes, clips, norm.ppf(0.85), seeds, common)
    hits = 0
    for item, value in zip(right, other):
        values = (item.sum(axis=1) / totals.sum(axis=0)).mean(axis=1)
        low, high = prediction(values, speakers_part(item.mean(axis=0), totals))
        hits += low <= value <= high
    assert 0.93 < hits / len(other) < (0.99 if common == 0 else 1)
