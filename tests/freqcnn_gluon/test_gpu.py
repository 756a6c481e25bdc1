"""What a training does differently on a GPU, with CPU contexts, fake cards and MXNet's own memory planner."""

import re
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from test_training import examples, settings

from data_prep.base.faults import Faults
from freqcnn_gluon import devices, runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.blocks import Dropout, activation, replace_dropout
from freqcnn_gluon.network.zoo import ZOO, build
from freqcnn_gluon.training import gpu, memory
from freqcnn_gluon.training.cost import PEAK, gpu_hours
from freqcnn_gluon.training.loop import Training, compute_in, train
from freqcnn_gluon.training.operations import operations
from freqcnn_gluon.training.workers import Workers

ROOT = Path(__file__).resolve().parents[2]
GPUS = [mx.gpu(0), mx.gpu(1)]
VARIANTS = [(name, {}) for name in ZOO] + [
    ("table2", {"attention_blocks": 3}),
    ("table2", {"attention": "spatial"}),
    ("table2", {"segments": 0, "attention_blocks": 0}),
    ("table7", {"fc_batchnorm": True}),
    ("table10", {"local_activation": "relu", "global_activation": "sigmoid"}),
]


@pytest.mark.parametrize("name, network", VARIANTS)
def test_no_graph_leaves_dropout_to_cudnn(name, network):
    graph = build(name, 3, 64, **network)(mx.sym.Variable("data")).tojson()
    assert '"cudnn_off": "False"' not in graph and '"cudnn_off": "0"' not in graph
    assert graph.count('"op": "Dropout"') == graph.count('"cudnn_off": "True"')
    if name in ("table2", "table7", "table10", "alexnet", "vgg11"):
        assert '"op": "Dropout"' in graph


def test_no_module_uses_mxnets_dropout():
    """The peers' networks, too, which are built where they are trained."""
    paths = [path for package in ("freqcnn_gluon", "reproduce") for path in (ROOT / package).rglob("*.py")]
    assert not [path for path in paths if "nn.Dropout(" in path.read_text()]


@pytest.mark.parametrize("hybrid", [False, True])
def test_dropout_draws_what_mxnets_draws_on_a_cpu(hybrid):
    outputs = []
    for layer in (nn.Dropout(0.3), Dropout(0.3)):
        if hybrid:
            layer.hybridize(static_alloc=True, static_shape=True)
        runtime.seed(4)
        with mx.autograd.train_mode():
            outputs.append([layer(mx.nd.ones((7, 50))).asnumpy() for _ in range(3)])
    np.testing.assert_array_equal(*outputs)
    assert 0.2 < (np.array(outputs[0]) == 0).mean() < 0.4
    assert repr(Dropout(0.3)) == repr(nn.Dropout(0.3))
    np.testing.assert_array_equal(Dropout(0)(mx.nd.ones(3)).asnumpy(), 1)


def test_the_layers_of_another_library_keep_their_names():
    net = nn.HybridSequential(prefix="net_")
    with net.name_scope():
        net.add(nn.Dense(4), nn.Dropout(0.5), nn.Dense(4))
    names = [layer.name for layer in net]
    replace_dropout(net)
    assert [layer.name for layer in net] == names and type(net[1]) is Dropout


def gradients(name: str, plain: bool) -> list[np.ndarray]:
    net = build(name, 3, 64)
    runtime.seed(0)
    net.initialize(mx.init.Xavier())
    compute_in("float32", net, "gpu" if plain else "cpu")
    net.hybridize(static_alloc=True, static_shape=True)
    image = mx.nd.array(np.random.default_rng(0).random((2, 1, 64, 64)))
    runtime.seed(1)
    with mx.autograd.record():
        output = net(image)
    output.backward()
    graph = net(mx.sym.Variable("data")).tojson()
    assert ('"op": "tanh"' in graph) == plain
    assert (re.search('"act_type": "(tanh|sigmoid)"', graph) is None) == plain
    trained = (parameter for parameter in net.collect_params().values() if parameter.grad_req != "null")
    return [output.asnumpy(), *(parameter.grad().asnumpy() for parameter in trained)]


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu", "softsign"])
def test_a_plain_operator_and_its_gradient_are_the_activations(name):
    results = []
    for plain in (False, True):
        layer, x = activation(name), mx.nd.array(np.linspace(-9, 9, 181))
        if plain:
            layer.use_plain_operator()
        x.attach_grad()
        with mx.autograd.record():
            y = layer(x)
        y.backward()
        results.append(np.stack([y.asnumpy(), x.grad.asnumpy()]))
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_plain_operators_give_the_same_outputs_and_gradients(name):
    """Rounding can move an input of Table 10's relu across 0, and with it the gradients below."""
    usual, plain = gradients(name, False), gradients(name, True)
    np.testing.assert_allclose(plain[0], usual[0], rtol=1e-4, atol=1e-5)
    flat, expected = (np.concatenate([part.ravel() for part in parts[1:]]) for parts in (plain, usual))
    assert np.linalg.norm(flat - expected) < 0.01 * np.linalg.norm(expected)


def planned(samples: int, plain: bool) -> int:
    """Return the MB that MXNet plans for a training step of Table 7; it plans a GPU's memory likewise."""
    net = build("table7", 3, 64)
    if plain:
        gpu.use_plain_operators(net)
    net.initialize()
    loss = mx.sym.sum(net(mx.sym.Variable("data")))
    kept = {name: "null" if name == "data" else "write" for name in loss.list_arguments()}
    bound = loss.simple_bind(ctx=mx.cpu(), grad_req=kept, data=(samples, 1, 64, 64))
    return int(re.findall(r"Total (\d+) MB allocated", bound.debug_str())[-1])


def test_plain_operators_save_a_fifth_of_the_memory_and_the_estimate_covers_the_plan():
    usual, plain = (planned(12, use) - planned(4, use) for use in (False, True))
    assert plain < 0.8 * usual
    _, per_sample = memory.training_bytes(build("table7", 3, 64), 64)
    assert 8 * per_sample * memory.KEPT_ON_GPU / memory.KEPT > plain * 2**20


def test_arrays_that_are_not_finite_are_detected_wherever_they_are():
    arrays = [mx.nd.ones((3, 5)) for _ in range(450)]  # MXNet's kernel takes 200 at a time
    assert gpu.all_finite(arrays) and gpu.all_finite(arrays[:1]) and gpu.all_finite([])
    for place in (0, 199, 200, 399, 400, 449):
        for value in (np.nan, np.inf, -np.inf):
            arrays[place][2, 4] = value
            assert not gpu.all_finite(arrays)
            arrays[place][2, 4] = 1e30
    assert gpu.all_finite(arrays)


def test_a_lost_weight_is_named_after_the_check_on_the_device(monkeypatch):
    net = build("cnn", 3, 16)
    training = Training(net, settings(), examples(size=16), {}, 3, [mx.cpu()], None, "", Workers())
    training.run(lambda entry: None)
    monkeypatch.setattr("freqcnn_gluon.training.loop.on_gpu", lambda devices: True)
    parameters = net._collect_params_with_prefix()
    assert training._not_finite(parameters) == []
    name = next(name for name in parameters if name.endswith("weight"))
    value = parameters[name].data()
    value[0] = np.nan
    assert training._not_finite(parameters) == [name]


def test_places_on_a_gpu_follow_from_operations():
    net = build("table2", 3, 256)
    batches = gpu.batches_between_places(net, 256, 48)
    assert (
        batches * 48 * 3 * operations(net, 256) <= gpu.PLACE < (batches + 1) * 48 * 3 * operations(net, 256)
    )
    assert all(3 < 3600 * gpu_hours(gpu.PLACE, kind) < 20 for kind in PEAK)
    assert gpu.batches_between_places(net, 256, 10**6) == 1
    assert gpu.batches_between_places(build("fnn", 3, 64), 64, 48) > 1000


def test_batchnorm_with_one_value_per_channel_is_refused_on_a_gpu_only():
    net, chosen = build("table7", 3, 32, fc_batchnorm=True), settings(epochs=1, batch_size=2)
    arguments = net, chosen, examples(count=2, size=32), {}, 3
    with pytest.raises(Faults, match="one value per channel.* has 1 sample at a time.*fewer devices"):
        Training(*arguments, GPUS, None, "", Workers())
    train(*arguments, [mx.cpu(0), mx.cpu(1)])
    gpu.check_batchnorm(net, 32, 2)
    gpu.check_batchnorm(build("table7", 3, 64), 64, 1)  # its last map is 2 x 2
    with pytest.raises(Faults, match="one value per channel"):
        gpu.check_batchnorm(build("resnet18", 3, 32), 32, 1)


def test_an_error_for_a_full_gpu_has_a_remedy():
    for words in (
        "cudaMalloc retry failed: out of memory",
        "cuDNN: CUDNN_STATUS_ALLOC_FAILED",
        "Failed to find any forward convolution algorithm.  with workspace size of 1073741824 bytes",
    ):
        with pytest.raises(Faults, match="does not fit into the GPU's memory.* JOBS .*DEVICE=gpu:0,1"):
            with gpu.enough_memory():
                raise mx.MXNetError(words)
    with pytest.raises(mx.MXNetError, match="something else"), gpu.enough_memory():
        raise mx.MXNetError("something else")


def cards(monkeypatch, *gigabytes: float) -> None:
    devices.warn_once.cache_clear()
    listed = [devices.Gpu(number, "Card", (7, 5), int(1e9 * size)) for number, size in enumerate(gigabytes)]
    monkeypatch.setattr(memory, "gpus", lambda: listed)


def test_micro_batches_fit_into_the_smallest_card(monkeypatch, capsys):
    net = build("table2", 3, 256)
    fixed, per_sample = memory.gpu_bytes(net, 256)
    # cuDNN's workspace, and a copy of the largest convolution's input, weight and output while it searches
    usual, kept = memory.training_bytes(net, 256)
    assert per_sample == pytest.approx(kept / 1.3 + 2 * 64 * 256 * 256 * 4, rel=1e-4)
    weights = [weight.shape for name, weight in net.collect_params().items() if name.endswith("weight")]
    largest = max(np.prod(shape) for shape in weights if len(shape) == 4)
    assert fixed - usual == 2**30 + 4 * largest
    for sizes, chosen in (((8.5,), 8), ((11.5,), 16), ((15.8,), 24), ((42, 11.5), 16), ((3,), 1)):
        cards(monkeypatch, *sizes)
        assert memory.micro_batch(net, 256, 48, devices=GPUS[: len(sizes)]) == chosen
        needed = fixed + chosen * per_sample
        assert chosen == 1 or needed <= 1e9 * min(sizes) - memory.CONTEXT - memory.SPARE
        assert memory.needed_bytes(net, 256, 48, devices=GPUS[: len(sizes)]) == needed
        note = capsys.readouterr().err
        assert note.count("\n") == 1 and f"has {min(sizes):.1f} GB. Of 48 samples, {chosen} train" in note
        assert f"estimated {needed / 1e9:.1f} GB" in note
    cards(monkeypatch, 80, 80)
    assert memory.micro_batch(net, 256, 48, devices=GPUS) == 24  # the assumed memory is the most
    assert memory.micro_batch(net, 256, 48, memory=12, devices=GPUS) == 16
    assert memory.micro_batch(net, 256, 48, memory=40, devices=GPUS) == 48


def test_cpus_have_the_micro_batches_that_they_always_had(monkeypatch, capsys):
    cards(monkeypatch, 4)
    net = build("table2", 3, 256)
    assert memory.micro_batch(net, 256, 48, devices=[mx.cpu()]) == memory.micro_batch(net, 256, 48) == 24
    assert memory.needed_bytes(net, 256, 48, devices=[mx.cpu()]) == memory.needed_bytes(net, 256, 48)
    assert capsys.readouterr().err == ""
