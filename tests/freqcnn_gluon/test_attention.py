"""The attention-based block against Eqs. (9) to (11), written out literally."""

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import AttentionRow, BlockRow, Conv, architecture
from freqcnn_gluon.network.attention import INPUTS, Attention, AttentionBlock
from freqcnn_gluon.network.blocks import Norm

ROW = BlockRow(
    Conv(3, 3, "sigmoid"), Conv(3, 3, "tanh"), AttentionRow(((5, "tanh"), (4, "tanh"), (1, "sigmoid")))
)
CPU = mx.cpu()


def block_in_float64(**arguments) -> AttentionBlock:
    mx.random.seed(3)
    block = AttentionBlock(ROW, 2, (8, 4), norm=Norm(gamma=1), **arguments)
    block.initialize(mx.init.Normal(0.4))
    block.cast("float64")
    return block


def joined(a_k: mx.nd.NDArray, place: tuple[int, ...], reading: str) -> mx.nd.NDArray:
    """Return what [p_i; a_k] has of one sample's a_k (channels, freq, time).

    Args:
        place: The number of feature map i, or the location (f, t) of p_i.
        reading: The ``attention_input``.
    """
    if reading == "flatten":
        return a_k.reshape(-1)
    channels, freq, time = a_k.shape
    if len(place) == 1:  # feature-based
        return (a_k.mean(axis=0) if reading == "pooled" else a_k[place[0]]).reshape(-1)
    if reading == "pooled":
        return mx.nd.stack(*[a_k[channel].mean() for channel in range(channels)]).reshape(-1)
    f, t = place
    return a_k[:, f % freq, t % time]  # only the side that is split is shorter than that of A^g


def literal(block: AttentionBlock, x: np.ndarray, feature: bool, reading: str) -> mx.nd.NDArray:
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
            places = np.ndindex(maps.shape[:1] if feature else maps.shape[1:])
            for place in places:
                p_i = maps[place[0]] if feature else maps[:, place[0], place[1]]
                h = mx.nd.concat(p_i.reshape(-1), joined(a_k[sample], place, reading), dim=0)
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
@pytest.mark.parametrize("reading", INPUTS)
def test_equals_the_literal_equations(reading, segments, attention, axis, hybrid):
    block = block_in_float64(segments=segments, attention=attention, axis=axis, attention_input=reading)
    x = mx.nd.random.normal(shape=(2, 2, 8, 4), dtype="float64")
    y = mx.nd.random.normal(
        shape=(2, 3, 8, 4), dtype="float64"
    )  # weights of the outputs, so that each output counts
    parameters = {name: p for name, p in block.collect_params().items() if p.grad_req != "null"}
    results = []
    for function in (block, lambda x: literal(block, x, attention == "feature", reading)):
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
    x = mx.nd.random.normal(shape=(2, 2, 8, 4), dtype="float64")
    expected = block.global_(x).asnumpy() * (1 + 4 / (1 + np.exp(-0.7)))
    for _ in range(2):
        np.testing.assert_allclose(block(x).asnumpy(), expected, rtol=1e-12)
        block.hybridize()


def test_shapes():
    attention = Attention(ROW.attention, part_length=6, local_length=10)
    attention.initialize()
    assert attention(mx.nd.ones((2, 7, 6)), mx.nd.ones((2, 3, 1, 10))).shape == (2, 3, 7)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"attention": "both"}, "feature, spatial"),
        ({"attention_input": "mean"}, "flatten, pooled, same"),
        ({"segments": 0}, "set segments to 1 or more"),
        ({"axis": "depth"}, "frequency, time"),
    ],
)
def test_faults(arguments, message):
    with pytest.raises(Faults, match=message):
        AttentionBlock(ROW, 2, (8, 8), **arguments)


def test_the_same_map_needs_as_many_local_as_global_maps():
    row = BlockRow(Conv(2, 3, "sigmoid"), ROW.global_, ROW.attention)
    for reading in ("flatten", "pooled"):
        AttentionBlock(row, 2, (8, 8), attention_input=reading)
    with pytest.raises(Faults, match="as many local as global maps, not 2 and 3: choose flatten or pooled"):
        AttentionBlock(row, 2, (8, 8), attention_input="same")


@pytest.mark.parametrize("attention", ["feature", "spatial"])
def test_the_other_inputs_are_shorter(attention):
    """The paper's block 4 of Table 2: 128 maps of 32 x 32 in two parts."""
    row, lengths = architecture("table2").rows[3][0], {}
    for reading in INPUTS:
        block = AttentionBlock(row, 128, (32, 32), attention=attention, attention_input=reading)
        lengths[reading] = block.attention.of_local.weight.shape[1]
    short = 32 * 32 // 2 if attention == "feature" else 128
    assert lengths == {"flatten": 128 * 32 * 32 // 2, "pooled": short, "same": short}


def test_last_layer_is_one_weight():
    row = BlockRow(ROW.local, ROW.global_, AttentionRow(((5, "tanh"), (2, "sigmoid"))))
    with pytest.raises(Faults, match="width 1"):
        AttentionBlock(row, 2, (8, 8))
