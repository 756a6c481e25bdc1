"""Operations against the arrays that the network multiplies, seconds against a clock set by hand."""

import math

import mxnet as mx
import numpy as np
import pytest
from mxnet import gluon

from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import cost
from freqcnn_gluon.training import loop as training


@pytest.mark.parametrize(
    "system, size, network",
    [
        ("table2", 32, {"segments": [4, 4, 4, 4, 2], "attention": "feature"}),
        ("table7", 32, {}),
        ("table10", 32, {}),
        ("fnn", 64, {}),
        ("cnn", 64, {}),
        ("alexnet", 64, {}),
        ("resnet18", 32, {}),
        ("resnet50", 32, {}),
    ],
)
def test_operations_count_every_multiplication_and_addition(system, size, network, monkeypatch):
    counts, convolution, dense = [], mx.nd.Convolution, mx.nd.FullyConnected

    def convolved(x, weight, *rest, **more):
        out = convolution(x, weight, *rest, **more)
        counts.append(2 * weight.size * math.prod(out.shape[2:]))  # every weight at every place of the output
        return out

    def multiplied(x, weight, *rest, **more):
        counts.append(2 * weight.size * (x.size // weight.shape[1]))
        return dense(x, weight, *rest, **more)

    monkeypatch.setattr(mx.nd, "Convolution", convolved)
    monkeypatch.setattr(mx.nd, "FullyConnected", multiplied)
    net = build(system, 3, size, **network)
    net.initialize()
    net(mx.nd.ones((1, 1, size, size))).wait_to_read()
    assert cost.operations(net, size) == sum(counts) > 0


def test_seconds_are_the_shortest_after_a_warm_up(monkeypatch):
    clock, calls = [0.0], []

    def takes(seconds, kind):
        calls.append(kind)
        clock[0] += seconds[calls.count(kind) - 1]

    monkeypatch.setattr(cost.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(training, "_gradients", lambda *arguments: takes((100, 8, 12), "gradients"))
    monkeypatch.setattr(gluon.Trainer, "step", lambda *arguments: takes((100, 3, 1), "step"))
    monkeypatch.setattr(training, "predict", lambda *arguments: takes((100, 2, 6), "prediction"))
    net = build("fnn", 3, 16)
    assert cost.seconds(net, 3, 16, mx.cpu()) == cost.Seconds(8 / 4, 1, 2 / 4)
    assert calls == ["gradients", "step", "prediction"] * 3


def test_the_measured_step_computes_gradients(monkeypatch):
    dtypes = []
    net = build("fnn", 3, 16)
    monkeypatch.setattr(runtime, "mixed_precision", dtypes.append)  # it would hold for the whole process
    seconds = cost.seconds(net, 3, 16, mx.cpu(), "bfloat16")
    assert dtypes == ["bfloat16"]
    assert min(seconds.sample, seconds.step, seconds.prediction) > 0
    trained = [value for value in net.collect_params().values() if value.grad_req != "null"]
    gradients = [parameter.grad().asnumpy() for parameter in trained]
    assert all(np.abs(gradient).sum() > 0 for gradient in gradients)


def test_gpu_hours_assume_a_share_of_the_peak():
    assert cost.gpu_hours(3600 * 5.6e12, "V100") == pytest.approx(1)
    assert cost.gpu_hours(3600 * 15.6e12, "A100") == pytest.approx(2)
