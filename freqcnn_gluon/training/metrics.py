"""Metrics of a classifier: confusion counts, recalls, unweighted average recall (UAR), accuracy."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

__all__ = ["Z", "metrics", "wilson"]

Z = float(norm.ppf(0.975))  # quantile of a two-sided interval of 95 %


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


def wilson(share: np.ndarray | float, total: np.ndarray | float) -> np.ndarray:
    """Return Wilson's 95 % limits of proportions.

    Args:
        share: The proportions (C,), or one, 0 to 1.
        total: The number of clips of each, which need not be whole.

    Returns:
        The lower and the upper limits (2, C), or (2,) of one.
    """
    root = Z * np.sqrt(share * (1 - share) / total + Z**2 / (4 * total**2))
    return (share + Z**2 / (2 * total) + np.stack([-root, root])) / (1 + Z**2 / total)
