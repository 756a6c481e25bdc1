"""Estimate the memory that a training needs, and the micro-batches that fit into memory."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import mxnet as mx
from mxnet.gluon import HybridBlock

from data_prep.base.faults import Faults
from freqcnn_gluon.devices import Gpu, gpus, warn_once

__all__ = [
    "CONTEXT",
    "MEMORY",
    "SPARE",
    "check_memory",
    "gpu_bytes",
    "micro_batch",
    "needed_bytes",
    "training_bytes",
]

# GB that a training may take. The limit is the same on every machine, because results depend on the
# micro-batches. Only a GPU with less memory lowers it.
MEMORY = 16.0
# Bytes that a training step needs per byte of output. Measured on Table 2: 1.1 at 64 x 64, 1.24 at 256 x 256.
KEPT = 1.3
# The same on a GPU, where sigmoid and tanh keep only their output and no layout is padded. This was never
# measured on a GPU. On a CPU without oneDNN, where MXNet plans memory as on a GPU, Table 2 needs 0.80,
# Table 7 0.75 and ResNet-18 0.83.
KEPT_ON_GPU = 1.0
# Bytes of cuDNN's workspace, as MXNET_CUDNN_AUTOTUNE_DEFAULT=2 limits it.
WORKSPACE = 2**30
CONTEXT = 1e9  # upper bound of the bytes that CUDA and its libraries take for a process
SPARE = 1e9  # bytes of a GPU for other programs, such as its display, and for gaps between arrays


def training_bytes(net: HybridBlock, size: int) -> tuple[int, int]:
    """Estimate the memory of a training step from the network's graph.

    Args:
        net: Takes (batch, 1, size, size).
        size: Side of the spectrogram in pixels.

    Returns:
        The fixed bytes for weights, gradients and momentum; and the bytes per sample, which are KEPT times
        the float32 outputs of all operators, because in MXNet gradients can share only part of this memory.
    """
    graph = net(mx.sym.Variable("data")).get_internals()
    weights, outputs, states = graph.infer_shape(data=(1, 1, size, size))
    parameters = sum(math.prod(shape) for shape in (*weights, *states))
    inputs = set(graph.list_inputs())
    # After a training in mixed precision, every graph of the process contains conversions. They are left out,
    # so that later trainings get the same micro-batches as the first.
    activations = sum(
        math.prod(shape)
        for name, shape in zip(graph.list_outputs(), outputs)
        if name not in inputs and "_amp_" not in name
    )
    return 3 * 4 * parameters, int(KEPT * 4 * activations)


def gpu_bytes(net: HybridBlock, size: int) -> tuple[int, int]:
    """Estimate the memory of a training step on a GPU. Arguments and result as in ``training_bytes``.

    cuDNN's workspace is added. While cuDNN looks for the fastest algorithm of a convolution, MXNet keeps room
    for a second copy of its input, weight and output (src/operator/nn/cudnn/cudnn_convolution-inl.h,
    ``ReserveElements``), so the largest of these is added, too.
    """
    fixed, per_sample = training_bytes(net, size)
    graph = net(mx.sym.Variable("data")).get_internals()
    weights, outputs, _ = graph.infer_shape(data=(1, 1, size, size))
    values = {name: math.prod(shape) for name, shape in zip(graph.list_outputs(), outputs)}
    values |= {name: math.prod(shape) for name, shape in zip(graph.list_arguments(), weights)}
    nodes = json.loads(graph.tojson())["nodes"]

    def size_of(node: dict) -> int:
        return values[node["name"] if node["op"] == "null" else f"{node['name']}_output"]

    convolutions = [node for node in nodes if node["op"] == "Convolution"]
    inputs = [[nodes[number] for number, *_ in node["inputs"]] for node in convolutions]
    maps = max((size_of(node) + size_of(data) for node, (data, *_) in zip(convolutions, inputs)), default=0)
    weight = max((size_of(weight) for _, weight, *_ in inputs), default=0)
    return fixed + WORKSPACE + 4 * weight, int(per_sample * KEPT_ON_GPU / KEPT) + 4 * maps


def micro_batch(
    net: HybridBlock, size: int, share: int, memory: float = MEMORY, devices: Sequence[mx.Context] = ()
) -> int:
    """Return the number of samples to train at a time, at least 1.

    This is the largest divisor of ``share`` that fits into memory, so that BatchNorm always sees the same
    number of samples. But if twice that number would fit (the divisor of 37 may be 1), the share is divided
    into the fewest nearly equal parts, because statistics from few samples are worse than parts that differ
    by one sample. This never happens with the paper's batches of 48 and 128.

    On GPUs, ``memory`` is limited to 2 GB less than the smallest GPU has, and a note reports the choice.

    Args:
        net: Takes (batch, 1, size, size).
        size: Side of the spectrogram in pixels.
        share: Number of samples of a batch on one device.
        memory: GB that the training may take.
        devices: The contexts of the training. They may be left out for a CPU.
    """
    cards = _cards(devices)
    limit = _limit(memory, cards)
    chosen, needed = _fitting(net, size, share, limit, devices)
    if cards:
        card = min(cards, key=lambda gpu: gpu.memory)
        warn_once(
            f"note: {card} has {card.memory / 1e9:.1f} GB. Of {share} samples, {chosen} train at a time, in "
            f"an estimated {needed / 1e9:.1f} GB (limit: {limit / 1e9:.1f} GB)."
        )
    return chosen


def check_memory(net: HybridBlock, size: int, memory: float) -> None:
    """Raise Faults if a training of ``net`` with one sample at a time does not fit into ``memory`` GB."""
    fixed, per_sample = training_bytes(net, size)
    if (needed := (fixed + per_sample) / 1e9) > memory:
        raise Faults(
            f"at {size} x {size}, training one sample at a time takes about {needed:.2g} GB, and "
            f"memory={memory:g} allows less. Choose a larger memory or a smaller network."
        )


def needed_bytes(
    net: HybridBlock, size: int, share: int, memory: float = MEMORY, devices: Sequence[mx.Context] = ()
) -> int:
    """Return the bytes that a training takes on a device; the arguments are those of ``micro_batch``."""
    return _fitting(net, size, share, _limit(memory, _cards(devices)), devices)[1]


def _cards(devices: Sequence[mx.Context]) -> list[Gpu]:
    """Return the GPUs among the ``devices``."""
    numbers = [device.device_id for device in devices if device.device_type == "gpu"]
    return [gpu for gpu in gpus() if gpu.number in numbers]


def _limit(memory: float, cards: Sequence[Gpu]) -> float:
    """Return the bytes that a training may take: ``memory`` GB, or less if the smallest card has less."""
    return min([1e9 * memory, *(gpu.memory - CONTEXT - SPARE for gpu in cards)])


def _fitting(
    net: HybridBlock, size: int, share: int, limit: float, devices: Sequence[mx.Context]
) -> tuple[int, int]:
    """Return the samples to train at a time in ``limit`` bytes, see ``micro_batch``, and their bytes."""
    on_gpu = any(device.device_type == "gpu" for device in devices)
    fixed, per_sample = gpu_bytes(net, size) if on_gpu else training_bytes(net, size)
    fits = max(1, min(share, int((limit - fixed) // per_sample)))
    divisor = next(part for part in range(fits, 0, -1) if share % part == 0)
    chosen = divisor if 2 * divisor > fits else -(-share // -(-share // fits))
    return chosen, fixed + chosen * per_sample
