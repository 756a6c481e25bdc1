"""What a network is trained on or evaluated on: labelled spectrograms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Examples"]


@dataclass(frozen=True)
class Examples:
    """Labelled spectrograms: ``images`` (rows, size, size) memory-mapped, ``rows`` (n,) the rows to
    use in this order (a row may recur: over-sampling), ``labels`` (n,) their class numbers.
    """

    images: np.ndarray
    rows: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def batch(self, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(k, 1, size, size) float32 and (k,) float32 of the examples numbered ``which`` (k,)."""
        return self.images[self.rows[which]][:, None], self.labels[which].astype(np.float32)
