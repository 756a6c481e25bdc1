"""What leaves the project computes what the network computes: by onnxruntime, and as MXNet's own symbol."""

import json

import mxnet as mx
import numpy as np
import onnxruntime
import pytest

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.own import export
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.onnx_model import OnnxModel


def model(architecture="table7", size=32, **network):
    """A network with weights and statistics as after a training."""
    mx.random.seed(0)
    about = About(("a", "ö", "c d"), architecture, ImageSettings(size), 1.5, 3.0, network, {"mxnet": "1.9.1"})
    made = Model.blank(about, [mx.cpu()])
    made.net.initialize(mx.init.Xavier())
    random = np.random.default_rng(0)
    for name, parameter in made.net.collect_params().items():
        if name.endswith(("running_mean", "running_var", "gamma", "beta")):
            parameter.set_data(mx.nd.array(random.uniform(0.5, 1.5, parameter.shape)))
    made.net.hybridize()
    return made


IMAGES = np.random.default_rng(1).random((5, 32, 32), np.float32)


@pytest.mark.parametrize(
    "architecture, network",
    [
        ("table2", {}),
        ("table7", {"segments": 1}),
        ("table7", {"attention": "spatial", "axis": "time", "attention_blocks": 3}),
        ("table10", {"segments": [4, 4, 4, 4, 2], "fc_batchnorm": True}),
        ("table7", {"segments": 0, "attention_blocks": 0}),
    ],
)
def test_onnx_is_mxnet_at_every_batch_size(tmp_path, architecture, network):
    made = model(architecture, **network)
    assert export.to_onnx(made, tmp_path / "model.onnx") <= 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    expected = made.net(mx.nd.array(IMAGES[:, None])).softmax().asnumpy()
    assert expected.std() > 1e-3
    for count in (1, 2, 5):
        (found,) = session.run(None, {"image": IMAGES[:count, None]})
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    (given,), (told,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.shape) == ("image", ["batch", 1, 32, 32]) and told.name.startswith(
        "probability"
    )


def test_labels_and_settings_ride_in_the_metadata(tmp_path):
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
    np.testing.assert_allclose(found, made.probabilities(IMAGES), atol=1e-6)
