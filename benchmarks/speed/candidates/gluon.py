"""This project's network, as the project itself trains it and predicts with it."""

from __future__ import annotations

import freqcnn_gluon  # noqa: F401  must be imported before MXNet

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
    """FreqCNN of ``table`` with the weights of seed 0, and a batch for it."""

    def __init__(self, table: str, size: int, batch: int, segments: int = 2, dtype: str = "float32"):
        runtime.check_dtype(dtype, "cpu")
        runtime.seed(0)
        self.versions = runtime.versions()
        self.net = build(table, ARCHITECTURES[table].classes, size, segments=segments)
        compute_in(dtype, self.net)
        self.net.initialize(INITIALIZERS["xavier"]())
        images, labels = batch_of(batch, size, ARCHITECTURES[table].classes)
        self.examples = Examples(images[:, 0], np.arange(batch), labels)
        self.net.hybridize(static_alloc=True, static_shape=True)


class Answer(Network):
    """The network's output and gradients without dropout and in float64, for the comparison with its twin.

    In float32 the two would differ visibly, because each sums in its own order, and BatchNorm over few values
    amplifies the difference.
    """

    def write(self, weights: str, path: str) -> None:
        """Write all parameters and gradients by structural name.

        Args:
            weights: File for the parameters.
            path: File for the logits and the gradients of the summed loss.
        """
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
    """One training step, as ``training.loop`` takes it."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        parameters = self.net.collect_params().items()
        trained = {name: parameter for name, parameter in parameters if parameter.grad_req != "null"}
        settings = {"learning_rate": 0.01, "momentum": 0.9, "wd": 1e-8}
        self.trainer = gluon.Trainer(trained, "sgd", settings, update_on_kvstore=False)

    def run(self) -> None:
        _gradients(self.net, self.examples, [np.arange(len(self.examples))], [mx.cpu()])
        self.trainer.step(len(self.examples))
        mx.nd.waitall()


class Infer(Network):
    """Prediction of a batch's logits, from numpy array to numpy array, as in ``Model.probabilities``."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.net.fold()

    def run(self) -> None:
        self.logits = self.net(mx.nd.array(self.examples.images[:, None])).asnumpy()
