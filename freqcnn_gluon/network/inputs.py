"""The first layer of every network: the colours of the spectrogram and its standardisation."""

from __future__ import annotations

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock

from data_prep.base.faults import Faults

__all__ = ["RENDERINGS", "Inputs"]

RENDERINGS = {"grey": 1, "jet": 3}  # channels
# MATLAB's colour map jet: red, green and blue are min(4 x + a, b - 4 x), limited to 0..1.
JET = ((-1.5, 4.5), (-0.5, 3.5), (0.5, 2.5))

# Deviation of a row without variation: more than float32 rounds, less than any sound varies. Such a row would
# otherwise amplify rounding errors, and whatever another clip has in it.
LEAST = 1e-6


class Inputs(HybridBlock):
    """Render the spectrogram, subtract a mean and multiply by a scale.

    (batch, 1, freq, time) -> (batch, channels, freq, time)

    Mean and scale have one value for each row of the spectrogram. They start as 0 and 1. A training sets them
    once, before its first step, see ``training.normalisation``; they are saved and exported with the weights.

    Args:
        size: Side of the spectrogram in pixels.
        rendering: 'grey' passes the spectrogram on. 'jet' gives it the colours of a MATLAB figure, as three
            channels.

    Raises:
        Faults: For an unknown ``rendering``.
    """

    def __init__(self, size: int, rendering: str = "grey", **kwargs):
        if rendering not in RENDERINGS:
            raise Faults(f"there is no rendering '{rendering}': choose one of {', '.join(RENDERINGS)}")
        super().__init__(**kwargs)
        self._jet = rendering == "jet"
        self.channels = RENDERINGS[rendering]
        shape = (1, self.channels, size, 1)
        with self.name_scope():
            self.mean, self.scale = (
                self.params.get(name, shape=shape, init=start, differentiable=False)
                for name, start in (("mean", mx.init.Zero()), ("scale", mx.init.One()))
            )

    def standardise(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Standardise with a mean and a deviation (channels, freq); a deviation below LEAST counts as 1."""
        self.mean.set_data(mx.nd.array(mean[None, :, :, None]))
        self.scale.set_data(mx.nd.array(1 / np.where(deviation > LEAST, deviation, 1)[None, :, :, None]))

    def render(self, F, x):
        """Return the spectrogram (batch, 1, freq, time) in its colours, (batch, channels, freq, time)."""
        if not self._jet:
            return x
        colours = [F.clip(F.minimum(4 * x + up, down - 4 * x), 0, 1) for up, down in JET]
        return F.concat(*colours, dim=1)

    def hybrid_forward(self, F, x, mean, scale):
        return F.broadcast_mul(F.broadcast_sub(self.render(F, x), mean), scale)
