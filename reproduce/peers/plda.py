"""Probabilistic linear discriminant analysis with two covariances (Ioffe 2006; Kaldi's plda)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

__all__ = ["Plda", "class_means"]

SMALLEST = 1e-6  # floor of both variances, as a share of the mean variance within classes


def class_means(vectors: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each class's mean (classes, d) and number (classes,) of ``vectors`` (n, d)."""
    member = np.eye(classes)[labels]  # (n, classes)
    counts = member.sum(axis=0)
    return member.T @ vectors / np.maximum(counts, 1)[:, None], counts


@dataclass(frozen=True)
class Plda:
    """The model x = mean + y + e, with y ~ N(0, B) for each class and e ~ N(0, W) for each vector.

    u = (x - ``mean``) ``basis`` is in a space where W = I and B is diagonal.

    Attributes:
        mean: (d,) mean of the class means.
        basis: (d, d) projection.
        spread: (d,) diagonal of B after the projection.
    """

    mean: np.ndarray
    basis: np.ndarray
    spread: np.ndarray

    @classmethod
    def fit(cls, vectors: np.ndarray, labels: np.ndarray, iterations: int = 10) -> Plda:
        """Estimate the model by EM from ``vectors`` (n, d) of the classes ``labels`` (n,)."""
        means, counts = class_means(vectors, labels, labels.max() + 1)
        means, counts = means[counts > 0], counts[counts > 0]
        centre = means.mean(axis=0)
        means = means - centre
        total = (vectors - centre).T @ (vectors - centre)
        scatter = total - (means * counts[:, None]).T @ means  # within the classes
        size = vectors.shape[1]
        between = within = np.eye(size)
        for _ in range(iterations):
            precision = np.linalg.inv(between) + counts[:, None, None] * np.linalg.inv(within)
            covariance = np.linalg.inv(precision)  # (classes, d, d), of each class's y
            weighted = counts[:, None] * (means @ np.linalg.inv(within))
            y = np.einsum("cde,ce->cd", covariance, weighted)
            between = (covariance.sum(axis=0) + y.T @ y) / len(counts)
            rest = means - y
            within = scatter + (counts[:, None] * rest).T @ rest
            within = (within + np.tensordot(counts, covariance, 1)) / counts.sum()
            between, within = (0.5 * (matrix + matrix.T) for matrix in (between, within))
            within += SMALLEST * np.trace(within) / size * np.eye(size)
            between += SMALLEST * np.trace(within) / size * np.eye(size)
        spread, basis = eigh(between, within)
        return cls(centre, basis, spread)

    def scores(self, vectors: np.ndarray, means: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Return log-likelihood ratios (n, k): same class against different classes.

        Args:
            vectors: (n, d) vectors to score.
            means: (k, d) mean of each class's enrolled vectors.
            counts: (k,) number of enrolled vectors.
        """
        u, m = ((points - self.mean) @ self.basis for points in (vectors, means))
        evidence = counts[:, None] * self.spread  # (k, d)
        expected = evidence / (evidence + 1) * m
        variance = 1 + self.spread / (evidence + 1)
        same = (
            (u**2) @ (1 / variance).T
            - 2 * u @ (expected / variance).T
            + (expected**2 / variance + np.log(variance)).sum(axis=1)
        )
        different = (u**2 / (1 + self.spread) + np.log1p(self.spread)).sum(axis=1)
        return 0.5 * (different[:, None] - same)
