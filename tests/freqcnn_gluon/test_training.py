"""The training loop: its arithmetic, its interruptions, its divergence."""

import json
import math
from dataclasses import replace

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from scipy.special import log_softmax, softmax

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.freqcnn import FreqCNN
from freqcnn_gluon.network.weights import load_parameters
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import checkpoint
from freqcnn_gluon.training import loop as training
from freqcnn_gluon.training.divergence import Diverged, first_layer
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import predict, train
from freqcnn_gluon.training.metrics import metrics
from freqcnn_gluon.training.settings import Settings

CPU = [mx.cpu()]


def examples(count: int = 16, size: int = 8, classes: int = 3) -> Examples:
    """Return noise with a bright band whose place is the class."""
    random = np.random.default_rng(5)
    labels = np.arange(count) % classes
    images = random.random((count, size, size)).astype(np.float32)
    band = size // classes
    for image, label in zip(images, labels):
        image[label * band : (label + 1) * band] += 1
    return Examples(images, np.arange(count), labels)


def linear() -> nn.HybridSequential:
    net = nn.HybridSequential()
    net.add(nn.Flatten(), nn.Dense(3, in_units=64))
    return net


def with_batchnorm() -> nn.HybridSequential:
    net = nn.HybridSequential()
    net.add(
        nn.Conv2D(4, 3, in_channels=1), nn.BatchNorm(in_channels=4), nn.Activation("relu"), nn.Dropout(0.5)
    )
    net.add(nn.Dense(3, in_units=4 * 36))
    return net


def weights(net) -> list[np.ndarray]:
    return [parameter.data(mx.cpu(0)).asnumpy() for parameter in net.collect_params().values()]


def settings(**arguments) -> Settings:
    return Settings(**{"epochs": 5, "batch_size": 16, "micro_batch": 16, "schedule": "constant"} | arguments)


def test_is_sgd_with_momentum_and_weight_decay():
    """Softmax regression, one batch per epoch, against the update rule in numpy."""
    net, data = linear(), examples()
    chosen = settings(learning_rate=0.05, weight_decay=0.01)
    outcome = train(net, chosen, data, {}, 3, CPU)
    start = linear()
    training.runtime.seed(0)
    start.initialize(training.INITIALIZERS["xavier"]())
    w, b = (array.astype(float) for array in weights(start))
    x, y = data.images.reshape(16, -1).astype(float), np.eye(3)[data.labels]
    speed = [np.zeros_like(w), np.zeros_like(b)]
    for epoch in range(5):
        logits = x @ w.T + b
        assert outcome.history[epoch]["loss"] == pytest.approx(
            -(y * log_softmax(logits, axis=1)).sum() / 16, rel=1e-5
        )
        slope = (softmax(logits, axis=1) - y) / 16
        for number, (value, gradient) in enumerate(((w, slope.T @ x), (b, slope.sum(axis=0)))):
            speed[number] = 0.9 * speed[number] - 0.05 * (gradient + 0.01 * value)
            value += speed[number]
    for ours, reference in zip(weights(net), (w, b)):
        np.testing.assert_allclose(ours, reference, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "devices, micro_batch, batch_size",
    [(1, 4, 16), (1, 5, 16), (2, 16, 16), (2, 3, 16), (1, 3, 7), (2, 2, 7), (2, 1, 5)],
)
def test_micro_batches_and_devices_do_not_change_the_result(devices, micro_batch, batch_size):
    reference, net = linear(), linear()
    train(reference, settings(batch_size=batch_size), examples(), {}, 3, CPU)
    train(
        net,
        settings(micro_batch=micro_batch, batch_size=batch_size),
        examples(),
        {},
        3,
        [mx.cpu(number) for number in range(devices)],
    )
    for ours, expected in zip(weights(net), weights(reference)):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_two_devices_agree_on_batchnorm_and_save_the_network_that_they_evaluate(tmp_path):
    net, data, devices = with_batchnorm(), examples(24), [mx.cpu(0), mx.cpu(1)]
    outcome = train(net, settings(batch_size=8), data, {"test": data}, 3, devices, tmp_path)
    for parameter in net.collect_params().values():
        first, second = (copy.asnumpy() for copy in parameter.list_data())
        np.testing.assert_array_equal(first, second, err_msg=parameter.name)
    loaded = with_batchnorm()
    load_parameters(loaded, tmp_path / "model.safetensors", CPU)
    np.testing.assert_allclose(predict(loaded, data, CPU, 24), outcome.probabilities["test"], atol=1e-6)


def test_the_same_seed_gives_the_same_bytes():
    results = []
    for seed in (1, 1, 2):
        net = with_batchnorm()
        outcome = train(net, settings(seed=seed, batch_size=6), examples(), {"test": examples()}, 3, CPU)
        results.append([*weights(net), outcome.probabilities["test"]])
    assert all(np.array_equal(first, again) for first, again in zip(results[0], results[1]))
    assert not np.array_equal(results[0][0], results[2][0])


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_an_interrupted_training_ends_with_the_same_result(tmp_path, monkeypatch, stopped_after):
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    data, chosen = examples(20), settings(batch_size=8, schedule="cosine")
    reference = with_batchnorm()
    expected = train(reference, chosen, data, {"test": data}, 3, CPU)

    evaluations = []

    def interrupted(*arguments):
        evaluations.append(1)
        if len(evaluations) > stopped_after:
            raise KeyboardInterrupt
        return predict(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(training, "predict", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(with_batchnorm(), chosen, data, {"test": data}, 3, CPU, tmp_path)
    assert len(json.loads((tmp_path / "checkpoint.json").read_text())["history"]) == stopped_after
    net = with_batchnorm()
    outcome = train(net, chosen, data, {"test": data}, 3, CPU, tmp_path)
    for ours, wanted in zip(weights(net), weights(reference)):
        np.testing.assert_array_equal(ours, wanted)
    np.testing.assert_array_equal(outcome.probabilities["test"], expected.probabilities["test"])
    for entry, wanted in zip(outcome.history, expected.history, strict=True):
        assert {**entry, "seconds": 0} == {**wanted, "seconds": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.json", "model.safetensors"]
    # A training that was interrupted after its last epoch only predicts again.
    again = train(with_batchnorm(), chosen, data, {"test": data}, 3, CPU, tmp_path)
    np.testing.assert_array_equal(again.probabilities["test"], expected.probabilities["test"])


@pytest.mark.parametrize("devices", [1, 2, 3, 8])  # the mean of 3 equal numbers may be another in float32
def test_an_epoch_resumes_where_it_was_interrupted(tmp_path, monkeypatch, devices):
    """Each of three interruptions, at different places of an epoch, loses one batch at most."""
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    monkeypatch.setattr(training, "PLACE", 1)  # every batch
    data, chosen = examples(44), settings(batch_size=8, schedule="cosine", epochs=4)  # 5, 6, 5, 6 batches
    on = [mx.cpu(number) for number in range(devices)]
    reference = with_batchnorm()
    expected = train(reference, chosen, data, {"test": data}, 3, on)

    gradients, begun = training._gradients, []

    def interrupted(*arguments):
        begun.append(1)
        if len(begun) in (3, 4, 12):
            raise KeyboardInterrupt
        return gradients(*arguments)

    monkeypatch.setattr(training, "_gradients", interrupted)
    places = []
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train(with_batchnorm(), chosen, data, {"test": data}, 3, on, tmp_path)
        state = json.loads((tmp_path / "checkpoint.json").read_text())
        places.append((len(state["history"]), state["batches"]))
    assert places == [(0, 2), (0, 2), (1, 4)]
    net = with_batchnorm()
    outcome = train(net, chosen, data, {"test": data}, 3, on, tmp_path)
    assert len(begun) == 22 + 3
    for ours, wanted in zip(weights(net), weights(reference), strict=True):
        np.testing.assert_array_equal(ours, wanted)
    np.testing.assert_array_equal(outcome.probabilities["test"], expected.probabilities["test"])
    for entry, wanted in zip(outcome.history, expected.history, strict=True):
        assert {**entry, "seconds": 0} == {**wanted, "seconds": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.json", "model.safetensors"]


def test_every_place_within_an_epoch_has_its_own_seed():
    seeds = {
        training._seed(seed, epoch, number) for seed in (0, 1) for epoch in (0, 1) for number in range(9)
    }
    assert len(seeds) == 36
    assert training._seed(3, 4, 0) == 300_014  # results/reference was trained with these seeds
    assert training._seed(2**32 - 1, 20, 0) < 2**32  # numpy accepts no larger seed


def test_every_sample_is_used_equally_often_in_batches_of_one_size(monkeypatch):
    used = []
    original = Examples.batch
    monkeypatch.setattr(Examples, "batch", lambda self, which: used.append(which) or original(self, which))
    train(linear(), settings(epochs=6, batch_size=8), examples(20), {}, 3, CPU)
    assert {len(batch) for batch in used} == {8}
    assert (np.bincount(np.concatenate(used), minlength=20) == 6).all()


def test_an_epoch_reports_loss_and_accuracy_of_the_samples_that_it_used(monkeypatch):
    """Two batches of 8 out of 20 samples, with a rate too small to change the weights."""
    used, gradients = [], training._gradients

    def recorded(net, data, shares, devices):
        used.extend(np.concatenate(shares))
        return gradients(net, data, shares, devices)

    monkeypatch.setattr(training, "_gradients", recorded)
    net, data = linear(), examples(20)
    (entry,) = train(net, settings(learning_rate=1e-30, epochs=1, batch_size=8), data, {}, 3, CPU).history
    w, b = weights(net)
    logs = log_softmax(data.images.reshape(20, -1) @ w.T + b, axis=1)[used]
    labels = data.labels[used]
    assert len(used) == 16 and 0 < entry["accuracy"] < 1
    assert entry["accuracy"] == (logs.argmax(axis=1) == labels).mean()
    assert entry["loss"] == pytest.approx(-logs[np.arange(16), labels].mean(), rel=1e-5)


def test_over_sampled_rows_keep_their_labels():
    data = Examples(
        np.arange(12, dtype=np.float32).reshape(3, 2, 2), np.array([2, 0, 2]), np.array([1, 0, 1])
    )
    images, labels = data.batch(np.array([0, 1]))
    assert images.shape == (2, 1, 2, 2) and images[0, 0, 0, 0] == 8 and images[1, 0, 0, 0] == 0
    assert labels.tolist() == [1, 0]


def test_predictions_do_not_depend_on_the_micro_batch():
    net, data = linear(), examples(10)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    w, b = weights(net)
    expected = softmax(data.images.reshape(10, -1) @ w.T + b, axis=1)
    for micro_batch in (1, 3, 10, 50):
        np.testing.assert_allclose(predict(net, data, CPU, micro_batch), expected, rtol=1e-5)


def test_the_windows_of_a_clip_are_averaged():
    """Ten windows of three clips: of five, one and four."""
    net, cut = linear(), replace(examples(10), windows=np.array([5, 1, 4]))
    net.initialize()
    alone = predict(net, replace(cut, windows=None), CPU, 3)
    averaged = predict(net, cut, CPU, 3)
    assert alone.shape == (10, 3) and averaged.dtype == alone.dtype
    expected = [alone[:5].mean(axis=0), alone[5], alone[6:].mean(axis=0)]
    np.testing.assert_allclose(averaged, expected, rtol=1e-6)
    labels = np.array([2] * 5 + [0] + [1] * 4)
    cut = replace(cut, labels=labels)
    outcome = train(linear(), settings(epochs=1), cut, {"test": cut}, 3, CPU)
    measured = outcome.history[0]["test"]
    assert np.sum(measured["confusion"]) == 3
    assert measured == metrics(np.array([2, 0, 1]), outcome.probabilities["test"].argmax(axis=1), 3)


def test_a_loss_that_is_not_finite_stops_the_run():
    data = examples()
    data.images[3, 0, 0] = np.nan
    with pytest.raises(
        Diverged, match="in epoch 1, batch 1, first in the spectrograms themselves; no checkpoint"
    ):
        train(linear(), settings(), data, {}, 3, CPU)


@pytest.mark.parametrize("name", ["table7", "alexnet"])
def test_nan_behind_a_relu_stops_the_run(name):
    """oneDNN's relu turns NaN into 0, so neither the loss nor the predictions show that weights are NaN."""
    data = examples(8, size=64)
    data.images[3, 0, 0] = np.nan
    net = build(name, 3, 64)
    with pytest.raises(
        Diverged, match=r"weights and statistics are not finite after epoch 1, batch 1, first "
    ):
        train(net, settings(batch_size=8), data, {"test": data}, 3, CPU)


def test_an_infinite_variance_stops_the_run(tmp_path):
    """It turns every input into 0, so the predictions would be finite, and the same for all samples."""
    data = examples(8)
    data.images[:] *= np.float32(1e30)
    net = nn.HybridSequential()
    net.add(nn.BatchNorm(), nn.Dense(3))
    with pytest.raises(Diverged, match=r"after epoch 1, batch 1, first 0\.running_var; no checkpoint"):
        train(net, settings(batch_size=8), data, {}, 3, CPU, tmp_path)
    assert not list(tmp_path.iterdir())


def test_divergence_names_the_place_and_the_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS_BETWEEN", 0)
    steps, step = [], mx.gluon.Trainer.update
    monkeypatch.setattr(mx.gluon.Trainer, "update", lambda *arguments: steps.append(1) or step(*arguments))
    # A BatchNorm before each activation would keep the loss finite while the weights are not.
    net = FreqCNN(architecture("table7"), classes=3, size=32, batchnorm="convolution")
    with pytest.raises(Diverged, match="the loss is not finite in epoch") as caught:
        train(net, settings(learning_rate=1e6, batch_size=8), examples(24, size=32), {}, 3, CPU, tmp_path)
    epoch, batch = divmod(len(steps), 3)  # the last batch has taken no step
    assert f"in epoch {epoch + 1}, batch {batch + 1}, first in the layer " in str(caught.value)
    assert f"the last checkpoint, after epoch {epoch}, is in {tmp_path}" in str(caught.value)


def test_predictions_that_are_not_finite_stop_the_run():
    """No loss is computed with the weights after the last step."""
    data = examples(16)
    far = Examples(data.images * np.float32(1.5e38), data.rows, data.labels)
    with pytest.raises(Diverged, match="the predictions for 'test' are not finite after epoch 1"):
        train(linear(), settings(), data, {"test": far}, 3, CPU)


class Reciprocal(nn.HybridBlock):
    def __init__(self):
        super().__init__()
        self.inner = nn.HybridSequential()
        self.inner.add(nn.Activation("relu"))

    def hybrid_forward(self, F, x):
        return 1 / self.inner(x)


@pytest.mark.parametrize("hybrid", [False, True])
def test_the_first_layer_is_the_innermost_one(hybrid):
    net = nn.HybridSequential()
    net.add(nn.Dense(4, in_units=4), nn.HybridSequential(), nn.Dense(2, in_units=4))
    net[1].add(Reciprocal(), nn.Dense(4, in_units=4))
    net.initialize()
    net[0].weight.set_data(-mx.nd.ones((4, 4)))
    if hybrid:
        net.hybridize(static_alloc=True, static_shape=True)
        net(mx.nd.ones((2, 4))).wait_to_read()
    image = np.ones((2, 4), np.float32)
    assert first_layer(net, [-image, image], CPU[0], True) == "the layer 1.0 (Reciprocal)"
    net[0].bias.set_data(mx.nd.array([0, math.nan, 0, 0]))
    expected = "the layer 0 (Dense); its bias is no longer finite"
    assert first_layer(net, [image], CPU[0], False) == expected
    net[0].bias.set_data(mx.nd.zeros(4))
    assert first_layer(net, [-image], CPU[0], False) == "the loss"  # every layer's output is finite


@pytest.mark.parametrize("name", ["table2", "table7"])
def test_freqcnn_learns(name):
    """It learns within 32 steps by its training loss; BatchNorm's running statistics take longer."""
    net = FreqCNN(architecture(name), classes=3, size=32)
    outcome = train(net, settings(epochs=8, batch_size=6), examples(24, size=32), {}, 3, CPU)
    first, last = outcome.history[0], outcome.history[-1]
    assert last["loss"] < 0.5 * first["loss"] and last["accuracy"] > 0.8, outcome.history


@pytest.mark.parametrize(
    "text, raised",
    [
        ("Check failed: e == cudaSuccess: CUDA: out of memory", Faults),
        ("cudaMalloc retry failed: out of memory", Faults),
        ("Check failed: e == cudaSuccess: CUDA: an illegal memory access was encountered", mx.MXNetError),
    ],
)
def test_a_full_gpu_is_a_fault_with_a_remedy(monkeypatch, text, raised):
    def failing(*_):
        raise mx.MXNetError(f"Traceback (most recent call last):\n  File '../src/storage': {text}")

    monkeypatch.setattr(training, "_gradients", failing)
    with pytest.raises(
        raised, match="fewer JOBS on it, .*DEVICE=gpu:0,1.*smaller spectrograms" if raised is Faults else text
    ):
        train(linear(), settings(), examples(), {}, 3, CPU)
