"""The standardisation of spectrograms by the mean and the deviation of a training's own clips."""

from __future__ import annotations

import mxnet as mx
import numpy as np
from mxnet import gluon

from freqcnn_gluon.network.inputs import Inputs
from freqcnn_gluon.training.examples import Examples

__all__ = ["NORMALISATIONS", "normalise"]

NORMALISATIONS = ("none", "overall", "frequency")
CHUNK = 256  # spectrograms to read at a time


def normalise(net: gluon.HybridBlock, kind: str, training: Examples) -> None:
    """Standardise the spectrograms that ``net`` takes, by statistics of the training clips alone.

    A clip that is over-sampled counts as often as a training takes it.

    Args:
        net: A network that begins with ``Inputs``, initialised.
        kind: 'none'; 'overall': one mean and one deviation of each channel; 'frequency': a mean and a
            deviation of each row of each channel.
        training: The training clips.
    """
    if kind == "none":
        return
    layers: list[gluon.Block] = []
    net.apply(layers.append)
    (inputs,) = (layer for layer in layers if isinstance(layer, Inputs))
    mean, square = _moments(inputs, training)
    if kind == "overall":
        mean, square = (np.broadcast_to(m.mean(axis=1, keepdims=True), m.shape) for m in (mean, square))
    inputs.standardise(mean, np.sqrt(np.maximum(square - mean**2, 0)))


def _moments(inputs: Inputs, training: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return the means of the rendered values and of their squares, each (channels, freq) float64."""
    # In the order of the clips, because the order of the rows may differ between two builds of a store.
    sums: list = [0.0, 0.0]
    for start in range(0, len(training), CHUNK):
        images = mx.nd.array(training.images[training.rows[start : start + CHUNK]][:, None])
        pixels = inputs.render(mx.nd, images).asnumpy().astype(np.float64)
        for power in (1, 2):
            sums[power - 1] += (pixels**power).mean(axis=3).sum(axis=0)
    mean, square = (total / len(training) for total in sums)
    return mean, square
