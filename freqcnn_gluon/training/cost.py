"""What a network costs before it is trained: counted operations, and seconds measured on a few samples."""

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
"""Single-precision floating-point operations a second of GPUs that MXNet can use, by their data sheets."""
SHARE = 0.5  # of its peak that a GPU is taken to reach in training; assumed, not measured
STEP = 3  # a training step computes, besides the outputs, the gradients by inputs and by weights
SAMPLES = 4
TRIALS = 2


def operations(net: gluon.HybridBlock, size: int, channels: int = 1) -> int:
    """Floating-point operations of a prediction for one sample (channels, size, size); a training step takes
    STEP times as many.

    Those of convolutions and dense layers, a multiplication and an addition counted as two.
    """
    internals = net(mx.sym.Variable("data")).get_internals()
    _, shapes, _ = internals.infer_shape(data=(1, channels, size, size))
    shape, nodes = dict(zip(internals.list_outputs(), shapes)), json.loads(internals.tojson())["nodes"]
    # A weight's shape: output channels, then what one number of the output adds up.
    return sum(
        2
        * math.prod(shape[f"{node['name']}_output"])
        * math.prod(shape[nodes[node["inputs"][1][0]]["name"]][1:])
        for node in nodes
        if node["op"] in ("Convolution", "FullyConnected")
    )


def gpu_hours(operations: float, kind: str) -> float:
    """An estimate of what ``operations`` take on one GPU of the ``kind``: SHARE of its PEAK all the time."""
    return operations / (SHARE * PEAK[kind]) / 3600


@dataclass(frozen=True)
class Seconds:
    """``sample``: gradients of a sample; ``step``: the update after a batch; ``prediction``: of a sample."""

    sample: float
    step: float
    prediction: float


def seconds(
    net: gluon.HybridBlock, classes: int, size: int, device: mx.Context, dtype: str = "float32"
) -> Seconds:
    """Measured on noise, SAMPLES at a time: the best of TRIALS after a first that is not counted.

    Raises Faults where this process has computed in another ``dtype``.
    """
    runtime.seed(0)
    loop.compute_in(dtype, net)
    net.initialize(settings.INITIALIZERS["xavier"](), ctx=[device], force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)
    images = np.random.default_rng(0).random((SAMPLES, size, size), np.float32)
    examples = Examples(images, np.arange(SAMPLES), np.arange(SAMPLES) % classes)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"momentum": 0.9, "wd": 1e-8})
    found = []
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
        found.append(np.diff(times))
    gradients, step, prediction = np.min(found[1:], axis=0)
    return Seconds(gradients / SAMPLES, step, prediction / SAMPLES)
