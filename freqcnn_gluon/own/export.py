"""Write a trained network for other programs: as an ONNX file, or as MXNet's symbol and parameters."""

from __future__ import annotations

import json
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
from mxnet.gluon import HybridBlock
from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.sound import audio
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.model import Model

__all__ = ["TOLERANCE", "to_onnx", "to_symbol"]

OPSET, IR_VERSION = 13, 8  # the versions that MXNet 1.9.1 writes
TOLERANCE = 1e-5  # largest accepted difference between onnxruntime's and MXNet's probabilities
ROUNDING = 1e-6  # differences below this are float32 rounding
DESCRIPTION = (
    "FreqCNN for spectrograms of speech. 'image' is (batch, 1, frequency, time), 0 to 1, lowest frequency "
    "first; the output holds a probability for each label. The metadata 'freqcnn' has the labels, 'features' "
    "the steps from sound to image, which docs/onnx.md of freqcnn-gluon explains."
)
PATCHES = 8  # patches along each side of a check image


def to_onnx(model: Model, path: Path) -> float:
    """Export a model to an ONNX file and check the file before it is put in place.

    The file's input is 'image' (batch, 1, size, size) float32; its output is 'probability...' (batch,
    classes), after the softmax. The batch size is free. The metadata holds ``model.about``, so
    ``onnx_model.OnnxModel`` needs nothing else, and ``feature_steps`` for other programs (docs/onnx.md).

    Args:
        model: The trained model.
        path: The ONNX file to write.

    Returns:
        The largest absolute difference between onnxruntime's and MXNet's probabilities on the check images.

    Raises:
        Faults: The difference is larger than TOLERANCE, or large compared with the differences between
            images.
    """
    exported = _converted(model)
    onnx.checker.check_model(exported)
    with whole(path) as aside:
        onnx.save(exported, str(aside))
        difference, spread = _compare(model, aside)
        # If probabilities hardly depend on the image, TOLERANCE alone would accept a wrong network.
        if not difference <= min(TOLERANCE, max(spread / 10, ROUNDING)):
            raise Faults(
                f"{path}: not written, because onnxruntime's probabilities differ from MXNet's by "
                f"{difference:.1e}. Check that the installed onnx is older than 1.19."
            )
    return difference


def to_symbol(model: Model, prefix: Path) -> tuple[Path, Path]:
    """Export a model in MXNet's own format, which MXNet loads without this package.

    The input is 'image' (batch, 1, size, size), the output 'probability' (batch, classes).

    Args:
        model: The trained model.
        prefix: The path of both files without '-symbol.json' and '-0000.params'.

    Returns:
        The paths of the symbol file and of the parameter file.
    """
    symbol, parameters = _graph(model.net)
    auxiliary = set(symbol.list_auxiliary_states())
    prefixed = {("aux:" if name in auxiliary else "arg:") + name: value for name, value in parameters.items()}
    graph, weights = (prefix.with_name(prefix.name + end) for end in ("-symbol.json", "-0000.params"))
    with whole(graph) as aside:
        symbol.save(str(aside))
    with whole(weights) as aside:
        mx.nd.save(str(aside), prefixed)
    return graph, weights


def _converted(model: Model) -> onnx.ModelProto:
    """Convert the network with MXNet's exporter and repair the graph that it returns."""
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
    weights = {weight.name for weight in graph.initializer}
    used = {name for node in graph.node for name in node.input}
    output = onnx.helper.make_tensor_value_info(
        graph.output[0].name, onnx.TensorProto.FLOAT, ["batch", len(model.about.labels)]
    )
    for field, kept in (
        (graph.output, [output]),  # MXNet leaves its shape open
        (graph.input, [value for value in graph.input if value.name not in weights]),
        (graph.initializer, [weight for weight in graph.initializer if weight.name in used]),
    ):
        del field[:]
        field.extend(kept)
    converted = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OPSET)])
    converted.ir_version = IR_VERSION
    converted.producer_name = "freqcnn-gluon"
    converted.doc_string = graph.doc_string = DESCRIPTION
    features = json.dumps(feature_steps(model.about), indent=1, ensure_ascii=False)
    onnx.helper.set_model_props(converted, {"freqcnn": model.about.text(), "features": features})
    return converted


def feature_steps(about: About) -> dict[str, dict]:
    """Return the parameters of each step of docs/onnx.md, for programs that compute the input themselves."""
    images = about.images
    return {
        "load": {"full_scale": 1, "seconds_to_samples": "round"},
        "mono": {"channels": "mean", "cancelled_below": audio.CANCELLED},
        "resample": {"rate": images.rate, "zeros_per_side": 10, "window": "kaiser", "beta": 5.0},
        "frames": {
            "frame_seconds": images.frame,
            "hop_of_frame": images.hop,
            "start": "floor(i * hop + 1) - 1",
            "partial_last_frame": "dropped",
        },
        "window": {"name": "hamming", "symmetric": True, "a0": 0.54, "a1": 0.46},
        "spectrum": {"points": "next power of two", "value": "magnitude"},
        "decibels": {"factor": 20, "offset": 1e-16},
        "floor": {"db": images.floor_db, "below": "frame" if images.version == "1.7" else "clip"},
        "scale": {"of": images.scale, "from_db": [-images.floor_db, 0], "to": [0, 1]},
        "resize": {"size": images.size, "kernel": "bicubic", "a": -0.5, "antialias": True},
        "limit": {"low": 0, "high": 1},
        "orientation": {"rows": "frequency, lowest first", "columns": "time"},
        "windows": {
            "longest_seconds": about.longest,
            "seconds": about.median,
            "hop_seconds": about.median / 2,
            "last": "ends with the recording",
            "silent": "left out",
        },
        "average": {"over": "windows", "of": "probabilities", "weights": "equal"},
    }


def _graph(net: HybridBlock) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Return the symbol from image to probability, and the parameters by name."""
    symbol = mx.sym.softmax(net(mx.sym.Variable("image")), name="probability")
    parameters = {
        parameter.name: parameter.data(parameter.list_ctx()[0]) for parameter in net.collect_params().values()
    }
    return symbol, {name: value.as_in_context(mx.cpu()) for name, value in parameters.items()}


def _compare(model: Model, path: Path) -> tuple[float, float]:
    """Run the file on batches of one and three images.

    Returns:
        The largest difference to MXNet's probabilities, and the largest standard deviation of a label's
        probability over the images.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    images = check_images(4, model.about.images.size)
    batches = [session.run(None, {"image": batch[:, None]})[0] for batch in (images[:1], images[1:])]
    expected = model.probabilities(images)
    difference = np.abs(np.concatenate(batches) - expected).max()
    return float(difference), float(expected.std(axis=0).max())


def check_images(count: int, size: int) -> np.ndarray:
    """Draw images (count, size, size) of random patches.

    Patches survive pooling. It would average out the noise of single pixels, and a transposed input would
    hardly change the probabilities.
    """
    patches = np.random.default_rng(0).random((count, PATCHES, PATCHES), np.float32)
    side = -(-size // PATCHES)
    return np.kron(patches, np.ones((1, side, side), np.float32))[:, :size, :size]
