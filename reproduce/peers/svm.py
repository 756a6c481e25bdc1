"""Statistics of prosody and MFCCs over a clip, and a support vector machine ([6] of the paper)."""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from data_prep.base.progress import Bar
from reproduce.peers.contours import contours, functionals
from reproduce.peers.features import Kind
from reproduce.peers.peer import Answer, Peer, Task, decisions

__all__ = ["PEER"]


def _statistics(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return the statistics (1, 384) of a clip."""
    return functionals(contours(samples, rate))[None]


def recognise(task: Task, svm_kernel: str = "linear", svm_c: float = 0.01) -> Answer:
    """Choose the class that wins most pairwise decisions of an SVM on standardised statistics."""
    values = np.asarray(task.features.values)
    with Bar(total=1, desc=task.title, unit="SVM") as bar:
        machine = make_pipeline(StandardScaler(), SVC(C=svm_c, kernel=svm_kernel, class_weight="balanced"))
        machine.fit(values[task.train], task.train_labels)
        scores = decisions(machine, values[task.test], task.classes)
        bar.update()
    return Answer(scores, {"rate": task.features.rate, "features": values.shape[1], "kernel": svm_kernel})


PEER = Peer(Kind("functionals", _statistics), recognise)
