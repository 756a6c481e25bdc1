"""Estimate the cost of a training beforehand: count operations, and measure seconds on a few samples."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass

import mxnet as mx
import numpy as np
from mxnet import gluon

from freqcnn_gluon import runtime
from freqcnn_gluon.training import loop, settings
from freqcnn_gluon.training.examples import Examples

__all__ = ["PEAK", "SHARE", "STEP", "Seconds", "gpu_hours", "operations", "seconds"]

PEAK = {"T4": 8.1e12, "V100": 14e12, "A100": 19.5e12}
"""Single-precision operations per second of GPUs that MXNet can use, from their data sheets."""
SHARE = 0.5  # share of its peak that a GPU reaches in training; assumed, not measured
STEP = 3  # a training step computes outputs, gradients by inputs and gradients by weights
SAMPLES = 4
TRIALS = 2


def operations(net: gluon.HybridBlock, size: int, channels: int = 1) -> int:
    """Count the floating-point operations of a prediction for one sample; training takes STEP times as many.

    Only convolutions and dense layers count; a multiplication and an addition are two operations.

    Args:
        net: Takes (batch, channels, size, size).
        size: Side of the spectrogram in pixels.
        channels: Number of input channels.
    """
    internals = net(mx.sym.Variable("data")).get_internals()
    _, shapes, _ = internals.infer_shape(data=(1, channels, size, size))
    shape, nodes = dict(zip(internals.list_outputs(), shapes)), json.loads(internals.tojson())["nodes"]
    # Each value of the output is a sum over all axes of the weight but the first, which is the output's
    # channel.
    return sum(
        2
        * math.prod(shape[f"{node['name']}_output"])
        * math.prod(shape[nodes[node["inputs"][1][0]]["name"]][1:])
        for node in nodes
        if node["op"] in ("Convolution", "FullyConnected")
    )


def gpu_hours(operations: float, kind: str) -> float:
    """Return the hours that ``operations`` take on a GPU of ``kind``, a key of PEAK, at SHARE of its peak."""
    return operations / (SHARE * PEAK[kind]) / 3600


@dataclass(frozen=True)
class Seconds:
    """Measured times in s.

    Attributes:
        sample: Forward and backward pass of one sample.
        step: Update of the weights after a batch.
        prediction: Prediction for one sample.
    """

    sample: float
    step: float
    prediction: float


def seconds(
    net: gluon.HybridBlock, classes: int, size: int, device: mx.Context, dtype: str = "float32"
) -> Seconds:
    """Measure training and prediction on noise, with SAMPLES samples at a time.

    The first trial is a warm-up. Each time is the shortest of the following TRIALS.

    Args:
        net: Takes (batch, 1, size, size) and returns logits (batch, classes). Its weights are initialised.
        classes: Number of classes.
        size: Side of the spectrogram in pixels.
        device: The context to compute on.
        dtype: One of ``runtime.DTYPES``.

    Raises:
        Faults: If this process has computed in another dtype.
    """
    runtime.seed(0)
    loop.compute_in(dtype, net)
    net.initialize(settings.INITIALIZERS["xavier"](), ctx=[device], force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)
    images = np.random.default_rng(0).random((SAMPLES, size, size), np.float32)
    examples = Examples(images, np.arange(SAMPLES), np.arange(SAMPLES) % classes)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9, "wd": 1e-8})
    trials = []
    for _ in range(1 + TRIALS):
        times = [time.perf_counter()]
        for part in (
            lambda: loop._gradients(net, examples, [np.arange(SAMPLES)], [device]),
            lambda: trainer.step(SAMPLES),
            lambda: loop.predict(net, examples, [device], SAMPLES),
        ):
            part()
            mx.nd.waitall()
            times.append(time.perf_counter())
        trials.append(np.diff(times))
    gradients, step, prediction = np.min(trials[1:], axis=0)
    return Seconds(gradients / SAMPLES, step, prediction / SAMPLES)
