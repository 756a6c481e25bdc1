"""The candidates: ``worker.py`` creates each of these classes in its own process."""

from __future__ import annotations

import numpy as np


def batch_of(count: int, size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random images (count, 1, size, size) in 0..1 and labels (count,), the same in every process."""
    random = np.random.default_rng(0)
    images = random.random((count, 1, size, size), dtype=np.float32)
    return images, random.integers(classes, size=count).astype(np.float32)
