"""Compare each stage of a network with this machine's fastest convolution and matrix product."""

from __future__ import annotations

import statistics
import time

import freqcnn_gluon  # noqa: F401  must be imported before MXNet

# isort: split
import mxnet as mx
from mxnet import autograd
from mxnet.gluon import nn

from candidates.gluon import Network
from freqcnn_gluon.training.cost import STEP, operations

CONVOLUTIONS = [(64, 3, 128), (64, 5, 128), (64, 7, 128), (128, 5, 64), (256, 3, 32), (32, 7, 224)]
MATRIX = 2048


class Blocks(Network):
    """The stages of ``table``, each trained alone on the output of the stage before it."""

    def shares(self, rounds: int, shrink: int = 1) -> dict:
        """Return each stage's seconds for a training step, its operations, and its share of the peak.

        Operations are those of the stage's convolutions and dense layers, with twice as many backward as
        forward. ``shrink`` divides the sides of the convolutions and of the product that measure the peak.
        """
        x = mx.nd.array(self.examples.images[:, None])
        convolution = max(
            _convolution(channels, kernel, side // shrink, rounds) for channels, kernel, side in CONVOLUTIONS
        )
        stages = {}
        for number, block in enumerate(self.net.stages):
            name = f"{'conv. and pool' if number % 2 else 'block'} {number // 2 + 1}"
            stages[name], x = self._stage(block, x, rounds, first=number == 0)
        whole = sum(stage["seconds"] for stage in stages.values())
        for stage in stages.values():
            stage["share"] = stage["operations"] / stage["seconds"] / convolution
            stage["of_time"] = stage["seconds"] / whole
        counted = sum(stage["operations"] for stage in stages.values())
        return {
            "convolution_peak": convolution,
            "matrix_peak": _matrix(rounds, MATRIX // shrink),
            "stages": stages,
            "share": counted / whole / convolution,
            "versions": self.versions,
        }

    def _stage(self, stage, x, rounds: int, first: bool) -> tuple[dict, mx.nd.NDArray]:
        batch, channels, size, _ = x.shape
        counted = STEP * batch * operations(stage, size, channels)
        if not first:
            x.attach_grad()

        def once():
            with autograd.record():
                y = stage(x)
            y.backward()
            mx.nd.waitall()
            return y

        once()
        seconds = _median(once, rounds)
        return {"seconds": seconds, "operations": counted}, once().detach()


def _convolution(channels: int, kernel: int, side: int, rounds: int) -> float:
    """Return the operations per second of a forward convolution."""
    x = mx.nd.random.normal(shape=(4, channels, side, side))
    layer = nn.Conv2D(channels, kernel, padding=kernel // 2, in_channels=channels)
    layer.initialize()
    layer.hybridize(static_alloc=True, static_shape=True)
    layer(x).wait_to_read()
    return 2 * x.size * channels * kernel**2 / _median(lambda: layer(x).wait_to_read(), rounds)


def _matrix(rounds: int, side: int) -> float:
    a = mx.nd.random.normal(shape=(side, side))
    mx.nd.dot(a, a).wait_to_read()
    return 2 * side**3 / _median(lambda: mx.nd.dot(a, a).wait_to_read(), rounds)


def _median(once, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        once()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
