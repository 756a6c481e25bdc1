"""A Gaussian mixture for each class on MFCCs, initialised by vector quantisation ([17] of the paper)."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from data_prep.base.progress import Bar
from reproduce.peers.mfcc import PLAIN_MFCC
from reproduce.peers.peer import Answer, Peer, Task

__all__ = ["PEER"]

ITERATIONS = 20  # of EM


def recognise(task: Task, gmm_components: int = 32) -> Answer:
    """Choose the class whose mixture gives a clip's frames the highest mean log-likelihood.

    k-means quantises the frames of a class to ``gmm_components`` vectors. EM starts from them.
    """
    values, mixture_sizes = task.features.values, []
    scores = np.full((len(task.test), task.classes), -np.inf)
    rows, counts = task.features.of(task.test)
    starts = counts.cumsum() - counts
    test_frames = np.asarray(values[rows], np.float64)
    for number in Bar(range(task.classes), task.title, unit="class"):
        rows, _ = task.features.of(task.train[task.train_labels == number])
        if not len(rows):
            continue  # A class without training clips keeps the score -inf and is never predicted.
        mixture = GaussianMixture(
            min(gmm_components, len(rows)),
            covariance_type="diag",
            max_iter=ITERATIONS,
            random_state=task.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # EM stops after ITERATIONS on purpose.
            mixture.fit(np.asarray(values[rows], np.float64))
        mixture_sizes.append(mixture.n_components)
        scores[:, number] = np.add.reduceat(mixture.score_samples(test_frames), starts) / counts
    return Answer(scores, {"rate": task.features.rate, "components": max(mixture_sizes)})


PEER = Peer(PLAIN_MFCC, recognise)
