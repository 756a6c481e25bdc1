"""i-vectors (Dehak et al. 2011): total variability on a UBM, LDA, length normalisation, PLDA or cosine."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from data_prep.base.progress import Bar
from reproduce.peers.mfcc import MFCC
from reproduce.peers.peer import Answer, Peer, Task
from reproduce.peers.plda import Plda, class_means
from reproduce.peers.verification import enrolment, equal_error_rate

__all__ = ["PEER", "TotalVariability", "background_model", "statistics"]

UBM_FRAMES = 500_000  # as many as Kaldi's recipes take for it
UBM_ITERATIONS, EM_ITERATIONS = 20, 5
STEP = 2  # iterations of the UBM between two moves of the progress bar
MOST_GAUSSIANS, MOST_FACTORS = 2048, 400  # Kaldi's, for large data
BLOCK = 256  # clips whose posterior covariances are in memory at a time


def background_model(
    frames: np.ndarray, gaussians: int, seed: int, step: Callable[[int], object] = lambda done: None
) -> GaussianMixture:
    """The UBM: ``gaussians`` diagonal ones, by EM from random ``frames`` (n, d) with the variance of all."""
    random = np.random.default_rng(seed)
    if len(frames) > UBM_FRAMES:
        frames = frames[np.sort(random.choice(len(frames), UBM_FRAMES, replace=False))]
    frames = np.asarray(frames, np.float64)
    model = GaussianMixture(
        gaussians,
        covariance_type="diag",
        max_iter=STEP,
        tol=0,
        warm_start=True,
        random_state=seed,
        weights_init=np.full(gaussians, 1 / gaussians),
        means_init=frames[random.choice(len(frames), gaussians, replace=False)],
        precisions_init=np.tile(1 / frames.var(axis=0), (gaussians, 1)),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped after UBM_ITERATIONS on purpose
        for _ in range(UBM_ITERATIONS // STEP):
            model.fit(frames)
            step(STEP)
    return model


def statistics(
    model: GaussianMixture, frames: np.ndarray, counts: np.ndarray, step: Callable[[int], object]
) -> tuple[np.ndarray, np.ndarray]:
    """Of clips with ``counts`` (n,) of the ``frames`` (sum of counts, d): N (n, C) = sum_t gamma_tc and
    F (n, C, d) = sum_t gamma_tc (x_t - m_c) / sqrt(S_c).
    """
    clips, deviation = len(counts), np.sqrt(model.covariances_)
    zeroth = np.empty((clips, len(deviation)))
    first = np.empty((clips, *deviation.shape))
    ends = counts.cumsum()
    for clip, (start, end) in enumerate(zip(ends - counts, ends)):
        own = np.asarray(frames[start:end], np.float64)
        posterior = model.predict_proba(own)
        zeroth[clip] = posterior.sum(axis=0)
        first[clip] = posterior.T @ own
        step(1)
    first -= zeroth[:, :, None] * model.means_
    first /= deviation
    return zeroth, first


class TotalVariability:
    """The i-vector extractor. A clip's w ~ N(0, I) moves the mean of Gaussian c, in units of its standard
    deviation, by T_c w; ``matrix``: T (C, d, rank).
    """

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix

    @classmethod
    def random(cls, gaussians: int, dimensions: int, rank: int, seed: int) -> TotalVariability:
        """Where EM starts from."""
        return cls(0.1 * np.random.default_rng(seed).standard_normal((gaussians, dimensions, rank)))

    def posterior(self, zeroth: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of clips with the statistics N (n, C), F (n, C, d): the mean of w (n, rank), its covariance
        (n, rank, rank), and the log-likelihood (n,) but for what does not hang on T.

        L = I + sum_c N_c T_c' T_c, w = inv(L) sum_c T_c' F_c.
        """
        gaussians, dimensions, rank = self.matrix.shape
        squares = self.matrix.transpose(0, 2, 1) @ self.matrix  # (C, rank, rank)
        precision = (zeroth @ squares.reshape(gaussians, -1)).reshape(-1, rank, rank) + np.eye(rank)
        told = first.reshape(len(first), -1) @ self.matrix.reshape(-1, rank)
        covariance = np.linalg.inv(precision)
        mean = (covariance @ told[:, :, None])[:, :, 0]
        likelihood = 0.5 * (mean * told).sum(axis=1) - 0.5 * np.linalg.slogdet(precision)[1]
        return mean, covariance, likelihood

    def improve(self, zeroth: np.ndarray, first: np.ndarray) -> float:
        """One iteration of EM with minimum divergence; the log-likelihood before it, as in ``posterior``.

        T_c <- (sum_u F_uc w_u') inv(sum_u N_uc E[w_u w_u']); then T_c chol(mean_u E[w_u w_u']), which leaves
        w with the unit covariance that the model says it has.
        """
        clips, gaussians = zeroth.shape
        rank = self.matrix.shape[2]
        left = np.zeros((gaussians, rank * rank))
        right = np.zeros((rank, first[0].size))
        second = np.zeros((rank, rank))
        likelihood = 0.0
        for start in range(0, clips, BLOCK):
            n, f = zeroth[start : start + BLOCK], first[start : start + BLOCK]
            mean, moment, told = self.posterior(n, f)
            moment += mean[:, :, None] * mean[:, None, :]
            left += n.T @ moment.reshape(len(n), -1)
            right += mean.T @ f.reshape(len(f), -1)
            second += moment.sum(axis=0)
            likelihood += told.sum()
        left = left.reshape(gaussians, rank, rank)
        right = right.reshape(rank, gaussians, -1).transpose(1, 0, 2)  # (C, rank, d)
        used = zeroth.sum(axis=0) > 1e-6  # what no frame belongs to stays as it is
        self.matrix[used] = np.linalg.solve(left[used], right[used]).transpose(0, 2, 1)
        self.matrix = self.matrix @ np.linalg.cholesky(second / clips)
        return likelihood

    def vectors(self, zeroth: np.ndarray, first: np.ndarray) -> np.ndarray:
        """The i-vectors (n, rank) of clips with these statistics."""
        blocks = range(0, len(zeroth), BLOCK)
        return np.concatenate(
            [self.posterior(zeroth[at : at + BLOCK], first[at : at + BLOCK])[0] for at in blocks]
        )


def recognise(
    task: Task, frames_per_gaussian: int = 4000, scoring: str = "plda", enrolled: int | None = None
) -> Answer:
    """The class of each test clip by the score of its i-vector with all that trained the class.

    ``enrolled``: also verify the test clips' classes, each enrolled with so many of its own test clips;
    measures '1-EER' and 'threshold'.
    """
    frames, counts = task.features.of(task.train)
    test_frames, test_counts = task.features.of(task.test)
    sizes = _sizes(len(frames), len(counts), frames_per_gaussian)
    steps = UBM_ITERATIONS + EM_ITERATIONS + len(counts) + len(test_counts)
    with Bar(total=steps, desc=task.title, unit="step") as bar:
        values = task.features.values
        model = background_model(values[frames], sizes["gaussians"], task.seed, bar.update)
        zeroth, first = statistics(model, values[frames], counts, bar.update)
        extractor = TotalVariability.random(*model.means_.shape, sizes["rank"], task.seed)
        for _ in range(EM_ITERATIONS):
            extractor.improve(zeroth, first)
            bar.update()
        train = extractor.vectors(zeroth, first)
        test = extractor.vectors(*statistics(model, values[test_frames], test_counts, bar.update))
    backend = _Backend(train, task.train_labels, scoring)
    means, counts = class_means(backend.projected(train), task.train_labels, task.classes)
    known = counts > 0  # a class without training clips is never recognised
    scores = np.full((len(task.test), task.classes), -np.inf)
    scores[:, known] = backend.scores(backend.projected(test), means[known], counts[known])
    about = {"rate": task.features.rate, **sizes, "discriminants": backend.dimensions, "scoring": scoring}
    measures = {}
    if enrolled:
        measures, speakers = _verification(backend, backend.projected(test), task, enrolled)
        about["speakers_enrolled"] = speakers
    return Answer(scores, about, measures)


def _sizes(frames: int, clips: int, frames_per_gaussian: int) -> dict[str, int]:
    """As large as Kaldi's on large data; on small data a power of two, and half as many factors."""
    gaussians = 2 ** int(np.log2(max(2, frames / frames_per_gaussian)))
    gaussians = min(max(gaussians, 32), MOST_GAUSSIANS, frames)
    return {"gaussians": gaussians, "rank": max(2, min(gaussians // 2, clips // 4, MOST_FACTORS))}


class _Backend:
    """From i-vectors to scores."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray, scoring: str):
        self.discriminants = LinearDiscriminantAnalysis().fit(vectors, labels)
        projected = self.projected(vectors)
        self.dimensions = projected.shape[1]
        self.plda = Plda.fit(projected, labels) if scoring == "plda" else None

    def projected(self, vectors: np.ndarray) -> np.ndarray:
        """LDA, then the length of a vector of as many standard normals."""
        found = self.discriminants.transform(vectors)
        length = np.linalg.norm(found, axis=1, keepdims=True)
        return found * np.sqrt(found.shape[1]) / np.maximum(length, 1e-12)

    def scores(self, vectors: np.ndarray, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """PLDA's log-likelihood ratios or the cosines (n, k) of ``vectors`` with classes of these means."""
        if self.plda:
            return self.plda.scores(vectors, means, counts)
        vectors, means = (
            each / np.maximum(np.linalg.norm(each, axis=1, keepdims=True), 1e-12) for each in (vectors, means)
        )
        return vectors @ means.T


def _verification(
    backend: _Backend, vectors: np.ndarray, task: Task, enrolled: int
) -> tuple[dict[str, float], int]:
    """The measures, none where nobody can be rejected for another, and how many speakers were enrolled."""
    own = enrolment(task.test_labels, enrolled, task.seed)
    means, counts = class_means(vectors[own], task.test_labels[own], task.classes)
    known = counts > 0
    same = task.test_labels[~own][:, None] == np.flatnonzero(known)
    if not same.any() or same.all():
        return {}, int(known.sum())
    scores = backend.scores(vectors[~own], means[known], counts[known])
    rate, threshold = equal_error_rate(scores[same], scores[~same])
    return {"1-EER": 1 - rate, "threshold": threshold, "targets": int(same.sum())}, int(known.sum())


PEER = Peer(MFCC, recognise)
