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
        windows: The number of examples that are windows of each clip (clips,), clip after clip. None if every
            example is a clip.
        weights: The weight of each example in a training's loss (n,) float32, None for 1.
    """

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray
    windows: np.ndarray | None = None
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return float32 images (k, 1, size, size) and labels (k,) of the examples ``numbers`` (k,)."""
        return self.images[self.rows[numbers]][:, None], self.labels[numbers].astype(np.float32)

    def clip_labels(self) -> np.ndarray:
        """Return the class number of each clip (clips,)."""
        return self.labels if self.windows is None else self.labels[self._first()]

    def clip_probabilities(self, probabilities: np.ndarray) -> np.ndarray:
        """Average probabilities (n, classes) over each clip's windows. Returns (clips, classes)."""
        if self.windows is None:
            return probabilities
        sums = np.add.reduceat(probabilities, self._first())
        return sums / self.windows[:, None].astype(probabilities.dtype)

    def _first(self) -> np.ndarray:
        """Return the number of each clip's first example (clips,)."""
        assert self.windows is not None
        return self.windows.cumsum() - self.windows
