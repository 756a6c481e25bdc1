"""MFCCs by bidirectional PCA and LDA, prosody by LDA, radial basis function networks ([5] of the paper)."""

from __future__ import annotations

from collections.abc import Iterator

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

COEFFICIENTS, FRAMES = 12, 64  # A clip's MFCCs are stretched to 64 frames.
PROSODY = 4  # prosodic contours; the MFCCs follow them
KEPT = 0.95  # share of the variance of rows and of columns


def _features(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the inputs of both paths (1, 12 x 64 + 96): MFCC matrix by row, statistics of the prosody."""
    values = contours(samples, rate)
    stretch = (1, FRAMES / len(values))
    cepstra = zoom(values[:, PROSODY:].T, stretch, order=1, grid_mode=True, mode="nearest")
    return np.concatenate([cepstra.ravel(), functionals(values[:, :PROSODY])])[None]


def bidirectional_pca(matrices: np.ndarray, kept: float = KEPT) -> tuple[np.ndarray, np.ndarray]:
    """Compute bases for the projection R' X C of matrices X.

    Args:
        matrices: (n, rows, columns).
        kept: Share of the variance that the bases hold.

    Returns:
        R (rows, r) and C (columns, c), the first principal axes of all columns and of all rows.
    """
    centred = matrices - matrices.mean(axis=0)
    rows = np.tensordot(centred, centred, ([0, 2], [0, 2]))
    columns = np.tensordot(centred, centred, ([0, 1], [0, 1]))
    return _principal(rows, kept), _principal(columns, kept)


def _principal(covariance: np.ndarray, kept: float) -> np.ndarray:
    """Return the first eigenvectors that hold a share of the variance."""
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
        # The width is the mean distance between two centres.
        self.width = max(apart.sum() / max(1, apart.size - len(apart)), 1e-6)
        self.outputs.fit(self._units(inputs), targets)
        return self

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Return the outputs (n, outputs) for ``inputs`` (n, d)."""
        return self.outputs.predict(self._units(inputs)).reshape(len(inputs), -1)

    def _units(self, inputs: np.ndarray) -> np.ndarray:
        return np.exp(-(self.centres.transform(inputs) ** 2) / (2 * self.width**2))


def recognise(task: Task, rbf_units: int = 40) -> Answer:
    """Choose the class with the highest sum of outputs of the MFCC path and the prosody path.

    Each path has a sub-path for every two classes: LDA that separates these two classes and the rest, then
    a network with one output for each of the two classes.
    """
    values = np.asarray(task.features.values, np.float64)
    split = COEFFICIENTS * FRAMES
    matrices = values[:, :split].reshape(-1, COEFFICIENTS, FRAMES)
    rows, columns = bidirectional_pca(matrices[task.train])
    paths = [(rows.T @ matrices @ columns).reshape(len(values), -1), values[:, split:]]
    known = np.unique(task.train_labels)
    pairs = [known[start : start + 2] for start in range(0, len(known), 2)]
    units = min(rbf_units, len(task.train))
    scores = np.full((len(task.test), task.classes), -np.inf)
    scores[:, known] = 0  # A class without training clips keeps the score -inf and is never predicted.
    with Bar(total=len(paths) * len(pairs), desc=task.title, unit="network") as bar:
        for path in paths:
            for pair, outputs in _sub_paths(task, path, pairs, units):
                scores[:, pair] += outputs
                bar.update()
    sizes = {"rate": task.features.rate, "mfcc_rows": rows.shape[1], "mfcc_columns": columns.shape[1]}
    return Answer(scores, sizes | {"units": units})


def _sub_paths(
    task: Task, path: np.ndarray, pairs: list[np.ndarray], units: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield each pair of classes with its network's outputs (test clips, classes of the pair)."""
    path = StandardScaler().fit(path[task.train]).transform(path)
    for pair in pairs:
        kind = np.where(np.isin(task.train_labels, pair), task.train_labels, -1)
        discriminants = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
        inputs = discriminants.fit(path[task.train], kind).transform(path)
        targets = (task.train_labels[:, None] == pair).astype(float)
        network = RadialBasis(units, task.seed).fit(inputs[task.train], targets)
        yield pair, network.predict(inputs[task.test])


PEER = Peer(Kind("mfcc-matrix-prosody", _features), recognise)
