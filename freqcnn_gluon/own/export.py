"""A trained network for programs without MXNet: an ONNX file, or a symbol with its parameters."""

from __future__ import annotations

from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
from mxnet.gluon import HybridBlock
from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon.own.model import Model

__all__ = ["TOLERANCE", "to_onnx", "to_symbol"]

OPSET, IR_VERSION = 13, 8  # what MXNet 1.9.1 writes, and what went with it
TOLERANCE = 1e-5


def to_onnx(model: Model, path: Path) -> float:
    """Write ``path``: 'image' (batch, 1, size, size) float32 in, 'probability' (batch, classes) out.

    The softmax is part of it, the batch size is free, and the metadata holds what ``Model.about`` does, so
    that ``onnx_model.OnnxModel`` needs nothing else. It is run by onnxruntime on batches of one and of
    three before it is put in its place. Returns the largest difference to MXNet's probabilities; raises
    Faults if that is above TOLERANCE.
    """
    size = model.about.images.size
    symbol, parameters = _graph(model.net)
    graph = MXNetGraph().create_onnx_graph_proto(
        symbol,
        parameters,
        [(1, 1, size, size)],
        [onnx.TensorProto.FLOAT],
        opset_version=OPSET,
        dynamic=True,
        dynamic_input_shapes=[("batch", 1, size, size)],
    )
    given = {weight.name for weight in graph.initializer}
    used = {name for node in graph.node for name in node.input}  # MXNet leaves some that no node reads
    told = onnx.helper.make_tensor_value_info(
        graph.output[0].name, onnx.TensorProto.FLOAT, ["batch", len(model.about.labels)]
    )
    for listed, kept in (
        (graph.output, [told]),  # MXNet leaves its shape open
        (graph.input, [value for value in graph.input if value.name not in given]),  # weights are no inputs
        (graph.initializer, [weight for weight in graph.initializer if weight.name in used]),
    ):
        del listed[:]
        listed.extend(kept)
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    made.ir_version = IR_VERSION
    onnx.helper.set_model_props(made, {"freqcnn": model.about.text()})
    onnx.checker.check_model(made)
    with whole(path) as aside:
        onnx.save(made, str(aside))
        apart = _difference(model, aside)
        if not apart <= TOLERANCE:
            raise Faults(f"{path}: onnxruntime's probabilities differ from MXNet's by {apart:.1e}")
    return apart


def to_symbol(model: Model, prefix: Path) -> tuple[Path, Path]:
    """Write ``prefix``-symbol.json and ``prefix``-0000.params, which MXNet loads without this package.

    'image' (batch, 1, size, size) in, 'probability' (batch, classes) out, as ``to_onnx`` has them.
    """
    symbol, parameters = _graph(model.net)
    auxiliary = set(symbol.list_auxiliary_states())
    marked = {("aux:" if name in auxiliary else "arg:") + name: value for name, value in parameters.items()}
    graph, weights = (prefix.with_name(prefix.name + end) for end in ("-symbol.json", "-0000.params"))
    with whole(graph) as aside:
        symbol.save(str(aside))
    with whole(weights) as aside:
        mx.nd.save(str(aside), marked)
    return graph, weights


def _graph(net: HybridBlock) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """The network from image to probability, and its parameters by name."""
    symbol = mx.sym.softmax(net(mx.sym.Variable("image")), name="probability")
    parameters = {
        parameter.name: parameter.data(parameter.list_ctx()[0]) for parameter in net.collect_params().values()
    }
    return symbol, {name: value.as_in_context(mx.cpu()) for name, value in parameters.items()}


def _difference(model: Model, path: Path) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).random(
        (4, model.about.images.size, model.about.images.size), np.float32
    )
    found = [session.run(None, {"image": batch[:, None]})[0] for batch in (images[:1], images[1:])]
    return float(np.abs(np.concatenate(found) - model.probabilities(images)).max())
