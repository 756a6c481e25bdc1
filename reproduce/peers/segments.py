"""Networks on windows of clips: a clip's windows carry its label, its scores are their mean."""

from __future__ import annotations

import numpy as np

from reproduce.peers.peer import Task

__all__ = ["learn", "mean_of_clips", "windowed"]


def windowed(frames: np.ndarray, length: int, hop: int) -> np.ndarray:
    """Windows (n, length, ...) of ``frames`` (t, ...), each ``hop`` on; short ones end with their last frame
    repeated, and what is left over at the end is a window of its own, moved back.
    """
    if len(frames) < length:
        frames = np.concatenate([frames, np.repeat(frames[-1:], length - len(frames), axis=0)])
    starts = [*range(0, len(frames) - length, hop), len(frames) - length]
    return np.stack([frames[start : start + length] for start in starts])


def mean_of_clips(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """``values`` (sum of counts, d) of clips with ``counts`` (n,) windows each, as their means (n, d)."""
    return np.add.reduceat(values, counts.cumsum() - counts) / counts[:, None]


def learn(net, values: np.ndarray, task: Task, epochs: int, what: str, dtype: str) -> np.ndarray:
    """Train the Gluon block ``net`` in ``dtype`` on the ``values`` (N, ...) of the training clips' windows;
    the probabilities (windows of the test clips, classes) after the last epoch.
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
        task.folder / what,
        f"{task.title} {what}",
    )
    return outcome.probabilities["test"]
