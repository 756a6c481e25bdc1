"""What a classifier's predictions are worth: confusion counts, recalls, UAR, accuracy."""

from __future__ import annotations

import numpy as np

__all__ = ["metrics"]


def metrics(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict:
    """Metrics of ``predictions`` (n,) against ``labels`` (n,), both class numbers below ``classes``.

    ``confusion``: counts, a row a true class; ``recall``: of each class (None without examples);
    ``uar``: the mean of the recalls that exist (unweighted average recall); ``accuracy``. All in 0..1.
    """
    pairs = classes * np.asarray(labels, int) + np.asarray(predictions, int)
    confusion = np.bincount(pairs, minlength=classes**2).reshape(classes, classes)
    totals = confusion.sum(axis=1)
    present = totals > 0
    recalls = confusion.diagonal()[present] / totals[present]
    by_class = dict(zip(np.flatnonzero(present), recalls.tolist()))
    return {
        "accuracy": float(confusion.trace() / totals.sum()),
        "uar": float(recalls.mean()),
        "recall": [by_class.get(number) for number in range(classes)],
        "confusion": confusion.tolist(),
    }
