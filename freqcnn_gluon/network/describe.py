"""Print a FreqCNN as the rows of its table. The rows come from the network itself, not from the table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import mxnet as mx
import pandas as pd
from mxnet.gluon import Block, HybridBlock, nn

from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.blocks import BasicBlock, ConvUnit
from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["describe", "form", "parameter_count"]

COLUMNS = ("Name", "Local convolution", "Global convolution", "Pooling", "Output", "Parameters")


def parameter_count(block: Block) -> int:
    """Return the number of trained values in ``block``, whose shapes must be known; no running statistics."""
    return sum(math.prod(p.shape) for p in block.collect_params().values() if p.grad_req != "null")


def form(net: HybridBlock) -> list[object]:
    """Return the operators, the weights' shapes and the initialisers of ``net``, without names.

    Two networks with equal forms train to the same weights.
    """
    nodes = json.loads(net(mx.sym.Variable("data")).tojson())["nodes"]
    parameters = net._collect_params_with_prefix().values()
    initialisers = [init.dumps() if hasattr(init := p.init, "dumps") else init for p in parameters]
    operators = [(node["op"], node.get("attrs"), node["inputs"]) for node in nodes]
    return [operators, [p.shape for p in parameters], initialisers]


def describe(net: FreqCNN) -> pd.DataFrame:
    """Return a row for each row of the table.

    The columns Name, Local convolution, Global convolution and Pooling are as the paper prints them. Output
    is channels × freq × time, Parameters the number of trained values.
    """
    rows = []
    data = net.inputs(mx.sym.Variable("data"))

    def shape() -> str:
        _, (output,), _ = data.infer_shape(data=(1, 1, net.size, net.size))
        return " × ".join(str(side) for side in output[1:])

    for number, stage in enumerate(net.stages):
        data = stage(data)
        if number % 2:
            convolution, pooling = _conv_cell(stage), _pool_cell(stage)
            rows.append(("Conv. and pool", "", convolution, pooling, shape(), parameter_count(stage)))
        else:
            rows += _block_rows(stage, number // 2 + 1, shape())
    data = net.head(data)
    fc, softmax = net.head.fc, net.head.softmax
    cell = f"{fc[0]._units}, {_activation(fc[-2])}, dropout {fc[-1]._rate:g}"
    rows.append(("fc", "", cell, "", str(fc[0]._units), parameter_count(fc)))
    cell = f"{softmax._units}-way softmax"
    rows.append(("Softmax", "", cell, "", shape(), parameter_count(softmax)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _block_rows(block: BasicBlock, number: int, shape: str) -> list[tuple]:
    local = _cell(map(_unit, block.local or ()))
    global_ = _cell(map(_unit, block.global_ or ()))
    if not isinstance(block, AttentionBlock):
        return [(f"Basic block {number}", local, global_, "", shape, parameter_count(block))]
    count = parameter_count(block.attention)
    name = f"Attention-based block {number}"
    return [
        (name, local, global_, "", shape, parameter_count(block) - count),
        ("", "", _attention_cell(block), "", "", count),
    ]


def _activation(layer: Block) -> str:
    """Return the name of an activation; empty for the identity, which the paper does not print."""
    if isinstance(layer, nn.HybridLambda):
        return ""
    return layer._act_type if isinstance(layer, nn.Activation) else type(layer).__name__.lower()


def _kernel(unit: ConvUnit) -> str:
    conv = next(layer for layer in unit if isinstance(layer, nn.Conv2D))
    (height, width), (stride, _) = conv._kwargs["kernel"], conv._kwargs["stride"]
    return ", ".join(filter(None, [f"{height} × {width}/{stride}", _activation(unit[-1])]))


def _channels(unit: ConvUnit) -> str:
    return str(next(layer for layer in unit if isinstance(layer, nn.Conv2D))._channels)


def _cell(cells: Iterable[str]) -> str:
    """Return the cell that all units of a path share, or all different ones."""
    return "; ".join(dict.fromkeys(cells))


def _unit(unit: ConvUnit) -> str:
    return f"{_channels(unit)}, {_kernel(unit)}"


def _conv_cell(stage: nn.HybridSequential) -> str:
    units = [layer for layer in stage if isinstance(layer, ConvUnit)]
    return f"{', '.join(_channels(unit) for unit in units)}, {_cell(map(_kernel, units))}"


def _pool_cell(stage: nn.HybridSequential) -> str:
    cells = []
    for layer in stage:
        if isinstance(layer, nn.MaxPool2D):
            (height, width), (stride, _) = layer._kwargs["kernel"], layer._kwargs["stride"]
            cells.append(f"max, {height} × {width}/{stride}")
        elif isinstance(layer, nn.GlobalAvgPool2D):
            cells.append("avg (global)")
        elif isinstance(layer, nn.Dropout):
            cells.append(f"dropout {layer._rate:g}")
    return ", ".join(cells)


def _attention_cell(block: AttentionBlock) -> str:
    attention = block.attention
    layers = [(attention.of_parts, attention.first)]
    layers += zip(attention.others[0::2], attention.others[1::2])
    return "fc: " + "; ".join(f"{dense._units}, {_activation(act)}" for dense, act in layers)
