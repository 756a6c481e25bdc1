"""Schedules and initial weights against MXNet's own schedulers, optimiser and formulas."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn
from test_training import CPU, examples, linear, settings

from data_prep.base.faults import Faults
from freqcnn_gluon.training.loop import train
from freqcnn_gluon.training.settings import INITIALIZERS, SCHEDULES

UPDATES = 20  # in the tests' training: 4 epochs of 5 batches


def rates_of_sgd(scheduler: mx.lr_scheduler.LRScheduler) -> list[float]:
    """Return the rate of each update, read off a weight that falls by rate * 1."""
    optimizer = mx.optimizer.SGD(learning_rate=0.2, lr_scheduler=scheduler)
    weight, falls = mx.nd.zeros(1, dtype="float64"), []
    for _ in range(UPDATES):
        before = weight.asscalar()
        optimizer.update(0, weight, mx.nd.ones(1, dtype="float64"), None)
        falls.append(before - weight.asscalar())
    return falls


def rates_of_a_training(monkeypatch, schedule: str) -> list[float]:
    rates, update = [], mx.gluon.Trainer.update
    monkeypatch.setattr(
        mx.gluon.Trainer,
        "update",
        lambda self, *rest: rates.append(self.learning_rate) or update(self, *rest),
    )
    chosen = settings(learning_rate=0.2, schedule=schedule, epochs=4, batch_size=8)
    train(linear(), chosen, examples(40), {}, 3, CPU)
    return rates


@pytest.mark.parametrize(
    "schedule, scheduler",
    [
        ("step", lambda: mx.lr_scheduler.MultiFactorScheduler([UPDATES // 2, UPDATES * 3 // 4], factor=0.1)),
        ("factor", lambda: mx.lr_scheduler.FactorScheduler(UPDATES // 10, factor=0.5)),
    ],
)
def test_schedules_are_those_of_mxnets_schedulers(monkeypatch, schedule, scheduler):
    expected = rates_of_sgd(scheduler())
    assert len(set(np.round(expected, 12))) == {"step": 3, "factor": 10}[schedule]
    assert rates_of_a_training(monkeypatch, schedule) == pytest.approx(expected, rel=1e-6)  # of float32


def test_the_cosine_is_that_of_mxnets_scheduler_and_begins_with_the_papers_rate(monkeypatch):
    scheduler = mx.lr_scheduler.CosineScheduler(UPDATES, base_lr=0.2)
    expected = [scheduler(done) for done in range(UPDATES)]
    assert rates_of_a_training(monkeypatch, "cosine") == pytest.approx(expected, rel=1e-12)
    assert expected[0] == 0.2


def test_schedules_start_at_the_papers_rate():
    for schedule in SCHEDULES.values():
        rates = [schedule(done) for done in np.linspace(0, 0.999, 50)]
        assert rates[0] == 1 and (np.diff(rates) <= 1e-12).all() and rates[-1] >= 0
    assert SCHEDULES["step"](0.6) == pytest.approx(0.1) and SCHEDULES["step"](0.8) == pytest.approx(0.01)
    assert SCHEDULES["cosine"](0.5) == pytest.approx(0.5)


def test_the_initial_weights_of_module_are_mxnets_default():
    """Module.init_params draws uniformly from +-0.01 and sets biases to 0."""
    drawn = []
    for initializer in (INITIALIZERS["uniform_module"](), None):
        mx.random.seed(1)
        if initializer is None:
            data, label = mx.sym.Variable("data"), mx.sym.Variable("softmax_label")
            layer = mx.sym.FullyConnected(data, num_hidden=50, name="fc")
            module = mx.mod.Module(mx.sym.SoftmaxOutput(layer, label, name="softmax"))
            module.bind([("data", (1, 40))], [("softmax_label", (1,))])
            module.init_params()
            weights, _ = module.get_params()
            drawn.append((weights["fc_weight"].asnumpy(), weights["fc_bias"].asnumpy()))
        else:
            layer = nn.Dense(50, in_units=40)
            layer.initialize(initializer)
            drawn.append((layer.weight.data().asnumpy(), layer.bias.data().asnumpy()))
    for weight, bias in drawn:
        assert not bias.any() and 0.0099 < np.abs(weight).max() <= 0.01
        assert weight.std() == pytest.approx(0.01 / np.sqrt(3), rel=0.03)


@pytest.mark.parametrize("wrong", [{"schedule": "warm"}, {"initializer": "zeros"}])
def test_unknown_names_list_the_known_names(wrong):
    with pytest.raises(Faults, match="cosine|xavier"):
        settings(**wrong)
