"""The order in which a training sees its samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["Batches", "too_short"]

ENOUGH = 100  # training steps after which BatchNorm's running statistics fit the trained network


class Batches:
    """The batches of one epoch, all of the same size, in an order that depends on seed and epoch alone.

    The samples that the previous epoch left over come first. Those that do not fill a batch are left over in
    turn, so every sample is used equally often.

    Args:
        samples: Number of training samples.
        batch_size: Number of samples in a batch.
        seed: The training's seed.
        epoch: Number of the epoch, from 0.
        left_over: Samples left over from the previous epoch.
        first: Number of batches of this epoch that are done already.

    Attributes:
        left_over: Samples left over for the next epoch.
    """

    def __init__(
        self, samples: int, batch_size: int, seed: int, epoch: int, left_over: Sequence[int], first: int = 0
    ):
        order = np.random.default_rng([seed, epoch]).permutation(samples)
        order = np.concatenate([np.array(left_over, int), order])
        count = len(order) // batch_size
        self._batches = order[: count * batch_size].reshape(count, batch_size)
        self._first = first
        self.left_over: list[int] = order[count * batch_size :].tolist()

    def __len__(self) -> int:
        """Return the number of batches in the whole epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield the batches that are not done, each the numbers of its samples (batch_size,)."""
        return iter(self._batches[self._first :])


def too_short(samples: int, batch_size: int, epochs: int) -> str | None:
    """Return a sentence if a training has too few steps for a network with BatchNorm, otherwise None.

    Args:
        samples: Number of training samples.
        batch_size: Number of samples in a batch. All samples are one batch if they are fewer.
        epochs: Number of epochs.
    """
    steps = samples * epochs // min(batch_size, samples)
    if steps >= ENOUGH:
        return None
    return (
        f"{steps} training steps are too few for BatchNorm's running statistics, which predictions use. "
        f"Train with --epochs {-(-ENOUGH * epochs // max(1, steps))} or more"
    )
