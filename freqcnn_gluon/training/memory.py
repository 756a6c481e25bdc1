"""Estimate the memory that a training needs, and the micro-batches that fit into memory."""

from __future__ import annotations

import math

import mxnet as mx
from mxnet.gluon import HybridBlock

__all__ = ["MEMORY", "micro_batch", "needed_bytes", "training_bytes"]

# Bytes that a training may take. It is the same on every machine, because results depend on micro-batches.
MEMORY = 16e9
# Bytes that a training step needs per byte of output. Measured on Table 2: 1.1 at 64 x 64, 1.24 at 256 x 256.
KEPT = 1.3


def training_bytes(net: HybridBlock, size: int) -> tuple[int, int]:
    """Estimate the memory of a training step from the network's graph.

    Args:
        net: Takes (batch, 1, size, size).
        size: Side of the spectrogram in pixels.

    Returns:
        Fixed bytes for weights, gradients and momentum; and bytes per sample for each operator's float32
        output times KEPT, because MXNet's memory planner lets gradients share only part of the memory.
    """
    graph = net(mx.sym.Variable("data")).get_internals()
    weights, outputs, states = graph.infer_shape(data=(1, 1, size, size))
    parameters = sum(math.prod(shape) for shape in (*weights, *states))
    inputs = set(graph.list_inputs())
    # After a first training in mixed precision, every graph of the process has conversions. They do not
    # count, so that later trainings get the same micro-batches as the first.
    activations = sum(
        math.prod(shape)
        for name, shape in zip(graph.list_outputs(), outputs)
        if name not in inputs and "_amp_" not in name
    )
    return 3 * 4 * parameters, int(KEPT * 4 * activations)


def micro_batch(net: HybridBlock, size: int, share: int, memory: float = MEMORY) -> int:
    """Return the number of samples to train at a time, at least 1.

    It is the largest divisor of ``share`` that fits, so that BatchNorm always sees the same number of
    samples. If that is at most half of what fits (1 for a share of 37), the share is divided into the fewest
    nearly equal parts instead: statistics from few samples are worse than parts that differ by one sample.
    This never happens with the paper's batches of 48 and 128.

    Args:
        net: Takes (batch, 1, size, size).
        size: Side of the spectrogram in pixels.
        share: Number of samples of a batch on one device.
        memory: Bytes that the training may take.
    """
    fixed, per_sample = training_bytes(net, size)
    fits = max(1, min(share, int((memory - fixed) // per_sample)))
    divisor = next(part for part in range(fits, 0, -1) if share % part == 0)
    return divisor if 2 * divisor > fits else -(-share // -(-share // fits))


def needed_bytes(net: HybridBlock, size: int, share: int) -> int:
    """Return the bytes that a training takes on a device whose share of a batch is ``share`` samples."""
    fixed, per_sample = training_bytes(net, size)
    return fixed + per_sample * micro_batch(net, size, share)
