"""Adapt a training to GPUs. File names in comments refer to MXNet 1.9.1's source."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Sequence

import mxnet as mx
from mxnet.gluon import HybridBlock

from data_prep.base.faults import Faults
from freqcnn_gluon.network.blocks import Activation
from freqcnn_gluon.training.operations import STEP, operations

__all__ = [
    "all_finite",
    "batches_between_places",
    "check_batchnorm",
    "enough_memory",
    "on_gpu",
    "use_plain_operators",
]

# Floating-point operations between two checkpoints within an epoch: 9 s on a V100 or 15 s on a T4, as
# ``cost.gpu_hours`` estimates. Each checkpoint costs a synchronisation and new seeds for dropout.
PLACE = 5e13
# Most arrays that MXNet's kernel takes. It does not check the number
# (src/operator/contrib/all_finite-inl.h).
ARRAYS = 200
# Texts in the errors of MXNet, cuDNN and cuBLAS when they cannot allocate memory. The last one: cuDNN skips
# algorithms that do not fit, and MXNet then reports that it found no convolution algorithm.
FULL = ("out of memory", "STATUS_ALLOC_FAILED", "convolution algorithm")


def on_gpu(devices: Sequence[mx.Context]) -> bool:
    """Return whether the ``devices`` of a training are GPUs."""
    return any(device.device_type == "gpu" for device in devices)


def batches_between_places(net: HybridBlock, size: int, batch_size: int) -> int:
    """Return the number of batches between two places of an epoch at which a training can resume.

    The number depends on counted operations and not on time, because dropout is seeded anew at each place
    and results must be reproducible.
    """
    return max(1, int(PLACE / (STEP * operations(net, size) * batch_size)))


def use_plain_operators(net: HybridBlock) -> None:
    """Make ``net`` use the operators ``sigmoid`` and ``tanh``, see ``blocks.Activation``."""
    net.apply(lambda layer: layer.use_plain_operator() if isinstance(layer, Activation) else None)


def check_batchnorm(net: HybridBlock, size: int, samples: int) -> None:
    """Check that each BatchNorm of ``net`` sees several values per channel.

    cuDNN multiplies the running variance of m values by m / (m - 1), which is infinite for one value.

    Args:
        net: Takes (batch, 1, size, size).
        size: Side of the spectrogram in pixels.
        samples: Number of samples in the smallest micro-batch.

    Raises:
        Faults: A BatchNorm sees one value per channel.
    """
    graph = net(mx.sym.Variable("data")).get_internals()
    _, shapes, _ = graph.infer_shape(data=(samples, 1, size, size))
    shape = dict(zip(graph.list_outputs(), shapes))
    for node in json.loads(graph.tojson())["nodes"]:
        if node["op"] == "BatchNorm":
            batch, _, *sides = shape[f"{node['name']}_output"]
            if batch * math.prod(sides) == 1:
                raise Faults(
                    f"the BatchNorm layer {node['name']} would see one value per channel, for which a GPU "
                    f"computes no variance: its input is 1 x 1, and a GPU has {samples} sample at a time. "
                    "Use a larger batch, fewer devices or larger spectrograms."
                )


def all_finite(arrays: Sequence[mx.nd.NDArray]) -> bool:
    """Return whether all values of float32 ``arrays``, which are on one device, are finite.

    The device computes this and returns one number for every 200 arrays, because copying all weights to the
    host would take as long as a training step of a small network.
    """
    parts = [arrays[start : start + ARRAYS] for start in range(0, len(arrays), ARRAYS)]
    finite = [mx.nd.multi_all_finite(*part, num_arrays=len(part)) for part in parts]
    return all(part.asscalar() == 1 for part in finite)


@contextlib.contextmanager
def enough_memory() -> Iterator[None]:
    """Convert the libraries' errors about full GPU memory to Faults with a remedy."""
    try:
        yield
    except mx.MXNetError as error:
        if not any(words in str(error) for words in FULL):
            raise
        raise Faults(
            "the training does not fit into the GPU's memory. Stop other programs that use the GPU, run "
            "fewer JOBS on it, share each batch among more GPUs (DEVICE=gpu:0,1 or --device gpu:0,1), or use "
            "smaller spectrograms (PROFILE=quick; `fit` has --size and --batch-size)."
        ) from None
