"""Zero the gradients of kernel taps that meet nothing but zero padding.

oneDNN 2.4.4, which is part of MXNet 1.9.1, leaves some of these gradients unwritten in bfloat16. They then
hold what was in memory before: arbitrary numbers, infinities and NaN. In float32 they are zeros. Setting them
to zero after the backward pass leaves the graph as it is, so all other results stay the same, bit for bit.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping

import mxnet as mx
from mxnet import gluon

__all__ = ["inner_taps", "zero_outer_gradients"]

Taps = tuple[slice, ...]  # an index of a weight (out_channels, in_channels, rows, columns)


def inner_taps(net: gluon.HybridBlock, shape: tuple[int, ...]) -> dict[str, Taps]:
    """Find kernels in ``net`` with taps that meet only zero padding, because a map is so small.

    For example, a kernel of 5 x 5 on a map of height 1 meets the map with its middle row alone.

    Args:
        net: Takes (batch, 1, *shape).
        shape: Shape of an image, usually (size, size).

    Returns:
        The name of each weight that has such taps, and the index of its remaining taps, which meet the map.
    """
    graph = net(mx.sym.Variable("data")).get_internals()
    _, shapes, _ = graph.infer_shape(data=(1, 1, *shape))
    shape_of, nodes = dict(zip(graph.list_outputs(), shapes)), json.loads(graph.tojson())["nodes"]
    found = {}
    for node in nodes:
        if node["op"] != "Convolution":
            continue
        data = graph[f"{node['name']}_output"].get_children().list_outputs()[0]
        weight = nodes[node["inputs"][1][0]]
        while weight["op"] != "null":  # a conversion to bfloat16, or the product in a lifted ConvUnit
            weight = nodes[weight["inputs"][0][0]]
        kernel, stride, pad = (ast.literal_eval(node["attrs"][key]) for key in ("kernel", "stride", "pad"))
        inner = [_inner(*geometry) for geometry in zip(kernel, stride, pad, shape_of[data][2:])]
        if any(taps.stop - taps.start < side for taps, side in zip(inner, kernel)):
            found[weight["name"]] = (slice(None), slice(None), *inner)
    return found


def _inner(kernel: int, stride: int, pad: int, side: int) -> slice:
    """Return the taps that meet a map of ``side`` pixels, along one axis."""
    starts = range(-pad, side + pad - kernel + 1, stride)  # the positions of the kernel's first tap
    taps = [tap for tap in range(kernel) if any(0 <= start + tap < side for start in starts)]
    return slice(taps[0], taps[-1] + 1)


def zero_outer_gradients(parameters: gluon.ParameterDict, inner: Mapping[str, Taps]) -> None:
    """Set all gradients of the weights in ``inner``, except those of the inner taps, to zero."""
    for name, taps in inner.items():
        for gradient in parameters[name].list_grad():
            defined = gradient[taps].copy()
            gradient[:] = 0
            gradient[taps] = defined
