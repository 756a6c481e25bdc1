"""This project's network, as its own training and prediction run it."""

from __future__ import annotations

import freqcnn_gluon  # noqa: F401  must come before MXNet

# isort: split
import mxnet as mx
import numpy as np
from mxnet import gluon
from mxnet.gluon import nn

from candidates import batch_of
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import _gradients, compute_in
from freqcnn_gluon.training.settings import INITIALIZERS


class Network:
    """FreqCNN of ``table`` with seed 0's weights, and a batch for it."""

    def __init__(self, table: str, size: int, batch: int, segments: int = 2, dtype: str = "float32"):
        runtime.seed(0)
        self.versions = runtime.versions()
        self.net = build(table, ARCHITECTURES[table].classes, size, segments=segments)
        compute_in(dtype, self.net)
        self.net.initialize(INITIALIZERS["xavier"]())
        images, labels = batch_of(batch, size, ARCHITECTURES[table].classes)
        self.examples = Examples(images[:, 0], np.arange(batch), labels)
        self.net.hybridize(static_alloc=True, static_shape=True)


class Answer(Network):
    """What the network answers in training without dropout and in float64, for its twin to be held to.

    In float32 the two would differ by what each sums in its own order: BatchNorms over few values blow it up.
    """

    def write(self, weights: str, path: str) -> None:
        """Parameters by structural name to ``weights``; logits and the summed loss's gradient to ``path``."""
        self.net.apply(lambda layer: isinstance(layer, nn.Dropout) and setattr(layer, "_rate", 0.0))
        self.net.cast("float64")
        parameters = self.net._collect_params_with_prefix()
        np.savez(weights, **{name: parameter.data().asnumpy() for name, parameter in parameters.items()})
        images, labels = (
            mx.nd.array(array, dtype="float64")
            for array in self.examples.batch(np.arange(len(self.examples)))
        )
        with mx.autograd.record():
            logits = self.net(images)
            loss = gluon.loss.SoftmaxCrossEntropyLoss()(logits, labels)
        loss.backward()
        gradients = {
            name: parameter.grad().asnumpy()
            for name, parameter in parameters.items()
            if parameter.grad_req != "null"
        }
        np.savez(path, logits=logits.asnumpy(), **gradients)


class Step(Network):
    """One training step, as ``training.train`` takes it."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        trained = {name: each for name, each in self.net.collect_params().items() if each.grad_req != "null"}
        settings = {"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-8}
        self.trainer = gluon.Trainer(trained, "sgd", settings, update_on_kvstore=False)

    def run(self) -> None:
        _gradients(self.net, self.examples, [np.arange(len(self.examples))], [mx.cpu()])
        self.trainer.step(len(self.examples))
        mx.nd.waitall()


class Infer(Network):
    """The logits of a batch, from numpy array to numpy array, as ``Model.probabilities`` computes them."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.net.fold()

    def run(self) -> None:
        self.logits = self.net(mx.nd.array(self.examples.images[:, None])).asnumpy()
