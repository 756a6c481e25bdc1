import json

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from scipy.special import log_softmax, softmax

from data_prep.faults import Faults
from freqcnn_gluon import checkpoint, training
from freqcnn_gluon.architectures import architecture
from freqcnn_gluon.network import FreqCNN
from freqcnn_gluon.training import SCHEDULES, Examples, Settings, predict, train

CPU = [mx.cpu()]


def examples(count: int = 16, size: int = 8, classes: int = 3) -> Examples:
    """Noise with a bright band whose place is the class."""
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
    """Against the update rule in numpy: softmax regression, one batch an epoch."""
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


@pytest.mark.parametrize("devices, micro_batch", [(1, 4), (1, 5), (2, 16), (2, 3)])
def test_micro_batches_and_devices_change_nothing(devices, micro_batch):
    reference, net = linear(), linear()
    train(reference, settings(), examples(), {}, 3, CPU)
    train(
        net,
        settings(micro_batch=micro_batch),
        examples(),
        {},
        3,
        [mx.cpu(number) for number in range(devices)],
    )
    for ours, expected in zip(weights(net), weights(reference)):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_two_devices_agree_on_batchnorm_and_save_what_they_evaluate(tmp_path):
    net, data, devices = with_batchnorm(), examples(24), [mx.cpu(0), mx.cpu(1)]
    outcome = train(net, settings(batch_size=8), data, {"test": data}, 3, devices, tmp_path)
    for parameter in net.collect_params().values():
        first, second = (copy.asnumpy() for copy in parameter.list_data())
        np.testing.assert_array_equal(first, second, err_msg=parameter.name)
    loaded = with_batchnorm()
    loaded.load_parameters(str(tmp_path / "model.params"))
    np.testing.assert_allclose(predict(loaded, data, CPU, 24), outcome.probabilities["test"], atol=1e-6)


def test_same_seed_same_bytes():
    found = []
    for seed in (1, 1, 2):
        net = with_batchnorm()
        outcome = train(net, settings(seed=seed, batch_size=6), examples(), {"test": examples()}, 3, CPU)
        found.append([*weights(net), outcome.probabilities["test"]])
    assert all(np.array_equal(first, again) for first, again in zip(found[0], found[1]))
    assert not np.array_equal(found[0][0], found[2][0])


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_an_interrupted_training_ends_as_if_it_had_not_been(tmp_path, monkeypatch, stopped_after):
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.json", "model.params"]
    # Interrupted before its report was written, the finished training only predicts again.
    again = train(with_batchnorm(), chosen, data, {"test": data}, 3, CPU, tmp_path)
    np.testing.assert_array_equal(again.probabilities["test"], expected.probabilities["test"])


def test_every_sample_is_used_equally_often_in_batches_of_one_size(monkeypatch):
    used = []
    original = Examples.batch
    monkeypatch.setattr(Examples, "batch", lambda self, which: used.append(which) or original(self, which))
    train(linear(), settings(epochs=6, batch_size=8), examples(20), {}, 3, CPU)
    assert {len(batch) for batch in used} == {8}
    assert (np.bincount(np.concatenate(used), minlength=20) == 6).all()


def test_over_sampled_rows_and_labels_go_together():
    data = Examples(
        np.arange(12, dtype=np.float32).reshape(3, 2, 2), np.array([2, 0, 2]), np.array([1, 0, 1])
    )
    images, labels = data.batch(np.array([0, 1]))
    assert images.shape == (2, 1, 2, 2) and images[0, 0, 0, 0] == 8 and images[1, 0, 0, 0] == 0
    assert labels.tolist() == [1, 0]


def test_predict_whatever_the_micro_batch():
    net, data = linear(), examples(10)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    w, b = weights(net)
    expected = softmax(data.images.reshape(10, -1) @ w.T + b, axis=1)
    for micro_batch in (1, 3, 10, 50):
        np.testing.assert_allclose(predict(net, data, CPU, micro_batch), expected, rtol=1e-5)


def test_a_loss_that_is_not_finite_stops_the_run():
    data = examples()
    data.images[3, 0, 0] = np.nan
    with pytest.raises(Faults, match="loss is not finite in epoch 1, batch 1"):
        train(linear(), settings(), data, {}, 3, CPU)


@pytest.mark.parametrize("name", ["table2", "table7"])
def test_freqcnn_learns(name):
    """Within 32 steps, measured as it trains: BatchNorm's running statistics need more to settle."""
    net = FreqCNN(architecture(name), classes=3, size=32)
    outcome = train(net, settings(epochs=8, batch_size=6), examples(24, size=32), {}, 3, CPU)
    first, last = outcome.history[0], outcome.history[-1]
    assert last["loss"] < 0.5 * first["loss"] and last["accuracy"] > 0.8, outcome.history


def test_schedules_start_at_the_papers_rate():
    for schedule in SCHEDULES.values():
        rates = [schedule(done) for done in np.linspace(0, 0.999, 50)]
        assert rates[0] == 1 and (np.diff(rates) <= 1e-12).all() and rates[-1] >= 0
    assert SCHEDULES["step"](0.6) == pytest.approx(0.1) and SCHEDULES["step"](0.8) == pytest.approx(0.01)
    assert SCHEDULES["cosine"](0.5) == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [{"schedule": "warm"}, {"initializer": "zeros"}])
def test_unknown_names_list_the_known(wrong):
    with pytest.raises(Faults, match="cosine|xavier"):
        settings(**wrong)
