"""Write a trained network for other programs: as an ONNX file, or as MXNet's symbol and parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import mxnet as mx
import numpy as np
import onnx
import onnx.compose
import onnxruntime
from mxnet.gluon import HybridBlock
from mxnet.onnx.mx2onnx._export_onnx import MXNetGraph

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.sound import audio
from data_prep.sound.mel import LOWEST
from data_prep.sound.spectrogram import MEL_BANDS, TINY, ImageSettings, image
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.waveform import image_graph

__all__ = ["TOLERANCE", "to_onnx", "to_symbol"]

OPSET, IR_VERSION = 13, 8  # the versions that MXNet 1.9.1 writes
TOLERANCE = 1e-5  # largest accepted difference between onnxruntime's and MXNet's probabilities
ROUNDING = 1e-6  # differences below this are float32 rounding
DESCRIPTION = (
    "FreqCNN for spectrograms of speech. {} The output holds a probability for each label. The metadata "
    "'freqcnn' has the labels, 'features' the steps from sound to image, which docs/onnx.md of freqcnn-gluon "
    "explains."
)
IMAGE = "'image' is (batch, 1, frequency, time), 0 to 1, lowest frequency first."
WAVEFORM = "'waveform' is (batch, samples), mono at the rate in 'freqcnn', full scale 1, one clip a row."
PATCHES = 8  # patches along each side of a check image, and tones one after another in a check sound
VOICES = 6  # simultaneous tones in a check sound


def to_onnx(model: Model, path: Path, source: Literal["image", "waveform"] = "image") -> float:
    """Export a model to an ONNX file and check the file before it is put in place.

    The file's input is 'image' (batch, 1, size, size) float32, or 'waveform' (batch, samples) float32; its
    output is 'probability...' (batch, classes), after the softmax. The batch size is free, and so is the
    length of a waveform, which becomes one image. The metadata holds ``model.about``, so
    ``onnx_model.OnnxModel`` needs nothing else, and ``feature_steps`` for other programs (docs/onnx.md).

    Args:
        model: The trained model.
        path: The ONNX file to write.
        source: What the file takes, and the name of its input.

    Returns:
        The largest absolute difference between onnxruntime's and MXNet's probabilities on the check images
        or check sounds. MXNet gets the images of the sounds from ``data_prep``.

    Raises:
        Faults: The difference is larger than TOLERANCE, or large compared with the differences between
            images.
    """
    settings, exported = model.about.images, _converted(model)
    batches = _image_batches(settings.size)
    if source == "waveform":
        exported, batches = _from_waveform(exported, settings), _sound_batches(settings)
    onnx.checker.check_model(exported)
    with whole(path) as aside:
        onnx.save(exported, str(aside))
        difference, spread = _compare(model, aside, batches)
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
    converted.doc_string = graph.doc_string = DESCRIPTION.format(IMAGE)
    features = json.dumps(feature_steps(model.about), indent=1, ensure_ascii=False)
    onnx.helper.set_model_props(converted, {"freqcnn": model.about.text(), "features": features})
    return converted


def _from_waveform(network: onnx.ModelProto, settings: ImageSettings) -> onnx.ModelProto:
    """Put the steps from a waveform to the image in front of the network."""
    front = onnx.helper.make_model(
        image_graph(settings), opset_imports=network.opset_import, ir_version=network.ir_version
    )
    merged = onnx.compose.merge_models(
        front, network, [("image", "image")], producer_name=network.producer_name
    )
    merged.doc_string = merged.graph.doc_string = DESCRIPTION.format(WAVEFORM)
    return merged


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
        "spectrum": {"points": "next power of two", "value": "magnitude", **_mel(images)},
        "decibels": {"factor": 20, "offset": TINY},
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


def _mel(images: ImageSettings) -> dict:
    """Return the parameters of the mel bands, if there are any."""
    if images.frequency != "mel":
        return {}
    return {"mel": {"bands": MEL_BANDS, "lowest_hz": LOWEST, "highest_hz": images.rate / 2, "scale": "kaldi"}}


def _graph(net: HybridBlock) -> tuple[mx.sym.Symbol, dict[str, mx.nd.NDArray]]:
    """Return the symbol from image to probability, and the parameters by name."""
    symbol = mx.sym.softmax(net(mx.sym.Variable("image")), name="probability")
    parameters = {
        parameter.name: parameter.data(parameter.list_ctx()[0]) for parameter in net.collect_params().values()
    }
    return symbol, {name: value.as_in_context(mx.cpu()) for name, value in parameters.items()}


def _compare(model: Model, path: Path, batches: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float]:
    """Run the file on batches of its input and MXNet on their images (batch, size, size).

    Returns:
        The largest difference to MXNet's probabilities, and the largest standard deviation of a label's
        probability over the images.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    computed = [session.run(None, {name: values})[0] for values, _ in batches]
    expected = model.probabilities(np.concatenate([images for _, images in batches]))
    difference = np.abs(np.concatenate(computed) - expected).max()
    return float(difference), float(expected.std(axis=0).max())


def _image_batches(size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return a batch of one check image and one of three, as the file's input and as images."""
    images = check_images(4, size)
    return [(batch[:, None], batch) for batch in (images[:1], images[1:])]


def _sound_batches(settings: ImageSettings) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return batches of check sounds with their images. One sound is shorter than a frame."""
    batches = []
    for count, frames in ((1, 0.6), (1, 40.7), (3, 150.2)):
        sounds = check_sounds(count, round(frames * settings.frame * settings.rate))
        batches.append((sounds, np.stack([image(sound, settings) for sound in sounds])))
    return batches


def check_images(count: int, size: int) -> np.ndarray:
    """Draw images (count, size, size) of random patches.

    Patches survive pooling. It would average out the noise of single pixels, and a transposed input would
    hardly change the probabilities.
    """
    patches = np.random.default_rng(0).random((count, PATCHES, PATCHES), np.float32)
    side = -(-size // PATCHES)
    return np.kron(patches, np.ones((1, side, side), np.float32))[:, :size, :size]


def check_sounds(count: int, samples: int) -> np.ndarray:
    """Draw sounds (count, samples) float32 of random tones over quiet noise.

    Several tones sound at a time and change PATCHES times, so that the images have patches, too.
    """
    random = np.random.default_rng(0)
    cycles = random.uniform(0.01, 0.49, (count, VOICES, PATCHES))  # of a sample
    levels = 10 ** random.uniform(-3, -1, (count, VOICES, PATCHES))
    times = np.arange(samples)
    patch = times * PATCHES // samples
    voices = levels[..., patch] * np.sin(2 * np.pi * cycles[..., patch] * times)
    return (voices.sum(axis=1) + random.normal(0, 1e-4, (count, samples))).astype(np.float32)
