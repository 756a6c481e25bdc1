"""The networks that FreqCNN is compared with: layers, parameters and names."""

import mxnet as mx
import numpy as np
import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.network.zoo import ZOO, build


@pytest.mark.parametrize("name", [name for name in ZOO if name not in ARCHITECTURES])
def test_compared_networks_run_hybridized(name):
    net = build(name, 5, 64)
    mx.random.seed(0)
    net.initialize(mx.init.Xavier())
    x = mx.nd.array(np.random.default_rng(0).random((2, 1, 64, 64)))
    imperative = net(x).asnumpy()
    assert imperative.shape == (2, 5)
    net.hybridize(static_alloc=True, static_shape=True)
    np.testing.assert_allclose(net(x).asnumpy(), imperative, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    "name, published",
    # torchvision's documented counts, less 3 -> 1 input channels and 1000 -> 3 classes.
    [
        ("alexnet", 61_100_840 - 2 * 64 * 121 - 997 * 4097),
        ("vgg11", 132_863_336 - 2 * 64 * 9 - 997 * 4097),
        ("resnet18", 11_689_512 - 2 * 64 * 49 - 997 * 513),
    ],
)
def test_compared_networks_are_the_known_networks(name, published):
    net = build(name, 3, 224)
    net.initialize()
    net(mx.nd.zeros((1, 1, 224, 224)))
    assert parameter_count(net) == published


@pytest.mark.parametrize("size, factor", [(16, 4), (32, 2), (62, 2), (63, 1), (64, 1)])
def test_alexnet_takes_images_that_are_too_small_for_it_enlarged(size, factor):
    small, large = build("alexnet", 3, size), build("alexnet", 3, size * factor)
    x = np.random.default_rng(0).random((2, 1, size, size)).astype("float32")
    seen = []
    for net, image in ((small, x), (large, x.repeat(factor, axis=2).repeat(factor, axis=3))):
        mx.random.seed(0)
        net.initialize(mx.init.Xavier())
        seen.append(net(mx.nd.array(image)).asnumpy())
    np.testing.assert_array_equal(*seen)
    assert np.ptp(seen[0]) > 0


def test_small_networks_have_the_layers_that_their_names_promise():
    for name, layers in (("fnn", 3), ("cnn", 5)):
        weights = [key for key in build(name, 3, 64).collect_params() if key.endswith("weight")]
        assert len(weights) == layers


def test_an_unknown_network_lists_every_name():
    with pytest.raises(Faults, match="table2, table7, table10, fnn, cnn, alexnet"):
        build("resnet19", 3, 64)
