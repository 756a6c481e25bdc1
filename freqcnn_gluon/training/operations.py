"""Count the floating-point operations of a network."""

from __future__ import annotations

import json
import math

import mxnet as mx
from mxnet import gluon

__all__ = ["STEP", "operations"]

STEP = 3  # a training step computes outputs, gradients of the inputs and gradients of the weights


def operations(net: gluon.HybridBlock, size: int, channels: int = 1) -> int:
    """Count the floating-point operations of a prediction for one sample.

    A training step takes STEP times as many. Only convolutions and dense layers count. A multiplication and
    an addition are two operations.

    Args:
        net: Takes (batch, channels, size, size).
        size: Side of the spectrogram in pixels.
        channels: Number of input channels.
    """
    internals = net(mx.sym.Variable("data")).get_internals()
    _, shapes, _ = internals.infer_shape(data=(1, channels, size, size))
    shape, nodes = dict(zip(internals.list_outputs(), shapes)), json.loads(internals.tojson())["nodes"]
    # Each output value is a sum over all axes of the weight except the first, the output channel.
    return sum(
        2
        * math.prod(shape[f"{node['name']}_output"])
        * math.prod(shape[nodes[node["inputs"][1][0]]["name"]][1:])
        for node in nodes
        if node["op"] in ("Convolution", "FullyConnected")
    )
