"""The attention-based block against Eqs. (9) to (11), written out literally."""

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import AttentionRow, BlockRow, Conv
from freqcnn_gluon.network.attention import Attention, AttentionBlock
from freqcnn_gluon.network.blocks import Norm

ROW = BlockRow(
    Conv(3, 3, "sigmoid"), Conv(3, 3, "tanh"), AttentionRow(((5, "tanh"), (4, "tanh"), (1, "sigmoid")))
)
CPU = mx.cpu()


def block_in_float64(**arguments) -> AttentionBlock:
    mx.random.seed(3)
    block = AttentionBlock(ROW, 2, (8, 8), norm=Norm(gamma=1), **arguments)
    block.initialize(mx.init.Normal(0.4))
    block.cast("float64")
    return block


def literal(block: AttentionBlock, x: np.ndarray, feature: bool) -> mx.nd.NDArray:
    """Compute Eqs. (9) to (11) literally: concatenate [p_i; a_k] for every i and k, with W1 as one matrix."""
    attention, n, side = block.attention, len(block.local), x.shape[block._axis]
    parts = [mx.nd.slice_axis(x, block._axis, k * side // n, (k + 1) * side // n) for k in range(n)]
    global_ = block.global_(x)
    locals_ = [unit(part) for unit, part in zip(block.local, parts)]
    w1 = mx.nd.concat(attention.of_parts.weight.data(), attention.of_local.weight.data(), dim=1)
    layers = [(w1, attention.of_parts.bias.data(), mx.nd.tanh)]
    for dense, act in zip(attention.others[0::2], attention.others[1::2]):
        layers.append((dense.weight.data(), dense.bias.data(), getattr(mx.nd, act._act_type)))
    samples = []
    for sample in range(x.shape[0]):
        total = global_[sample]
        for a_k in locals_:
            weighted = []
            maps = global_[sample]  # (channels, freq, time)
            pieces = [maps[i] for i in range(maps.shape[0])]
            if not feature:
                pieces = [maps[:, i, j] for i in range(maps.shape[1]) for j in range(maps.shape[2])]
            for p_i in pieces:
                h = mx.nd.concat(p_i.reshape(-1), a_k[sample].reshape(-1), dim=0)
                for weight, bias, act in layers:
                    h = act(mx.nd.dot(weight, h) + bias)
                weighted.append(p_i * h)
            stacked = mx.nd.stack(*weighted)
            total = total + (stacked if feature else stacked.T.reshape(maps.shape))
        samples.append(total)
    return mx.nd.stack(*samples)


@pytest.mark.parametrize("hybrid", [False, True])
@pytest.mark.parametrize("axis", ["frequency", "time"])
@pytest.mark.parametrize("attention", ["feature", "spatial"])
@pytest.mark.parametrize("segments", [1, 2, 4])
def test_equals_the_literal_equations(segments, attention, axis, hybrid):
    block = block_in_float64(segments=segments, attention=attention, axis=axis)
    x = mx.nd.random.normal(shape=(2, 2, 8, 8), dtype="float64")
    y = mx.nd.random.normal(
        shape=(2, 3, 8, 8), dtype="float64"
    )  # weights of the outputs, so that each output counts
    parameters = {name: p for name, p in block.collect_params().items() if p.grad_req != "null"}
    results = []
    for function in (block, lambda x: literal(block, x, attention == "feature")):
        if hybrid and function is block:
            block.hybridize(static_alloc=True, static_shape=True)
        if function is not block:
            block.hybridize(False)
        x.attach_grad()
        with autograd.record(train_mode=False):
            out = function(x)
            (out * y).sum().backward()
        results.append([out.asnumpy(), x.grad.asnumpy(), *(p.grad().asnumpy() for p in parameters.values())])
    for name, ours, reference in zip(["output", "input", *parameters], *results):
        np.testing.assert_allclose(ours, reference, rtol=1e-10, atol=1e-10, err_msg=name)
        assert "bias" in name or np.abs(reference).max() > 1e-4, f"{name}: nothing was compared"


def test_closed_form_of_constant_weights():
    """With zero weights every h is sigmoid(b): A = A^g (1 + n sigmoid(b))."""
    block = block_in_float64(segments=4)
    for parameter in block.attention.collect_params().values():
        parameter.set_data(mx.nd.zeros(parameter.shape, dtype="float64"))
    block.attention.others[-2].bias.set_data(mx.nd.array([0.7], dtype="float64"))
    x = mx.nd.random.normal(shape=(2, 2, 8, 8), dtype="float64")
    expected = block.global_(x).asnumpy() * (1 + 4 / (1 + np.exp(-0.7)))
    for _ in range(2):
        np.testing.assert_allclose(block(x).asnumpy(), expected, rtol=1e-12)
        block.hybridize()


def test_shapes():
    attention = Attention(ROW.attention, part_length=6, local_length=10)
    attention.initialize()
    assert attention(mx.nd.ones((2, 7, 6)), mx.nd.ones((2, 3, 10))).shape == (2, 3, 7)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"attention": "both"}, "feature, spatial"),
        ({"segments": 0}, "set segments to 1 or more"),
        ({"axis": "depth"}, "frequency, time"),
    ],
)
def test_faults(arguments, message):
    with pytest.raises(Faults, match=message):
        AttentionBlock(ROW, 2, (8, 8), **arguments)


def test_last_layer_is_one_weight():
    row = BlockRow(ROW.local, ROW.global_, AttentionRow(((5, "tanh"), (2, "sigmoid"))))
    with pytest.raises(Faults, match="width 1"):
        AttentionBlock(row, 2, (8, 8))
