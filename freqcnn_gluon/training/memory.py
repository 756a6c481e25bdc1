"""Every Gluon system of the tables by its name, and how much of a batch fits into memory."""

from __future__ import annotations

import math

import mxnet as mx
from mxnet.gluon import HybridBlock

__all__ = ["MEMORY", "micro_batch", "needed_bytes", "training_bytes"]

MEMORY = 16e9  # bytes that a training may take; micro-batches are cut to fit, the same on every machine
KEPT = 1.3  # measured on Table 2: 1.1 at 64 x 64, 1.24 at 256 x 256


def training_bytes(net: HybridBlock, size: int) -> tuple[int, int]:
    """(fixed, per sample) bytes that a training step takes, estimated from the network's graph.

    Fixed: weights, gradients, momentum. Per sample: each operator's output, float32, and KEPT for what
    MXNet's memory planner cannot share between their gradients.
    """
    graph = net(mx.sym.Variable("data")).get_internals()
    weights, outputs, states = graph.infer_shape(data=(1, 1, size, size))
    parameters = sum(math.prod(shape) for shape in (*weights, *states))
    inputs = set(graph.list_inputs())
    # Mixed precision's conversions are in every graph from a process's first such training on, which was cut
    # without them.
    activations = sum(
        math.prod(shape)
        for name, shape in zip(graph.list_outputs(), outputs)
        if name not in inputs and "_amp_" not in name
    )
    return 3 * 4 * parameters, int(KEPT * 4 * activations)


def micro_batch(net: HybridBlock, size: int, share: int, memory: float = MEMORY) -> int:
    """How many of ``share`` samples are to train at a time, in ``memory`` bytes; at least one.

    The largest divisor that fits, so that BatchNorm's statistics are all of as many samples. Where half as
    many as fit or fewer are left by that (one of 37), the largest of nearly equal parts, as few as can be:
    statistics of few samples are worse than some of one sample less. The divisors of the paper's batches,
    48 and 128, never leave so few.
    """
    fixed, each = training_bytes(net, size)
    fits = max(1, min(share, int((memory - fixed) // each)))
    divisor = next(part for part in range(fits, 0, -1) if share % part == 0)
    return divisor if 2 * divisor > fits else -(-share // -(-share // fits))


def needed_bytes(net: HybridBlock, size: int, share: int) -> int:
    """Bytes that a training takes on a device whose share of a batch is ``share`` samples."""
    fixed, each = training_bytes(net, size)
    return fixed + each * micro_batch(net, size, share)
