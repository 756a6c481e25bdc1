"""The convolutional blocks against numpy, scipy and Eqs. (7) and (8)."""

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn
from scipy.signal import correlate2d

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import BlockRow, Conv, PoolRow
from freqcnn_gluon.network.blocks import (
    BATCHNORM_DEFAULTS,
    BasicBlock,
    ConvAndPool,
    ConvUnit,
    Norm,
    activation,
)

ROW = BlockRow(Conv(3, 5, "sigmoid"), Conv(3, 5, "tanh"))
EPSILON = 1e-5  # of MXNet's BatchNorm in Gluon


def started(block):
    block.initialize(mx.init.Normal(0.3))
    block.cast("float64")
    return block


def noise(*shape):
    return mx.nd.array(np.random.default_rng(1).normal(size=shape), dtype="float64")


def normed(x, epsilon=EPSILON):
    """Apply BatchNorm over a batch with gamma 1 and beta 0."""
    mean, variance = x.mean(axis=(0, 2, 3), keepdims=True), x.var(axis=(0, 2, 3), keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def convolved(x, weight, bias, stride=1):
    """Convolve with zero padding by scipy, channel by channel."""
    out = np.zeros((len(x), len(weight), *x.shape[2:]))
    for sample in range(len(x)):
        for o in range(len(weight)):
            out[sample, o] = bias[o] + sum(
                correlate2d(x[sample, i], weight[o, i], mode="same") for i in range(x.shape[1])
            )
    return out[:, :, ::stride, ::stride]


@pytest.mark.parametrize("batchnorm", ["both", "convolution"])
@pytest.mark.parametrize("stride", [1, 2])
def test_conv_unit_is_bn_conv_bn_activation(stride, batchnorm):
    unit = started(ConvUnit(Conv(3, 5, "tanh", stride), 2, Norm(batchnorm, gamma=0.5)))
    x = noise(4, 2, 8, 6)
    conv = next(layer for layer in unit if isinstance(layer, nn.Conv2D))
    conv.bias.set_data(mx.nd.array([0.1, -0.2, 0.3], dtype="float64"))
    expected = convolved(
        normed(x.asnumpy()), conv.weight.data().asnumpy(), conv.bias.data().asnumpy(), stride
    )
    expected = np.tanh(0.5 * normed(expected) if batchnorm == "both" else expected)
    for _ in range(2):
        with autograd.train_mode():
            np.testing.assert_allclose(unit(x).asnumpy(), expected, atol=1e-9)
        unit.hybridize(static_alloc=True, static_shape=True)


@pytest.mark.parametrize("gamma", [0.1, 0.5])
def test_the_defaults_of_module_fix_the_scale_at_one(gamma):
    unit = started(ConvUnit(Conv(3, 5, "tanh"), 2, Norm(gamma=gamma, defaults="module")))
    first, conv, second, _ = unit
    x, weights = noise(4, 2, 8, 6) * 0.05, noise(4, 3, 8, 6)  # so small that the epsilon matters
    for norm in (first, second):
        norm.gamma.set_data(mx.nd.full(norm.gamma.shape, 7, dtype="float64"))  # is not used
    normalised = normed(x.asnumpy(), 1e-3)
    with autograd.train_mode():  # the operator with its own defaults, as Module's users call it
        arrays = [mx.nd.array(np.full(2, number), dtype="float64") for number in (7, 0, 0, 1)]
        reference = mx.nd.BatchNorm(x, *arrays).asnumpy()
    np.testing.assert_allclose(normalised, reference, atol=1e-9)
    expected = convolved(normalised, conv.weight.data().asnumpy(), conv.bias.data().asnumpy())
    expected = np.tanh(normed(expected, 1e-3))
    unit.hybridize(static_alloc=True, static_shape=True)
    with autograd.record():
        made = unit(x)
        loss = (made * weights).sum()
    loss.backward()
    np.testing.assert_allclose(made.asnumpy(), expected, atol=1e-9)
    assert first.gamma.grad_req == second.gamma.grad_req == "null"
    assert np.abs(second.beta.grad().asnumpy()).min() > 0


@pytest.mark.parametrize("defaults", BATCHNORM_DEFAULTS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_lifted_unit_computes_the_same_and_convolves_an_image_on_two_channels(channels, defaults):
    x, weights = noise(3, channels, 8, 6), noise(3, 4, 8, 6)
    results = []
    for lifted in (False, True):
        mx.random.seed(0)
        unit = started(ConvUnit(Conv(4, 5, "tanh"), channels, Norm(gamma=0.5, defaults=defaults)))
        if defaults == "gluon":
            unit[0].gamma.set_data(mx.nd.array(np.linspace(0.7, 0.9, channels), dtype="float64"))
        unit[0].beta.set_data(mx.nd.array(np.linspace(-0.4, 0.3, channels), dtype="float64"))
        if lifted:
            unit.lift()
        unit.hybridize(static_alloc=True, static_shape=True)
        with autograd.record():  # as in training, the image's gradient is not computed
            made = unit(x)
            loss = (made * weights).sum()
        loss.backward()
        parameters = unit._collect_params_with_prefix()
        gradients = {name: p.grad() for name, p in parameters.items() if p.grad_req != "null"}
        states = {name: p.data() for name, p in parameters.items() if p.grad_req == "null"}
        results.append({"trained": made, **gradients, **states, "predicted": unit(x)})
        shapes = unit(mx.sym.Variable("x")).get_internals().infer_shape(x=x.shape)[1]
        assert ((3, 2, 8, 6) in shapes) == (lifted or channels == 2)
    assert results[0].keys() == results[1].keys() and len(results[0]) == 12
    assert ("0.gamma" in states) == (defaults == "module")  # it is not trained then
    for name in results[0]:
        np.testing.assert_allclose(
            results[1][name].asnumpy(), results[0][name].asnumpy(), atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("axis", ["frequency", "time"])
@pytest.mark.parametrize("segments", [1, 2, 4, 8])
def test_basic_block_is_eq_8(segments, axis, hybrid):
    block = started(BasicBlock(ROW, 2, segments, axis))
    x = noise(2, 2, 16, 16)
    number = {"frequency": 2, "time": 3}[axis]
    parts = np.split(x.asnumpy(), segments, axis=number)
    local = [unit(mx.nd.array(part, dtype="float64")).asnumpy() for unit, part in zip(block.local, parts)]
    expected = block.global_(x).asnumpy() + np.concatenate(local, axis=number)
    if hybrid:
        block.hybridize(static_alloc=True, static_shape=True)
    np.testing.assert_allclose(block(x).asnumpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("axis", ["frequency", "time"])
def test_splits_reassemble(axis):
    """If the local path is the identity, the local features are the input."""
    block = started(
        BasicBlock(
            BlockRow(Conv(2, 1, "identity"), Conv(2, 1, "tanh")),
            2,
            4,
            axis,
            local_only=True,
            norm=Norm(gamma=1),
        )
    )
    for unit in block.local:
        unit[1].weight.set_data(mx.nd.array(np.eye(2)[:, :, None, None], dtype="float64"))
        unit[0]._kwargs["eps"] = unit[2]._kwargs["eps"] = 0
    x = noise(2, 2, 8, 8)
    np.testing.assert_allclose(block(x).asnumpy(), x.asnumpy(), rtol=1e-4)
    assert len(block.local) == 4


def test_each_unit_has_its_own_weights_and_sees_only_its_part():
    block = started(BasicBlock(ROW, 1, 2, local_only=True))
    x = noise(1, 1, 16, 16)
    before = block(x).asnumpy()
    x[:, :, 8:] = 5  # the upper half of the frequencies
    after = block(x).asnumpy()
    np.testing.assert_array_equal(before[:, :, :8], after[:, :, :8])
    assert np.abs(before[:, :, 8:] - after[:, :, 8:]).max() > 1e-3
    first, second = (unit[1].weight.data().asnumpy() for unit in block.local)
    assert np.abs(first - second).max() > 1e-3


def test_global_only_has_no_local_path():
    block = started(BasicBlock(ROW, 2, 0))
    x = noise(2, 2, 8, 8)
    np.testing.assert_array_equal(block(x).asnumpy(), block.global_(x).asnumpy())
    assert block.local is None and len(block.global_) == 2


def test_conv_and_pool():
    stage = started(ConvAndPool(PoolRow((Conv(4, 7, "tanh"),), dropout=0.5), 2))
    x = noise(2, 2, 8, 8)
    unit = stage[0](x).asnumpy()
    expected = unit.reshape(2, 4, 4, 2, 4, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(stage(x).asnumpy(), expected)
    with autograd.train_mode():
        assert 0.2 < (stage(x).asnumpy() == 0).mean() < 0.8  # by dropout

    stage = started(ConvAndPool(PoolRow((Conv(4, 5, "tanh", 2), Conv(6, 5, "tanh", 2)), pool="avg"), 2))
    assert stage(x).shape == (2, 6)
    np.testing.assert_allclose(
        stage(x).asnumpy(), stage[1](stage[0](x)).asnumpy().mean(axis=(2, 3)), rtol=1e-12
    )


def test_every_activation_computes_its_function():
    x = np.linspace(-3, 3, 13)
    expected = {
        "identity": x,
        "leaky": np.where(x > 0, x, 0.01 * x),
        "relu": np.maximum(x, 0),
        "sigmoid": 1 / (1 + np.exp(-x)),
        "softrelu": np.log1p(np.exp(x)),
        "softsign": x / (1 + np.abs(x)),
        "swish": x / (1 + np.exp(-x)),
        "tanh": np.tanh(x),
    }
    for name, values in expected.items():
        layer = activation(name)
        layer.initialize()
        np.testing.assert_allclose(
            layer(mx.nd.array(x, dtype="float64")).asnumpy(), values, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: activation("tan"), "elu, gelu, identity"),
        (lambda: Norm("after"), "both, convolution"),
        (lambda: Norm(defaults="torch"), "gluon, module"),
        (lambda: BasicBlock(ROW, 1, 0, local_only=True), "local only"),
        (lambda: BasicBlock(ROW, 1, axis="phase"), "frequency, time"),
    ],
)
def test_faults(make, message):
    with pytest.raises(Faults, match=message):
        make()
