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

UBM_FRAMES = 500_000  # as in Kaldi's recipes
UBM_ITERATIONS, EM_ITERATIONS = 20, 5
STEP = 2  # UBM iterations between two updates of the progress bar
MOST_GAUSSIANS, MOST_FACTORS = 2048, 400  # Kaldi's numbers for large data
BLOCK = 256  # clips whose posterior covariances are in memory at once


def background_model(
    frames: np.ndarray, gaussians: int, seed: int, callback: Callable[[int], object] = lambda done: None
) -> GaussianMixture:
    """Train the universal background model (UBM) with EM.

    Its means start from random frames, its variances from the variance of all frames.

    Args:
        frames: (n, d) features. At most UBM_FRAMES random ones are used.
        gaussians: Number of Gaussians, with diagonal covariances.
        seed: Seed of the draws.
        callback: Called with the number of EM iterations since its last call.
    """
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
        warnings.simplefilter("ignore", ConvergenceWarning)  # EM stops after UBM_ITERATIONS on purpose.
        for _ in range(UBM_ITERATIONS // STEP):
            model.fit(frames)
            callback(STEP)
    return model


def statistics(
    model: GaussianMixture, frames: np.ndarray, counts: np.ndarray, callback: Callable[[int], object]
) -> tuple[np.ndarray, np.ndarray]:
    """Compute the Baum-Welch statistics of each clip.

    Args:
        model: The UBM of C Gaussians with means m_c and diagonal covariances S_c.
        frames: (sum of counts, d) features, the frames of one clip after those of another.
        counts: (n,) number of frames of each clip.
        callback: Called with 1 after each clip.

    Returns:
        N (n, C) = sum_t gamma_tc and F (n, C, d) = sum_t gamma_tc (x_t - m_c) / sqrt(S_c).
    """
    clips, deviation = len(counts), np.sqrt(model.covariances_)
    zeroth = np.empty((clips, len(deviation)))
    first = np.empty((clips, *deviation.shape))
    ends = counts.cumsum()
    for clip, (start, end) in enumerate(zip(ends - counts, ends)):
        clip_frames = np.asarray(frames[start:end], np.float64)
        posterior = model.predict_proba(clip_frames)
        zeroth[clip] = posterior.sum(axis=0)
        first[clip] = posterior.T @ clip_frames
        callback(1)
    first -= zeroth[:, :, None] * model.means_
    first /= deviation
    return zeroth, first


class TotalVariability:
    """The i-vector extractor.

    A clip's factors w ~ N(0, I) move the mean of Gaussian c by T_c w, in units of its standard deviation.

    Attributes:
        matrix: T (C, d, rank).
    """

    def __init__(self, matrix: np.ndarray):
        self.matrix = matrix

    @classmethod
    def random(cls, gaussians: int, dimensions: int, rank: int, seed: int) -> TotalVariability:
        """Draw the matrix that EM starts from."""
        return cls(0.1 * np.random.default_rng(seed).standard_normal((gaussians, dimensions, rank)))

    def posterior(self, zeroth: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute the posterior of w: L = I + sum_c N_c T_c' T_c, w = inv(L) sum_c T_c' F_c.

        Args:
            zeroth: N (n, C) of n clips, from ``statistics``.
            first: F (n, C, d) of the same clips.

        Returns:
            The mean of w (n, rank), its covariance inv(L) (n, rank, rank), and the log-likelihood (n,)
            without the terms that do not depend on T.
        """
        gaussians, dimensions, rank = self.matrix.shape
        squares = self.matrix.transpose(0, 2, 1) @ self.matrix  # (C, rank, rank)
        precision = (zeroth @ squares.reshape(gaussians, -1)).reshape(-1, rank, rank) + np.eye(rank)
        projected = first.reshape(len(first), -1) @ self.matrix.reshape(-1, rank)
        covariance = np.linalg.inv(precision)
        mean = (covariance @ projected[:, :, None])[:, :, 0]
        likelihood = 0.5 * (mean * projected).sum(axis=1) - 0.5 * np.linalg.slogdet(precision)[1]
        return mean, covariance, likelihood

    def improve(self, zeroth: np.ndarray, first: np.ndarray) -> float:
        """Run one iteration of EM with minimum divergence.

        T_c <- (sum_u F_uc w_u') inv(sum_u N_uc E[w_u w_u']), then T_c <- T_c chol(mean_u E[w_u w_u']), which
        gives w the unit covariance of its prior. Arguments as in ``posterior``.

        Returns:
            The log-likelihood of all clips before the iteration.
        """
        clips, gaussians = zeroth.shape
        rank = self.matrix.shape[2]
        left = np.zeros((gaussians, rank * rank))
        right = np.zeros((rank, first[0].size))
        second = np.zeros((rank, rank))
        likelihood = 0.0
        for start in range(0, clips, BLOCK):
            n, f = zeroth[start : start + BLOCK], first[start : start + BLOCK]
            mean, moment, likelihoods = self.posterior(n, f)
            moment += mean[:, :, None] * mean[:, None, :]
            left += n.T @ moment.reshape(len(n), -1)
            right += mean.T @ f.reshape(len(f), -1)
            second += moment.sum(axis=0)
            likelihood += likelihoods.sum()
        left = left.reshape(gaussians, rank, rank)
        right = right.reshape(rank, gaussians, -1).transpose(1, 0, 2)  # (C, rank, d)
        used = zeroth.sum(axis=0) > 1e-6  # A Gaussian without frames keeps its part of T.
        self.matrix[used] = np.linalg.solve(left[used], right[used]).transpose(0, 2, 1)
        self.matrix = self.matrix @ np.linalg.cholesky(second / clips)
        return likelihood

    def vectors(self, zeroth: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Return the i-vectors (n, rank) of clips with these statistics."""
        means = []
        for start in range(0, len(zeroth), BLOCK):
            mean, _, _ = self.posterior(zeroth[start : start + BLOCK], first[start : start + BLOCK])
            means.append(mean)
        return np.concatenate(means)


def recognise(
    task: Task, frames_per_gaussian: int = 4000, scoring: str = "plda", enrolled: int | None = None
) -> Answer:
    """Score the i-vector of each test clip against those of each class's training clips.

    Args:
        task: Clips to learn from and to classify.
        frames_per_gaussian: Training frames for each Gaussian of the UBM.
        scoring: 'plda' or 'cosine'.
        enrolled: Also verify the test clips' speakers, with each speaker enrolled by this number of their
            test clips. It adds the measures '1-EER', 'threshold' and 'targets' (trials of the same speaker).
    """
    train, test, sizes = _vectors(task, frames_per_gaussian)
    backend = _Backend(train, task.train_labels, scoring)
    means, counts = class_means(backend.projected(train), task.train_labels, task.classes)
    known = counts > 0  # A class without training clips keeps the score -inf and is never predicted.
    scores = np.full((len(task.test), task.classes), -np.inf)
    scores[:, known] = backend.scores(backend.projected(test), means[known], counts[known])
    about = {"rate": task.features.rate, **sizes, "discriminants": backend.dimensions, "scoring": scoring}
    measures: dict[str, float] = {}
    if enrolled:
        measures, speakers = _verification(backend, backend.projected(test), task, enrolled)
        about["speakers_enrolled"] = speakers
    return Answer(scores, about, measures)


def _vectors(task: Task, frames_per_gaussian: int) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Return the i-vectors of the training and the test clips, and the sizes of the extractor."""
    rows, counts = task.features.of(task.train)
    test_rows, test_counts = task.features.of(task.test)
    sizes = _sizes(len(rows), len(counts), frames_per_gaussian)
    steps = UBM_ITERATIONS + EM_ITERATIONS + len(counts) + len(test_counts)
    with Bar(total=steps, desc=task.title, unit="step") as bar:
        values = task.features.values
        model = background_model(values[rows], sizes["gaussians"], task.seed, bar.update)
        zeroth, first = statistics(model, values[rows], counts, bar.update)
        gaussians, dimensions = model.means_.shape
        extractor = TotalVariability.random(gaussians, dimensions, sizes["rank"], task.seed)
        for _ in range(EM_ITERATIONS):
            extractor.improve(zeroth, first)
            bar.update()
        train = extractor.vectors(zeroth, first)
        test = extractor.vectors(*statistics(model, values[test_rows], test_counts, bar.update))
    return train, test, sizes


def _sizes(frames: int, clips: int, frames_per_gaussian: int) -> dict[str, int]:
    """Return Kaldi's sizes for large data; for small data a power of two, and half as many factors."""
    gaussians = 2 ** int(np.log2(max(2, frames / frames_per_gaussian)))
    gaussians = min(max(gaussians, 32), MOST_GAUSSIANS, frames)
    return {"gaussians": gaussians, "rank": max(2, min(gaussians // 2, clips // 4, MOST_FACTORS))}


class _Backend:
    """LDA, length normalisation, and PLDA or the cosine: from i-vectors to scores."""

    def __init__(self, vectors: np.ndarray, labels: np.ndarray, scoring: str):
        self.discriminants = LinearDiscriminantAnalysis().fit(vectors, labels)
        projected = self.projected(vectors)
        self.dimensions = projected.shape[1]
        self.plda = Plda.fit(projected, labels) if scoring == "plda" else None

    def projected(self, vectors: np.ndarray) -> np.ndarray:
        """Apply LDA, then scale each vector to the length sqrt(d), that of d standard normals."""
        projected = self.discriminants.transform(vectors)
        length = np.linalg.norm(projected, axis=1, keepdims=True)
        return projected * np.sqrt(projected.shape[1]) / np.maximum(length, 1e-12)

    def scores(self, vectors: np.ndarray, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return PLDA's log-likelihood ratios, or the cosines, (n, k).

        Args:
            vectors: (n, d) projected i-vectors.
            means: (k, d) mean projected i-vector of each class.
            counts: (k,) number of clips behind each mean.
        """
        if self.plda:
            return self.plda.scores(vectors, means, counts)
        vectors, means = (
            points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
            for points in (vectors, means)
        )
        return vectors @ means.T


def _verification(
    backend: _Backend, vectors: np.ndarray, task: Task, enrolled: int
) -> tuple[dict[str, float], int]:
    """Return the verification measures and the number of enrolled speakers.

    The measures are empty if there are no trials of the same speaker or none of different speakers.
    """
    enrolling = enrolment(task.test_labels, enrolled, task.seed)
    means, counts = class_means(vectors[enrolling], task.test_labels[enrolling], task.classes)
    known = counts > 0
    same = task.test_labels[~enrolling][:, None] == np.flatnonzero(known)
    if not same.any() or same.all():
        return {}, int(known.sum())
    scores = backend.scores(vectors[~enrolling], means[known], counts[known])
    rate, threshold = equal_error_rate(scores[same], scores[~same])
    return {"1-EER": 1 - rate, "threshold": threshold, "targets": int(same.sum())}, int(known.sum())


PEER = Peer(MFCC, recognise)
