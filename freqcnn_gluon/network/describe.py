"""A FreqCNN printed in its table's own rows, read off the network itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import mxnet as mx
import pandas as pd
from mxnet.gluon import Block, HybridBlock, nn

from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.blocks import ConvUnit
from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["describe", "form", "parameter_count"]


def parameter_count(block: Block) -> int:
    """How many numbers training adjusts in ``block``: no running statistics. Shapes must be known."""
    return sum(math.prod(p.shape) for p in block.collect_params().values() if p.grad_req != "null")


def form(net: HybridBlock) -> list[object]:
    """What decides what training makes of ``net``, without names: operators, weights and their starts."""
    nodes = json.loads(net(mx.sym.Variable("data")).tojson())["nodes"]
    weights = net._collect_params_with_prefix().values()
    starts = [getattr(each.init, "dumps", lambda each=each: each.init)() for each in weights]
    operators = [(node["op"], node.get("attrs"), node["inputs"]) for node in nodes]
    return [operators, [each.shape for each in weights], starts]


def describe(net: FreqCNN) -> pd.DataFrame:
    """A row for each row of the table: Name, Local convolution, Global convolution, Pooling as the
    paper prints them, Output (channels × freq × time) and Parameters.
    """
    rows = []
    data = mx.sym.Variable("data")

    def shape() -> str:
        _, (found,), _ = data.infer_shape(data=(1, 1, net.size, net.size))
        return " × ".join(str(side) for side in found[1:])

    for number, stage in enumerate(net.stages):
        data = stage(data)
        if number % 2:
            rows.append(
                ("Conv. and pool", "", _conv_cell(stage), _pool_cell(stage), shape(), parameter_count(stage))
            )
            continue
        attends = isinstance(stage, AttentionBlock)
        kind = "Attention-based" if attends else "Basic"
        local = _each(map(_unit, stage.local or ()))
        global_ = _each(map(_unit, stage.global_ or ()))
        count = parameter_count(stage) - (parameter_count(stage.attention) if attends else 0)
        rows.append((f"{kind} block {number // 2 + 1}", local, global_, "", shape(), count))
        if attends:
            rows.append(("", "", _attention_cell(stage), "", "", parameter_count(stage.attention)))
    data = net.head(data)
    dense, dropout = net.head.fc[0], net.head.fc[-1]
    cell = f"{dense._units}, {_activation(net.head.fc[-2])}, dropout {dropout._rate:g}"
    rows.append(("fc", "", cell, "", str(dense._units), parameter_count(net.head.fc)))
    rows.append(
        (
            "Softmax",
            "",
            f"{net.head.softmax._units}-way softmax",
            "",
            shape(),
            parameter_count(net.head.softmax),
        )
    )
    columns = ("Name", "Local convolution", "Global convolution", "Pooling", "Output", "Parameters")
    return pd.DataFrame(rows, columns=columns)


def _activation(layer: Block) -> str:
    return layer._act_type if isinstance(layer, nn.Activation) else type(layer).__name__.lower()


def _kernel(unit: ConvUnit) -> str:
    conv = next(layer for layer in unit if isinstance(layer, nn.Conv2D))
    (height, width), (stride, _) = conv._kwargs["kernel"], conv._kwargs["stride"]
    return f"{height} × {width}/{stride}, {_activation(unit[-1])}"


def _channels(unit: ConvUnit) -> str:
    return str(next(layer for layer in unit if isinstance(layer, nn.Conv2D))._channels)


def _each(cells: Iterable[str]) -> str:
    """The cell that all units of a path have; any other that one has is shown beside it."""
    return "; ".join(dict.fromkeys(cells))


def _unit(unit: ConvUnit) -> str:
    return f"{_channels(unit)}, {_kernel(unit)}"


def _conv_cell(stage: nn.HybridSequential) -> str:
    units = [layer for layer in stage if isinstance(layer, ConvUnit)]
    return f"{', '.join(_channels(unit) for unit in units)}, {_each(map(_kernel, units))}"


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


def _attention_cell(stage: AttentionBlock) -> str:
    attention = stage.attention
    layers = [(attention.of_parts, attention.first)]
    layers += zip(attention.others[0::2], attention.others[1::2])
    return "fc: " + "; ".join(f"{dense._units}, {_activation(act)}" for dense, act in layers)
