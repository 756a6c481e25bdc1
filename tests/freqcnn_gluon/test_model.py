"""A model's folder may come from anybody: loading returns what was saved, or a fault that names the file."""

import hashlib
import json
import resource

import mxnet as mx
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet.gluon import nn
from safetensors import numpy as weights
from test_export import IMAGES, model

from data_prep.base.faults import Faults
from freqcnn_gluon.own import export
from freqcnn_gluon.own.about import About, _checksum
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.onnx_model import OnnxModel


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "model"
    model().save(folder)
    return folder


def copied(saved, folder, **changed):
    """``saved`` in ``folder``, but for the files of ``changed``: their bytes, or None for none."""
    folder.mkdir(exist_ok=True)
    for path in saved.iterdir():
        content = changed.get(path.stem if path.suffix == ".json" else "weights", path.read_bytes())
        (folder / path.name).unlink(missing_ok=True)
        if content is not None:
            (folder / path.name).write_bytes(content)
    return folder


def restated(saved, **changed):
    """model.json with other fields and a checksum that holds, as a stranger would write it."""
    stated = json.loads((saved / "model.json").read_text())
    del stated["checksum"]
    stated |= changed
    return json.dumps({**stated, "checksum": _checksum(stated)}).encode()


@pytest.mark.parametrize("attention", ["feature", "spatial"])
def test_a_saved_model_is_the_same_model(tmp_path, attention):
    made = model("table2", attention=attention)
    made.save(tmp_path / "model")
    again = Model.load(tmp_path / "model", "cpu")
    np.testing.assert_array_equal(again.probabilities(IMAGES), made.probabilities(IMAGES))
    assert again.about.labels == made.about.labels and again.about.network == {"attention": attention}
    several = Model.load(tmp_path / "model", "cpu:0,1")
    assert several.devices == [mx.cpu(0), mx.cpu(1)]


@pytest.mark.parametrize(
    "architecture, placement", [("table2", "both"), ("table7", "convolution"), ("table10", "both")]
)
@pytest.mark.parametrize("network", [{}, {"batchnorm": "section", "fc_batchnorm": True}])
def test_a_model_of_an_earlier_version_keeps_its_placement(tmp_path, architecture, placement, network):
    """Then, BatchNorm was where the paper's section on the task puts it, unless another was named."""
    made = model(architecture, **network | {"batchnorm": placement})
    made.save(tmp_path / "model")
    older = restated(tmp_path / "model", format=2, network=network)
    again = Model.load(copied(tmp_path / "model", tmp_path / "older", model=older), "cpu")
    np.testing.assert_array_equal(again.probabilities(IMAGES), made.probabilities(IMAGES))
    again.save(tmp_path / "saved")  # as this version describes it
    assert About.read((tmp_path / "saved" / "model.json").read_text()).network["batchnorm"] == placement


def test_the_images_settings_are_those_of_earlier_versions(saved):
    """So earlier versions read new models, and this one reads earlier ones."""
    images = json.loads((saved / "model.json").read_text())["images"]
    stated = {"rate": 16000, "frame": 0.05, "hop": 0.5, "floor_db": 80.0, "version": "1.8.2"}
    assert images == {"size": images["size"], **stated}
    assert Model.load(saved, "cpu").about.images.scale == "db"


def test_a_device_that_cannot_be_used_is_not_the_model_s_fault(saved, monkeypatch):
    monkeypatch.setattr("freqcnn_gluon.own.model.gpus", lambda: [])
    with pytest.raises(Faults) as caught:
        Model.load(saved, "gpu")
    text = str(caught.value)
    assert text.startswith("device gpu: no GPU ") and text.endswith("DEVICE=cpu or --device cpu.")


@pytest.mark.parametrize(
    "architecture, placement",
    [("table2", "both"), ("table7", "both"), ("table7", "convolution"), ("table10", "both")],
)
def test_the_folded_network_predicts_as_the_network_does(architecture, placement):
    made = model(architecture, fc_batchnorm=True, batchnorm=placement)
    images = mx.nd.array(IMAGES[:, None])
    before = made.net(images).asnumpy()
    found = made.probabilities(IMAGES)
    expected = mx.nd.softmax(mx.nd.array(before)).asnumpy()
    assert expected.std(axis=0).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(made.net(images).asnumpy(), before)  # the network itself is unchanged
    norms = []
    for net in (made.net, made._folded):
        layers = []
        net.stages.apply(layers.append)
        norms.append(sum(isinstance(layer, nn.BatchNorm) for layer in layers))
    assert norms[1] == (norms[0] if placement == "convolution" else norms[0] // 2)


def test_missing_and_swapped_files(saved, tmp_path):
    other = tmp_path / "other"
    made = model()
    made.net.head.softmax.bias.set_data(mx.nd.ones(3))
    made.save(other)
    for changed, message in (
        ({"model": None}, "holds no model"),
        ({"weights": None}, "model.safetensors: the model is damaged"),
        ({"weights": (other / "model.safetensors").read_bytes()}, "does not match its recorded SHA-256"),
        ({"model": (other / "model.json").read_bytes()}, "does not match its recorded SHA-256"),
        ({"weights": b"x"}, "it has 1 bytes, but these weights take"),
        (
            {"model": (saved / "model.json").read_bytes().replace(b'"a"', b'"b"')},
            "changed after it was written",
        ),
        ({"model": b"x" * 2**21}, "more than such a file ever has"),
    ):
        with pytest.raises(Faults, match=message):
            Model.load(copied(saved, tmp_path / "copy", **changed), "cpu")


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"labels": ["a", "a", "b"]}, "it needs two or more distinct labels"),
        ({"labels": ["a", "b"]}, "it has .* bytes|of another network"),
        ({"labels": "abc"}, "model.safetensors|two or more distinct"),
        ({"architecture": "table3"}, "its architecture 'table3' is not known"),
        ({"architecture": "table10"}, "it has .* bytes, but these weights take"),
        ({"network": {"prefix": "../x"}}, "its network has unknown settings: prefix"),
        ({"network": {"segments": 3}}, "do not all divide into 3 equal parts"),
        ({"network": {"gamma": "x"}}, "its gamma is 'x'"),
        ({"images": {"size": 10**9}}, "its size is 1000000000, which is not between"),
        ({"images": {"size": 32, "rate": True}}, "its rate is True"),
        ({"images": {"size": 32.0}}, "are not whole numbers"),
        ({"images": {"size": 32, "version": "2"}}, "its MIRtoolbox version '2' is not known"),
        ({"images": {"size": 32, "time_axis": "windows"}}, "its time axis is 'windows', not 'whole'"),
        ({"images": {"size": 32, "scale": "power"}}, "its images have the scale 'power', not 'db'"),
        ({"images": {"size": 32, "frequency": "bark"}}, "its frequency axis 'bark' is not known"),
        ({"median": 5.0}, "lengths are impossible: 5.0 s \\(median\\) and 3.0 s"),
        ({"longest": float("nan")}, "its clips' lengths"),
        ({"format": 1}, "its format is 1, and this program reads 2 and 3"),
        ({"extra": 1}, "it is not the description of a model"),
        ({"weights": None}, "does not match its recorded SHA-256"),
    ],
)
def test_a_description_is_checked_before_a_network_is_built_from_it(saved, tmp_path, changed, message):
    folder = copied(saved, tmp_path / "copy", model=restated(saved, **changed))
    if changed == {"labels": "abc"}:  # three labels of a letter are labels
        assert Model.load(folder, "cpu").about.labels == ("a", "b", "c")
        return
    with pytest.raises(Faults, match=message):
        Model.load(folder, "cpu")


def test_weights_that_claim_a_huge_shape_take_no_memory(saved, tmp_path):
    content = (saved / "model.safetensors").read_bytes()
    header = int.from_bytes(content[:8], "little")
    names = json.loads(content[8 : 8 + header])
    name = next(iter(sorted(set(names) - {"__metadata__"})))
    names[name]["shape"] = [2**40]
    lied = json.dumps(names).encode().ljust(header)
    content = len(lied).to_bytes(8, "little") + lied + content[8 + header :]
    folder = copied(saved, tmp_path / "copy", weights=content)
    stated = restated(saved, weights=hashlib.sha256(content).hexdigest())
    (folder / "model.json").write_bytes(stated)
    with pytest.raises(Faults, match="model.safetensors: the model is damaged"):
        Model.load(folder, "cpu")


def test_weights_of_other_names_or_kinds_are_refused(saved, tmp_path):
    values = weights.load((saved / "model.safetensors").read_bytes())
    name = sorted(values)[0]
    for changed in (
        {("x" if each == name else each): value for each, value in values.items()},
        {each: value.astype(np.int32) if each == name else value for each, value in values.items()},
    ):
        content = weights.save(changed)
        stated = restated(saved, weights=hashlib.sha256(content).hexdigest())
        folder = copied(saved, tmp_path / "copy", weights=content, model=stated)
        with pytest.raises(Faults, match="its weights are of another network"):
            Model.load(folder, "cpu")


@settings(max_examples=60)
@given(st.data())
def test_any_byte_that_is_changed_or_lost_is_a_fault(saved, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("broken")
    name = data.draw(st.sampled_from(["model", "weights"]))
    content = bytearray((saved / ("model.json" if name == "model" else "model.safetensors")).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= data.draw(st.integers(1, 255))
    else:
        del content[place:]
    try:
        found = Model.load(copied(saved, folder, **{name: bytes(content)}), "cpu")
    except Faults as faults:
        assert str(folder) in str(faults)
    else:  # white space between what model.json says
        assert name == "model" and found.about == Model.load(saved, "cpu").about


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists) | st.text()
)
def test_any_text_is_read_or_a_value_error(value):
    for text in (value if isinstance(value, str) else "", json.dumps(value), json.dumps({"format": value})):
        with pytest.raises(ValueError):
            About.read(text)


def test_an_onnx_file_cannot_read_another_file(tmp_path):
    export.to_onnx(model(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    weight = next(each for each in graph.graph.initializer if each.data_type == onnx.TensorProto.FLOAT)
    size = len(weight.raw_data) or 4 * len(weight.float_data)
    (tmp_path / "secret").write_bytes(bytes(size))
    weight.ClearField("raw_data")
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../secret"), ("offset", "0"), ("length", str(size))):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(Faults, match="is not an ONNX file that `export` wrote"):
        OnnxModel(tmp_path / "folder" / "model.onnx")


def test_an_onnx_file_whose_description_is_of_another_network(tmp_path):
    export.to_onnx(model(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    del graph.metadata_props[:]
    onnx.helper.set_model_props(graph, {"freqcnn": model(size=64).about.text()})
    onnx.save(graph, tmp_path / "other.onnx")
    with pytest.raises(Faults, match="its network does not match its description"):
        OnnxModel(tmp_path / "other.onnx")


def test_an_onnx_file_cannot_take_all_memory(tmp_path):
    """By one node, whose output onnxruntime would compute when it loads the file."""
    export.to_onnx(model(), tmp_path / "model.onnx")
    graph = onnx.load(tmp_path / "model.onnx")
    last = graph.graph.node[-1]
    name, last.output[0] = last.output[0], "before"
    graph.graph.initializer.append(count := onnx.numpy_helper.from_array(np.array([10**11]), "count"))
    graph.graph.node.extend(
        [
            onnx.helper.make_node("ConstantOfShape", [count.name], ["big"]),
            onnx.helper.make_node("ReduceMax", ["big"], ["most"], keepdims=0),
            onnx.helper.make_node("Add", ["before", "most"], [name]),
        ]
    )
    onnx.save(graph, tmp_path / "big.onnx")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loaded = OnnxModel(tmp_path / "big.onnx")
    with pytest.raises(Faults, match="big.onnx: cannot be run"):
        loaded.probabilities(IMAGES)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 500e6
