"""The i-vector system against the literal equations, Kaldi's rules and direct Gaussian computations."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from reproduce.peers.features import Features
from reproduce.peers.ivector import (
    TotalVariability,
    _Backend,
    _sizes,
    background_model,
    recognise,
    statistics,
)
from reproduce.peers.peer import Task
from reproduce.peers.plda import Plda, class_means
from reproduce.peers.verification import enrolment, equal_error_rate

GAUSSIANS, SIZE, RANK = 3, 2, 2
ERR = {"rtol": 1e-9, "atol": 1e-9}


def clip(frames=7, seed=0):
    """Return frames (n, d) and the Gaussian (n,) that each frame belongs to."""
    random = np.random.default_rng(seed)
    return random.standard_normal((frames, SIZE)), np.arange(frames) % GAUSSIANS


def collected(frames, member):
    own = np.eye(GAUSSIANS)[member]
    return own.sum(axis=0)[None], (own.T @ frames)[None]


def test_posterior_is_that_of_all_frames_as_one_gaussian():
    """Frame t of Gaussian c is T_c w plus unit noise: w and the frames are jointly Gaussian."""
    frames, member = clip()
    extractor = TotalVariability.random(GAUSSIANS, SIZE, RANK, seed=1)
    extractor.matrix *= 8  # so that the prior does not decide
    stacked = extractor.matrix[member].reshape(-1, RANK)  # of all frames, one below the other
    everything = stacked @ stacked.T + np.eye(len(stacked))
    gain = stacked.T @ np.linalg.inv(everything)
    mean, covariance, likelihood = extractor.posterior(*collected(frames, member))
    np.testing.assert_allclose(mean[0], gain @ frames.ravel(), **ERR)
    np.testing.assert_allclose(covariance[0], np.eye(RANK) - gain @ stacked, **ERR)
    whole = multivariate_normal.logpdf(frames.ravel(), cov=everything)
    noise = multivariate_normal.logpdf(frames.ravel(), cov=np.eye(frames.size))
    np.testing.assert_allclose(likelihood[0], whole - noise, **ERR)


def speech(clips=60, seed=3):
    """Draw statistics N (n, C), F (n, C, d) from the model; also return its matrix."""
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((GAUSSIANS, SIZE, RANK))
    zeroth = random.uniform(5, 30, (clips, GAUSSIANS))
    factors = random.standard_normal((clips, RANK))
    noise = random.standard_normal((clips, GAUSSIANS, SIZE)) * np.sqrt(zeroth)[:, :, None]
    return zeroth, zeroth[:, :, None] * np.einsum("cdr,nr->ncd", matrix, factors) + noise, matrix


def test_em_raises_its_objective_and_finds_the_subspace():
    zeroth, first, matrix = speech()
    extractor = TotalVariability.random(GAUSSIANS, SIZE, RANK, seed=0)
    likelihoods = [extractor.improve(zeroth, first) for _ in range(30)]
    assert (np.diff(likelihoods) > -1e-9 * abs(likelihoods[-1])).all()
    assert likelihoods[-1] > likelihoods[0] + 100
    actual, true = (array.reshape(-1, RANK) for array in (extractor.matrix, matrix))
    apart = np.linalg.svd(np.linalg.qr(actual)[0].T @ np.linalg.qr(true)[0])[1]
    assert apart.min() > 0.98  # cosines of the angles between the two subspaces


def test_minimum_divergence_leaves_unit_factors():
    zeroth, first, _ = speech()
    extractor = TotalVariability.random(GAUSSIANS, SIZE, RANK, seed=0)
    for _ in range(60):
        extractor.improve(zeroth, first)
    mean, covariance, _ = extractor.posterior(zeroth, first)
    np.testing.assert_allclose(
        (covariance + mean[:, :, None] * mean[:, None]).mean(axis=0), np.eye(RANK), atol=0.05
    )


def test_blocks_of_clips_make_no_difference(monkeypatch):
    zeroth, first, _ = speech()
    results = []
    for block in (1000, 7):
        monkeypatch.setattr("reproduce.peers.ivector.BLOCK", block)
        extractor = TotalVariability.random(GAUSSIANS, SIZE, RANK, seed=0)
        results.append((extractor.improve(zeroth, first), extractor.matrix, extractor.vectors(zeroth, first)))
    for one, other in zip(*results):
        np.testing.assert_allclose(one, other, **ERR)


def test_a_gaussian_without_frames_stays():
    zeroth, first, _ = speech()
    zeroth[:, 1], first[:, 1] = 0, 0
    extractor = TotalVariability.random(GAUSSIANS, SIZE, RANK, seed=0)
    extractor.improve(zeroth, first)
    assert np.isfinite(extractor.matrix).all()


def test_the_background_model_and_its_statistics():
    random = np.random.default_rng(0)
    frames = np.concatenate([random.normal(mean, 0.5, (200, SIZE)) for mean in (-4, 0, 5)])
    model = background_model(frames, GAUSSIANS, seed=0)
    assert np.array_equal(model.means_, background_model(frames, GAUSSIANS, seed=0).means_)
    np.testing.assert_allclose(np.sort(model.means_[:, 0]), [-4, 0, 5], atol=0.2)
    steps = []
    zeroth, first = statistics(model, frames, np.array([250, 350]), steps.append)
    assert sum(steps) == 2
    for number, (start, end) in enumerate(((0, 250), (250, 600))):
        densities = np.array(
            [
                weight * multivariate_normal.pdf(frames[start:end], mean, np.diag(variance))
                for weight, mean, variance in zip(model.weights_, model.means_, model.covariances_)
            ]
        )
        gamma = densities / densities.sum(axis=0)
        np.testing.assert_allclose(zeroth[number], gamma.sum(axis=1), rtol=1e-7)
        for c in range(GAUSSIANS):
            centred = (frames[start:end] - model.means_[c]) / np.sqrt(model.covariances_[c])
            np.testing.assert_allclose(first[number, c], gamma[c] @ centred, atol=1e-6)


@pytest.mark.parametrize("scoring", ["plda", "cosine"])
def test_speakers_are_recognised_by_how_they_move_the_gaussians(scoring, tmp_path):
    """Frames of eight sounds with an offset for each speaker and sound, and another for each clip."""
    random = np.random.default_rng(0)
    speakers, clips, frames = 5, 24, 150
    sounds = random.standard_normal((8, 4)) * 6
    accents = random.standard_normal((speakers, 8, 4)) * 0.6
    labels = np.arange(speakers * clips) % speakers
    sound = random.integers(0, 8, (len(labels), frames))
    values = sounds[sound] + accents[labels[:, None], sound] + random.standard_normal((*sound.shape, 4))
    values += 0.3 * random.standard_normal((len(labels), 8, 4))[np.arange(len(labels))[:, None], sound]
    features = Features(values.reshape(-1, 4).astype(np.float32), np.arange(len(labels) + 1) * frames, 8000)
    train, test = np.arange(70), np.arange(70, len(labels))
    task = Task(features, train, labels[train], test, labels[test], speakers, 0, "", tmp_path)
    answer = recognise(task, scoring=scoring, enrolled=3)
    assert (answer.scores.argmax(axis=1) == labels[test]).mean() > 0.95
    assert answer.measures["1-EER"] > 0.9 and answer.measures["targets"] == len(test) - 3 * speakers


def test_vectors_are_as_long_as_standard_normals():
    random, labels = np.random.default_rng(0), np.arange(60) % 4
    vectors = random.standard_normal((60, 8)) + 3 * np.eye(8)[labels]
    backend = _Backend(vectors, labels, "plda")
    actual = backend.projected(vectors)
    assert actual.shape == (60, 3) and backend.dimensions == 3  # a discriminant fewer than classes
    np.testing.assert_allclose(np.linalg.norm(actual, axis=1), np.sqrt(3), **ERR)
    direction = LinearDiscriminantAnalysis().fit(vectors, labels).transform(vectors)
    np.testing.assert_allclose(actual * np.linalg.norm(direction, axis=1)[:, None], np.sqrt(3) * direction)


def test_sizes_follow_the_data():
    assert _sizes(10_000, 40, 4000) == {"gaussians": 32, "rank": 10}
    assert _sizes(64 * 4000, 600, 4000) == {"gaussians": 64, "rank": 32}
    assert _sizes(10**8, 10**5, 4000) == {"gaussians": 2048, "rank": 400}
    assert _sizes(20, 3, 4000) == {"gaussians": 20, "rank": 2}


def test_plda_scores_are_ratios_of_joint_gaussians():
    """A vector and the enrolled ones are jointly Gaussian, with a shared y or with different ones."""
    random = np.random.default_rng(0)
    labels = np.arange(300) % 30
    own = random.standard_normal((30, SIZE)) * [2, 0.5]
    vectors = own[labels] + random.standard_normal((300, SIZE)) @ [[1, 0.3], [0, 0.8]] + 5
    model = Plda.fit(vectors, labels)
    back = np.linalg.inv(model.basis)
    within, between = back.T @ back, back.T @ np.diag(model.spread) @ back
    enrolled = 3
    means, counts = class_means(vectors[:90], labels[:90], 30)
    assert (counts == enrolled).all()
    actual = model.scores(vectors[100:104], means, counts)
    for number in range(4):
        for speaker in (0, 7):
            one = np.concatenate([vectors[100 + number], *vectors[:90][labels[:90] == speaker]])
            noise = np.kron(np.eye(enrolled + 1), within)
            shared = np.kron(np.ones((enrolled + 1,) * 2), between)
            apart = np.kron(np.eye(1), between), np.kron(np.ones((enrolled,) * 2), between)
            split = np.zeros_like(shared)
            split[:SIZE, :SIZE], split[SIZE:, SIZE:] = apart
            centre = np.tile(model.mean, enrolled + 1)
            ratio = multivariate_normal.logpdf(one, centre, noise + shared)
            ratio -= multivariate_normal.logpdf(one, centre, noise + split)
            assert actual[number, speaker] == pytest.approx(ratio, abs=1e-7)


def test_plda_finds_the_covariances():
    random = np.random.default_rng(1)
    labels = np.arange(4000) // 4
    vectors = (random.standard_normal((1000, SIZE)) * [3, 0.5])[labels] + random.standard_normal((4000, SIZE))
    model = Plda.fit(vectors, labels)
    assert np.sort(model.spread) == pytest.approx([0.25, 9], rel=0.2)
    assert (model.basis.T @ np.eye(SIZE) @ model.basis) == pytest.approx(np.eye(SIZE), abs=0.1)


@pytest.mark.parametrize(
    "target, nontarget, rate, threshold",
    [
        ([3, 4, 5], [0, 1, 2], 0, 3),  # separated
        ([1, 4, 5, 6], [0, 0.5, 2, 3], 0.25, 4),  # one of four on the wrong side, both ways
        ([0, 1], [2, 3], 0.5, 1),  # Kaldi stops at the last target
        ([1, 3], [0, 0, 0, 2], 0.5, 3),
        ([2, 3], [1, 2], 0.5, 3),  # as high is not below
    ],
)
def test_equal_error_rate_on_hand_made_scores(target, nontarget, rate, threshold):
    assert equal_error_rate(np.array(target[::-1], float), np.array(nontarget, float)) == (rate, threshold)


def test_equal_error_rate_is_where_both_errors_meet():
    random = np.random.default_rng(0)
    target, nontarget = random.normal(1, 1, 4000), random.normal(-1, 1, 40000)
    rate, threshold = equal_error_rate(target, nontarget)
    assert rate == pytest.approx((target < threshold).mean(), abs=1e-3)
    assert rate == pytest.approx((nontarget >= threshold).mean(), abs=1e-3)
    assert rate == pytest.approx(0.1587, abs=0.01)  # Phi(-1)


def test_enrolment():
    labels = np.repeat([0, 1, 4], [4, 6, 9])
    own = enrolment(labels, 3, seed=0)
    assert [int(own[labels == speaker].sum()) for speaker in (0, 1, 4)] == [3, 3, 3]
    assert np.array_equal(own, enrolment(labels, 3, seed=0))
    assert not np.array_equal(own, enrolment(labels, 3, seed=1))
    own = enrolment(labels, 4, seed=0)  # the first speaker would have no trial left
    assert [int(own[labels == speaker].sum()) for speaker in (0, 1, 4)] == [0, 4, 4]
