"""FreqCNN as a whole: its graph, its rows, its ablations and its faults."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import SymbolBlock

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import ARCHITECTURES, architecture
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.describe import describe, parameter_count
from freqcnn_gluon.network.freqcnn import FreqCNN

SIZE = 64


def started(name: str, **arguments) -> FreqCNN:
    net = FreqCNN(architecture(name), size=arguments.pop("size", SIZE), **arguments)
    mx.random.seed(1)
    net.initialize(mx.init.Xavier())
    return net


def images(count: int = 2, size: int = SIZE) -> mx.nd.NDArray:
    return mx.nd.array(np.random.default_rng(0).random((count, 1, size, size)))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_imperative_hybridized_and_exported_networks_agree(name, tmp_path):
    net, x = started(name, gamma=1), images()
    imperative = net(x).asnumpy()
    assert imperative.shape == (2, ARCHITECTURES[name].classes)
    assert np.abs(imperative[0] - imperative[1]).max() > 1e-7  # the output depends on the input
    net.hybridize(static_alloc=True, static_shape=True)
    np.testing.assert_allclose(net(x).asnumpy(), imperative, rtol=1e-4, atol=1e-5)
    net.export(str(tmp_path / "net"))
    loaded = SymbolBlock.imports(
        str(tmp_path / "net-symbol.json"), ["data"], str(tmp_path / "net-0000.params")
    )
    np.testing.assert_allclose(loaded(x).asnumpy(), imperative, rtol=1e-4, atol=1e-5)


def test_describe_counts_and_shapes():
    net = started("table2", size=256)
    rows = describe(net)
    assert rows["Output"].tolist()[:3] == ["64 × 256 × 256", "64 × 128 × 128", "64 × 128 × 128"]
    assert rows["Output"].tolist()[-4:] == ["", "512", "512", "3"]
    assert rows["Parameters"].sum() == parameter_count(net)
    # By hand, block 1: BN 2·1 + conv 64·25·1+64 + BN 2·64 for each half, then the global pair.
    half = 2 + 64 * 25 + 64 + 128
    second = 2 * 64 + 64 * 25 * 64 + 64 + 128
    assert rows["Parameters"][0] == 2 * half + half + second
    # Block 4's first W1 is 512 × (32² + 128 · 32² / 2).
    assert rows["Parameters"][7] == 512 * (1024 + 65536) + 512 + 256 * 512 + 256 + 256 + 1


@pytest.mark.parametrize(
    "arguments, attention",
    [
        ({"segments": 4}, 2),
        ({"segments": (8, 8, 4, 4, 2)}, 2),
        ({"segments": 0, "attention_blocks": 0}, 0),
        ({"local_only": True, "attention_blocks": 0}, 0),
        ({"attention_blocks": 3}, 3),
        ({"attention_blocks": 1, "attention": "spatial", "axis": "time"}, 1),
        ({"local_activation": "relu", "global_activation": "elu"}, 2),
        ({"batchnorm": "convolution", "conv_pool_activation": "relu"}, 2),
        ({"attention_input": "pooled", "segments": 4}, 2),
        ({"attention_input": "same", "attention": "spatial", "axis": "time", "attention_blocks": 3}, 2 + 1),
        ({"batchnorm_defaults": "module", "conv_pool_activation": "identity"}, 2),
    ],
)
def test_ablations_run_hybridized(arguments, attention):
    net, x = started("table7", **arguments), images()
    blocks = [isinstance(stage, AttentionBlock) for stage in list(net.stages)[0::2]]
    assert blocks == [False] * (5 - attention) + [True] * attention
    imperative = net(x).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    np.testing.assert_allclose(net(x).asnumpy(), imperative, rtol=1e-4, atol=1e-5)


def test_arguments_reach_the_layers():
    net = FreqCNN(
        architecture("table2"),
        classes=5,
        local_activation="relu",
        global_activation="sigmoid",
        conv_pool_activation="softsign",
        attention_blocks=3,
    )
    rows = describe(net)
    assert rows["Local convolution"][0].endswith("relu") and rows["Global convolution"][0].endswith("sigmoid")
    assert rows["Global convolution"][1].endswith("softsign")
    assert "fc: 512, tanh; 256, tanh; 1, sigmoid" in rows["Global convolution"][5]  # block 3 uses block 4's
    assert rows["Global convolution"].iloc[-1] == "5-way softmax"


def test_without_an_activation_the_cells_are_the_papers():
    rows = describe(FreqCNN(architecture("table2"), conv_pool_activation="identity"))
    assert rows["Global convolution"][[1, 3]].tolist() == ["64, 7 × 7/1", "96, 7 × 7/1"]
    assert rows["Global convolution"][0] == "64, 5 × 5/1, tanh"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"size": 60}, "multiple of 32"),
        ({"size": 64, "segments": 8}, "multiple of 128"),
        ({"size": 32, "segments": (8, 8, 8, 4, 4)}, "multiple of 64"),
        ({"segments": (2, 2)}, "one for each of the 5 blocks, not 2"),
        ({"attention_blocks": 6}, "0 to 5"),
        ({"local_only": True}, "set attention_blocks to 0"),
        ({"segments": 0}, "segments to 1 or more"),
        ({"conv_pool_activation": "step"}, "no activation 'step'"),
    ],
)
def test_faults(arguments, message):
    with pytest.raises(Faults, match=message):
        FreqCNN(architecture("table2"), **arguments)


def test_an_unknown_architecture_lists_all():
    with pytest.raises(Faults, match="table2, table7, table10"):
        architecture("table3")
