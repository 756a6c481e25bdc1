"""The gradients of kernel taps that meet only zero padding, in float32 and in bfloat16."""

import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import nn

from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.padding import inner_taps

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 4])
@pytest.mark.parametrize("kernel, pad", [(1, 0), (3, 1), (5, 2), (7, 3), (7, 2), (11, 5)])
def test_the_inner_taps_are_those_with_a_gradient(kernel, pad, stride, size):
    if size + 2 * pad < kernel:
        return  # there is no place for the kernel
    net = nn.HybridSequential()
    net.add(nn.Conv2D(1, (kernel, 3), (stride, 1), (pad, 1), in_channels=1))
    net.initialize(mx.init.One())
    weight = net[0].weight
    with autograd.record():
        net(mx.nd.ones((1, 1, size, size))).backward()
    inner, found = weight.grad().asnumpy() != 0, inner_taps(net, (size, size))
    assert (weight.name in found) == (not inner.all())
    mask = np.zeros(weight.shape, bool)
    mask[found.get(weight.name, ())] = True
    np.testing.assert_array_equal(mask, inner)


def test_the_networks_have_outer_taps_in_small_images_only():
    # the local paths of blocks 4 and 5, whose parts have 2 and 1 rows, and the last two convolutions
    assert len(inner_taps(build("table10", 6, 32), (32, 32))) == 6
    assert not inner_taps(build("table10", 6, 224), (224, 224))


@pytest.mark.skipif(not runtime._cpu_has("avx512bw"), reason="bfloat16 needs AVX-512")
def test_a_step_in_bfloat16_zeroes_these_gradients_and_no_other():
    """The networks that have maps of height or width 1 at 32 x 32. The C library fills memory with 3e38."""
    code = """
import freqcnn_gluon
import mxnet as mx, numpy as np
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import loop
from freqcnn_gluon.training.padding import inner_taps
from freqcnn_gluon.training.settings import Settings
from freqcnn_gluon.training.workers import Workers

def gradients(net):
    parameters = net.collect_params()
    return {name: p.grad().asnumpy() for name, p in parameters.items() if p.grad_req != "null"}

def recorded(net, *arguments):
    result = computed(net, *arguments)
    before.update(gradients(net))
    return result

before, computed, loop._gradients = {}, loop._gradients, recorded
images = np.random.default_rng(0).random((7, 32, 32), dtype=np.float32)
examples = loop.Examples(images, np.arange(7), np.arange(7) % 3)
for name, micro_batch, options in (
    ("table2", 7, {}), ("table7", 7, {}), ("table10", 7, {}), ("table10", 4, {"axis": "time"}),
    ("resnet18", 4, {}),  # its gradients add up over two micro-batches, as the one before
):
    settings = Settings(epochs=1, batch_size=7, micro_batch=micro_batch, dtype="bfloat16")
    net = build(name, 3, 32, **options)
    inner = inner_taps(net, (32, 32))
    arguments = net, settings, examples, {}, 3, [mx.cpu()], None, "", Workers()
    before.clear()
    loop.Training(*arguments).step(np.arange(7), 0)
    assert inner and before.keys() >= inner.keys()
    for weight, after in gradients(net).items():
        expected = np.zeros_like(after)
        taps = inner.get(weight, ())
        expected[taps] = before[weight][taps]
        assert (after == expected).all(), f"{name}: {weight}"
"""
    words, poisoned = [sys.executable, "-c", code], {"MALLOC_PERTURB_": "128", "OMP_NUM_THREADS": "1"}
    environment = os.environ | poisoned
    done = subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
