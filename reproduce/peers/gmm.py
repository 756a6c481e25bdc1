"""A Gaussian mixture a class on MFCCs, begun from its vector quantisation ([17] of the paper)."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from data_prep.base.progress import Bar
from reproduce.peers.mfcc import PLAIN_MFCC
from reproduce.peers.peer import Answer, Peer, Task

__all__ = ["PEER"]

ITERATIONS = 20


def recognise(task: Task, gmm_components: int = 32) -> Answer:
    """The class whose mixture gives a clip's frames the highest mean log-likelihood.

    k-means quantises a class's frames to ``gmm_components`` vectors, from which EM goes on.
    """
    values, mixtures = task.features.values, []
    scores = np.full((len(task.test), task.classes), -np.inf)
    frames, counts = task.features.of(task.test)
    starts = counts.cumsum() - counts
    tested = np.asarray(values[frames], np.float64)
    for number in Bar(range(task.classes), task.title, unit="class"):
        own, _ = task.features.of(task.train[task.train_labels == number])
        if not len(own):
            continue  # a class without training clips is never recognised
        mixture = GaussianMixture(
            min(gmm_components, len(own)), covariance_type="diag", max_iter=ITERATIONS, random_state=task.seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped after ITERATIONS on purpose
            mixture.fit(np.asarray(values[own], np.float64))
        mixtures.append(mixture.n_components)
        scores[:, number] = np.add.reduceat(mixture.score_samples(tested), starts) / counts
    return Answer(scores, {"rate": task.features.rate, "components": max(mixtures)})


PEER = Peer(PLAIN_MFCC, recognise)
