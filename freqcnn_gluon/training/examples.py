"""Labelled spectrograms, to train on or to evaluate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Examples"]


@dataclass(frozen=True)
class Examples:
    """Labelled spectrograms.

    Attributes:
        images: All spectrograms (rows, size, size) float32, usually memory-mapped.
        rows: The row in ``images`` of each example (n,). A row may occur several times: over-sampling.
        labels: The class number of each example (n,).
    """

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 images (k, 1, size, size) and labels (k,) of the examples ``numbers`` (k,)."""
        return self.images[self.rows[numbers]][:, None], self.labels[numbers].astype(np.float32)
