"""What is measured: each class one candidate, made in a process of its own by ``worker.py``."""

from __future__ import annotations

import numpy as np


def batch_of(count: int, size: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Random images (count, 1, size, size) in 0..1 and labels (count,), the same for every candidate."""
    random = np.random.default_rng(0)
    images = random.random((count, 1, size, size), dtype=np.float32)
    return images, random.integers(classes, size=count).astype(np.float32)
