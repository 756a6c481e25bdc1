"""Networks on segments of clips. A segment has its clip's label; a clip's score is its segments' mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from reproduce.peers.peer import Task

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

__all__ = ["clip_means", "split_into_segments", "train_on_segments"]


def split_into_segments(frames: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Cut ``frames`` (t, ...) into segments (n, length, ...) that start every ``hop`` frames.

    The last segment ends with the last frame, so it may overlap its predecessor by more than other segments
    do. If there are fewer frames than ``length``, the last frame is repeated.
    """
    if len(frames) < length:
        frames = np.concatenate([frames, np.repeat(frames[-1:], length - len(frames), axis=0)])
    starts = [*range(0, len(frames) - length, hop), len(frames) - length]
    return np.stack([frames[start : start + length] for start in starts])


def clip_means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean (n, d) of each clip's segments.

    Args:
        values: (sum of counts, d), the segments of all clips, clip by clip.
        counts: (n,) number of segments of each clip.
    """
    return np.add.reduceat(values, counts.cumsum() - counts) / counts[:, None]


def train_on_segments(
    net: HybridBlock, values: np.ndarray, task: Task, epochs: int, name: str, dtype: str
) -> np.ndarray:
    """Train a network on the training clips' segments and classify the test clips' segments.

    Args:
        net: Gluon block from a batch of segments to logits.
        values: (N, ...) inputs, the segments of all clips in the order of ``task.features``.
        task: The clips, their labels, the seed and the folder for the checkpoint.
        epochs: Number of epochs.
        name: Name of the network: its folder below ``task.folder``, and shown on the progress bar.
        dtype: Type that the network computes in.

    Returns:
        Probabilities (segments of the test clips, classes) after the last epoch.
    """
    import mxnet as mx

    from freqcnn_gluon.training.examples import Examples
    from freqcnn_gluon.training.loop import train
    from freqcnn_gluon.training.settings import Settings

    def examples(clips: np.ndarray, labels: np.ndarray) -> Examples:
        rows, counts = task.features.of(clips)
        return Examples(values, rows, np.repeat(labels, counts))

    outcome = train(
        net,
        Settings(epochs=epochs, batch_size=64, micro_batch=64, seed=task.seed, dtype=dtype),
        examples(task.train, task.train_labels),
        {"test": examples(task.test, task.test_labels)},
        task.classes,
        [mx.cpu()],
        task.folder / name,
        f"{task.title} {name}",
    )
    return outcome.probabilities["test"]
