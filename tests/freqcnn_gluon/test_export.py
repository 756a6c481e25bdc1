"""An exported network computes what the network computes, and the tests and the export notice when not."""

import json

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.own import export
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.onnx_model import OnnxModel

IMAGES = export.check_images(16, 32)[:5]


def model(architecture="table7", size=32, **network):
    """A network with random weights and the BatchNorm statistics of its own features, as after a training.

    With any other statistics the features of all images are nearly equal, and an export that ignores its
    input would pass.
    """
    mx.random.seed(0)
    about = About(("a", "ö", "c d"), architecture, ImageSettings(size), 1.5, 3.0, network, {"mxnet": "1.9.1"})
    made = Model.blank(about, [mx.cpu()])
    made.net.initialize(mx.init.Xavier())
    random = np.random.default_rng(0)
    for name, parameter in made.net.collect_params().items():
        if name.endswith(("gamma", "beta")) and parameter.grad_req != "null":
            low, high = (0.5, 1.0) if name.endswith("gamma") else (-0.5, 0.5)
            parameter.set_data(mx.nd.array(random.uniform(low, high, parameter.shape)))
    layers = []
    made.net.apply(layers.append)
    norms = [layer for layer in layers if isinstance(layer, nn.BatchNorm)]
    for norm in norms:
        norm._kwargs["momentum"] = 0  # the next batch replaces the statistics
    with autograd.record():  # on a CPU, MXNet moves the statistics in the backward pass
        logits = made.net(mx.nd.array(export.check_images(16, size)[:, None]))
    logits.backward()
    mx.nd.waitall()
    weight = made.net.head.softmax.weight
    weight.set_data(0.1 * weight.data())  # keeps float32 rounding below the tests' tolerances
    made.net.hybridize()
    return made


def ignored(graph):
    """Multiply the input by zero."""
    graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0), "zero"))
    _replace_input(graph, onnx.helper.make_node("Mul", ["image", "zero"], ["changed"]))


def transposed(graph):
    """Swap frequency and time of the input."""
    _replace_input(graph, onnx.helper.make_node("Transpose", ["image"], ["changed"], perm=[0, 1, 3, 2]))


def without_a_norm(graph):
    """Leave out a BatchNorm in the middle of the network."""
    norms = [node for node in graph.node if node.op_type == "BatchNormalization"]
    norm = norms[len(norms) // 2]
    norm.CopyFrom(onnx.helper.make_node("Identity", [norm.input[0]], [norm.output[0]]))


def with_swapped_channels(graph):
    """Swap the first two output channels of a convolution in the middle of the network."""
    weights = [node.input[1] for node in graph.node if node.op_type == "Conv"]
    name = weights[len(weights) // 2]
    weight = next(each for each in graph.initializer if each.name == name)
    values = onnx.numpy_helper.to_array(weight).copy()
    values[[0, 1]] = values[[1, 0]]
    weight.CopyFrom(onnx.numpy_helper.from_array(values, name))


MUTATIONS = [ignored, transposed, without_a_norm, with_swapped_channels]


def _replace_input(graph, node):
    for reader in graph.node:
        for index, name in enumerate(reader.input):
            if name == "image":
                reader.input[index] = "changed"
    graph.node.insert(0, node)


def run(path, images):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {"image": images[:, None]})[0]


@pytest.mark.parametrize(
    "architecture, network",
    [
        ("table2", {}),
        ("table7", {"segments": 1}),
        ("table7", {"attention": "spatial", "axis": "time", "attention_blocks": 3}),
        ("table10", {"segments": [4, 4, 4, 4, 2], "fc_batchnorm": True}),
        ("table7", {"segments": 0, "attention_blocks": 0}),
        ("table2", {"batchnorm_defaults": "module", "conv_pool_activation": "identity"}),
    ],
)
def test_onnx_is_mxnet_at_every_batch_size(tmp_path, architecture, network):
    made = model(architecture, **network)
    assert export.to_onnx(made, tmp_path / "model.onnx") <= 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = made.net(mx.nd.array(IMAGES[:, None])).softmax().asnumpy()
    assert expected.std(axis=0).max() > 1e-3  # the images differ, not only the labels
    for count in (1, 2, 5):
        (found,) = session.run(None, {"image": IMAGES[:count, None]})
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    (image_input,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image_input.name, image_input.shape) == ("image", ["batch", 1, 32, 32])
    assert output.name.startswith("probability")


@pytest.mark.parametrize("axis", ["frequency", "time"])
@pytest.mark.parametrize("attention", ["feature", "spatial"])
@pytest.mark.parametrize("attention_input", ["pooled", "same"])
def test_every_input_of_attention_is_exported(tmp_path, attention_input, attention, axis):
    made = model(size=64, attention_input=attention_input, attention=attention, axis=axis)
    assert export.to_onnx(made, tmp_path / "model.onnx") <= 1e-5
    images = export.check_images(3, 64)
    expected = made.net(mx.nd.array(images[:, None])).softmax().asnumpy()
    assert expected.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(run(tmp_path / "model.onnx", images), expected, atol=1e-5)


@pytest.mark.parametrize("architecture", ["table2", "table7", "table10"])
def test_an_export_that_computes_something_else_is_refused(tmp_path, monkeypatch, architecture):
    """Both by the export itself and by the comparison in the test above."""
    made = model(architecture)
    expected, converted = made.probabilities(IMAGES), export._converted(made)
    onnx.save(converted, str(tmp_path / "mutated.onnx"))
    np.testing.assert_allclose(run(tmp_path / "mutated.onnx", IMAGES), expected, atol=1e-5)
    for mutate in MUTATIONS:
        mutated = onnx.ModelProto()
        mutated.CopyFrom(converted)
        mutate(mutated.graph)
        monkeypatch.setattr(export, "_converted", lambda model, mutated=mutated: mutated)
        with pytest.raises(Faults, match="model.onnx: not written, because onnxruntime's"):
            export.to_onnx(made, tmp_path / "model.onnx")
        assert not (tmp_path / "model.onnx").exists()
        onnx.save(mutated, str(tmp_path / "mutated.onnx"))
        difference = np.abs(run(tmp_path / "mutated.onnx", IMAGES) - expected).max()
        assert difference > 1e-4, mutate.__name__  # ten times what the tests allow


@pytest.mark.parametrize("mutate", MUTATIONS[:3])  # a swap changes one in a hundred of nearly nothing
def test_a_network_that_hardly_depends_on_its_image_is_checked_too(tmp_path, monkeypatch, mutate):
    """After a short training the labels' probabilities may differ by less than the tolerance."""
    made = model()
    weight = made.net.head.softmax.weight
    weight.set_data(weight.data() * 3e-4)
    assert 1e-6 < made.probabilities(export.check_images(4, 32)).std(axis=0).max() < export.TOLERANCE
    converted = export._converted(made)
    assert export.to_onnx(made, tmp_path / "model.onnx") < export.ROUNDING
    (tmp_path / "model.onnx").unlink()
    mutate(converted.graph)
    monkeypatch.setattr(export, "_converted", lambda model: converted)
    with pytest.raises(Faults, match="not written"):
        export.to_onnx(made, tmp_path / "model.onnx")


def test_labels_and_settings_are_in_the_metadata(tmp_path):
    made = model()
    export.to_onnx(made, tmp_path / "model.onnx")
    again = OnnxModel(tmp_path / "model.onnx")
    assert again.about == made.about
    np.testing.assert_allclose(again.probabilities(IMAGES), made.probabilities(IMAGES), atol=1e-5)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    stated = json.loads(session.get_modelmeta().custom_metadata_map["freqcnn"])
    assert stated["labels"] == ["a", "ö", "c d"] and stated["images"]["rate"] == 16000


def test_a_file_that_computes_otherwise_is_not_written(tmp_path, monkeypatch):
    made = model()
    monkeypatch.setattr(made, "probabilities", lambda images: np.full((len(images), 3), 1 / 3))
    with pytest.raises(Faults, match="differ from MXNet's by"):
        export.to_onnx(made, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_symbol_is_loaded_without_this_package(tmp_path):
    made = model("table10")
    graph, weights = export.to_symbol(made, tmp_path / "exported" / "model")
    block = mx.gluon.SymbolBlock.imports(str(graph), ["image"], str(weights))
    found = block(mx.nd.array(IMAGES[:, None])).asnumpy()
    expected = made.probabilities(IMAGES)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for other in (IMAGES.transpose(0, 2, 1), np.zeros_like(IMAGES)):  # an input transposed or ignored
        assert np.abs(block(mx.nd.array(other[:, None])).asnumpy() - expected).max() > 1e-4
