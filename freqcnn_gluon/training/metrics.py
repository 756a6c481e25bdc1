"""Metrics of a classifier: confusion counts, recalls, unweighted average recall (UAR), accuracy."""

from __future__ import annotations

import numpy as np

__all__ = ["metrics"]


def metrics(labels: np.ndarray, predictions: np.ndarray, classes: int) -> dict:
    """Compare predictions with labels.

    Args:
        labels: True class numbers (n,).
        predictions: Predicted class numbers (n,).
        classes: Number of classes.

    Returns:
        ``accuracy``: share of correct predictions, 0 to 1.
        ``uar``: unweighted average recall, the mean of the recalls that are not None, 0 to 1.
        ``recall``: recall of each class, 0 to 1, or None for a class without examples.
        ``confusion``: counts, one row per true class, one column per predicted class.
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
