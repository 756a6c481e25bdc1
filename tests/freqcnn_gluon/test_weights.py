"""Weights are read back as they were written, and files of other networks are refused."""

import resource

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from data_prep.base.files import checksum
from freqcnn_gluon.network import weights

CPU = [mx.cpu()]


def dense(inputs=4) -> nn.Dense:
    return nn.Dense(3, in_units=inputs)


@pytest.fixture
def saved(tmp_path):
    net = dense()
    net.initialize(mx.init.Normal(1))
    weights.save_parameters(net, tmp_path / "net.safetensors")
    return net, tmp_path / "net.safetensors"


@pytest.mark.parametrize("inputs", [4, 0])
@pytest.mark.parametrize("initialised", [False, True])
def test_weights_are_read_on_every_device_whether_shapes_are_known_or_not(saved, inputs, initialised):
    net, path = saved
    devices, again = [mx.cpu(0), mx.cpu(1)], dense(inputs)
    if initialised:
        again.initialize(ctx=devices)
    weights.load_parameters(again, path, devices, checksum(path))
    for copy in again.weight.list_data():
        np.testing.assert_array_equal(copy.asnumpy(), net.weight.data().asnumpy())


@pytest.mark.parametrize(
    "changed",
    [
        {"weight": np.zeros((3, 5), np.float32)},
        {"weight": np.zeros((4, 3), np.float32)},
        {"bias": np.zeros((3, 1), np.float32)},
        {"bias": np.zeros(3, np.int32)},
        {"more": np.zeros(3, np.float32)},
    ],
)
def test_weights_of_another_network_are_refused_before_any_is_set(saved, changed):
    net, path = saved
    before = weights.get_parameters(net)
    weights.save_arrays({**before, **changed}, path)
    with pytest.raises(ValueError, match="its weights are of another network"):
        weights.load_parameters(net, path, CPU)
    for name, value in weights.get_parameters(net).items():
        np.testing.assert_array_equal(value, before[name])


def test_another_file_is_refused(saved):
    net, path = saved
    for recorded in ("", "None", checksum(__file__)):
        with pytest.raises(ValueError, match="does not match its recorded SHA-256"):
            weights.load_parameters(net, path, CPU, recorded)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="it has 20 bytes, but these weights take 60"):
        weights.load_parameters(net, path, CPU)


@pytest.mark.parametrize("missing", [10, 5000])
def test_a_disk_that_fills_up_leaves_the_old_file_whole(tmp_path, missing):
    net = nn.Dense(300, in_units=1024)
    net.initialize()
    weights.save_parameters(net, tmp_path / "net.safetensors")
    content = (tmp_path / "net.safetensors").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) - missing, hard))
    try:
        with pytest.raises(OSError, match="net.safetensors"):
            weights.save_parameters(net, tmp_path / "net.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    assert (tmp_path / "net.safetensors").read_bytes() == content
