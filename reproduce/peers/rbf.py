"""MFCCs by bidirectional PCA and LDA, prosody by LDA, radial basis function networks ([5] of the paper)."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import zoom
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances
from sklearn.preprocessing import StandardScaler

from data_prep.base.progress import Bar
from reproduce.peers.contours import contours, functionals
from reproduce.peers.features import Kind
from reproduce.peers.peer import Answer, Peer, Task

__all__ = ["PEER", "RadialBasis", "bidirectional_pca"]

COEFFICIENTS, FRAMES, PROSODY = 12, 64, 4  # a clip's MFCCs are stretched to 64 frames; 4 prosodic contours
KEPT = 0.95  # of the variance, of rows and of columns


def _two_paths(samples: np.ndarray, rate: int) -> np.ndarray:
    """(1, 12 x 64 + 96): the MFCC matrix, row by row, and the statistics of the prosodic contours."""
    found = contours(samples, rate)
    cepstra = zoom(found[:, PROSODY:].T, (1, FRAMES / len(found)), order=1, grid_mode=True, mode="nearest")
    return np.concatenate([cepstra.ravel(), functionals(found[:, :PROSODY])])[None]


def bidirectional_pca(matrices: np.ndarray, kept: float = KEPT) -> tuple[np.ndarray, np.ndarray]:
    """Bases (rows, r) and (columns, c) of ``matrices`` (n, rows, columns), whose projection is R' X C: the
    first principal axes of all columns and of all rows that hold ``kept`` of the variance.
    """
    centred = matrices - matrices.mean(axis=0)
    return tuple(_principal(np.tensordot(centred, centred, (axes, axes)), kept) for axes in ([0, 2], [0, 1]))


def _principal(covariance: np.ndarray, kept: float) -> np.ndarray:
    variance, axes = np.linalg.eigh(covariance)
    share = variance[::-1].cumsum() / variance.sum()
    return axes[:, ::-1][:, : int(np.searchsorted(share, kept)) + 1]


class RadialBasis:
    """A network of Gaussian units: centres by k-means, one width, linear outputs by least squares."""

    def __init__(self, units: int, seed: int):
        self.centres = KMeans(units, n_init=1, random_state=seed)
        self.outputs = Ridge(alpha=1e-3)

    def fit(self, inputs: np.ndarray, targets: np.ndarray) -> RadialBasis:
        """Learn ``targets`` (n, outputs) from ``inputs`` (n, d)."""
        self.centres.fit(inputs)
        apart = pairwise_distances(self.centres.cluster_centers_)
        self.width = max(apart.sum() / max(1, apart.size - len(apart)), 1e-6)  # the mean distance of two
        self.outputs.fit(self._units(inputs), targets)
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """The outputs for ``inputs`` (n, d)."""
        return self.outputs.predict(self._units(inputs)).reshape(len(inputs), -1)

    def _units(self, inputs: np.ndarray) -> np.ndarray:
        return np.exp(-(self.centres.transform(inputs) ** 2) / (2 * self.width**2))


def recognise(task: Task, rbf_units: int = 40) -> Answer:
    """The class whose outputs, of the MFCC and of the prosodic path, have the highest sum.

    Each path has a sub-path for every two classes: LDA that tells them and the rest apart, then a network
    with an output for each of the two.
    """
    values = np.asarray(task.features.values, np.float64)
    split = COEFFICIENTS * FRAMES
    matrices = values[:, :split].reshape(-1, COEFFICIENTS, FRAMES)
    rows, columns = bidirectional_pca(matrices[task.train])
    paths = [(rows.T @ matrices @ columns).reshape(len(values), -1), values[:, split:]]
    known = np.unique(task.train_labels)  # a class without training clips is never recognised
    pairs = [known[start : start + 2] for start in range(0, len(known), 2)]
    units = min(rbf_units, len(task.train))
    scores = np.full((len(task.test), task.classes), -np.inf)
    scores[:, known] = 0
    with Bar(total=len(paths) * len(pairs), desc=task.title, unit="network") as bar:
        for path in paths:
            path = StandardScaler().fit(path[task.train]).transform(path)
            for pair in pairs:
                kind = np.where(np.isin(task.train_labels, pair), task.train_labels, -1)
                discriminants = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
                inputs = discriminants.fit(path[task.train], kind).transform(path)
                targets = (task.train_labels[:, None] == pair).astype(float)
                network = RadialBasis(units, task.seed)
                scores[:, pair] += network.fit(inputs[task.train], targets).predict(inputs[task.test])
                bar.update()
    sizes = {"rate": task.features.rate, "mfcc_rows": rows.shape[1], "mfcc_columns": columns.shape[1]}
    return Answer(scores, sizes | {"units": units})


PEER = Peer(Kind("mfcc-matrix-prosody", _two_paths), recognise)
