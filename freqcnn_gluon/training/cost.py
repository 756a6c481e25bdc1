"""Estimate the cost of a training beforehand: count operations, and measure seconds on a few samples."""

from __future__ import annotations

import time
from dataclasses import dataclass

import mxnet as mx
import numpy as np
from mxnet import gluon

from freqcnn_gluon import runtime
from freqcnn_gluon.training import loop, settings
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.operations import STEP, operations

__all__ = ["PEAK", "SHARE", "STEP", "Seconds", "gpu_hours", "operations", "seconds"]

PEAK = {"T4": 8.1e12, "V100": 14e12, "A100": 19.5e12}
"""Single-precision operations per second of GPUs that MXNet can use, from their data sheets."""
# Share of its peak that a GPU reaches in training; assumed, not measured. Half is usual for convolutions.
# BatchNorm, activations and sums, which are not fused (``runtime.GPU_DEFAULTS``), add 9 to 20 %, by
# the bytes that they move. Deterministic algorithms may not be the fastest.
SHARE = 0.4
SAMPLES = 4
TRIALS = 2


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
    loop.compute_in(dtype, net, device.device_type)
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
