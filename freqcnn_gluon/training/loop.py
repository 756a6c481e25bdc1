"""The training loop of every Gluon network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from data_prep.base.faults import Faults
from data_prep.base.progress import Bar
from freqcnn_gluon import runtime
from freqcnn_gluon.network.blocks import ConvUnit
from freqcnn_gluon.training.batches import Batches
from freqcnn_gluon.training.checkpoint import Checkpoint, Place, interruptible, last
from freqcnn_gluon.training.divergence import Diverged, first_layer
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.gpu import (
    all_finite,
    batches_between_places,
    check_batchnorm,
    enough_memory,
    on_gpu,
    use_plain_operators,
)
from freqcnn_gluon.training.metrics import metrics
from freqcnn_gluon.training.normalisation import normalise
from freqcnn_gluon.training.padding import inner_taps, zero_outer_gradients
from freqcnn_gluon.training.settings import INITIALIZERS, SCHEDULES, Settings
from freqcnn_gluon.training.workers import Workers

__all__ = ["Outcome", "Training", "compute_in", "predict", "train"]

# Work between two checkpoints within an epoch on a CPU, in input values × side: one batch of Table 2, about
# half a minute on two cores. An epoch of small spectrograms is seldom that long.
PLACE = 2**30
RUNNING = ("running_mean", "running_var")  # ends of the names of BatchNorm's statistics
BAR = "{desc}: {percentage:3.0f}%|{bar}| epoch {n:.1f} of {total} [{elapsed}, {remaining} left{postfix}]"


@dataclass(frozen=True)
class Outcome:
    """The result of a training.

    Attributes:
        history: One dict per epoch: epoch, loss, accuracy, seconds, and the metrics of each evaluated part
            under the part's name.
        probabilities: (clips, classes) after the last epoch, by part.
    """

    history: list[dict]
    probabilities: dict[str, np.ndarray]


class Training:
    """One training of a network, from its start or its last checkpoint to its last epoch.

    See ``train`` for the arguments. Creating a Training initialises the network; ``run`` trains it.
    """

    def __init__(
        self,
        net: gluon.HybridBlock,
        settings: Settings,
        examples: Examples,
        evaluated: Mapping[str, Examples],
        classes: int,
        devices: list[mx.Context],
        folder: Path | None,
        title: str,
        workers: Workers,
    ):
        self.net, self.settings, self.examples, self.evaluated = net, settings, examples, evaluated
        self.classes, self.devices, self.title, self.workers = classes, devices, title, workers
        self.batch_size = min(settings.batch_size, len(examples))
        if self.batch_size < workers.count * len(devices):
            raise Faults(
                f"{title}: a batch of {self.batch_size} is too small for {workers.count} workers with "
                f"{len(devices)} devices each. Use fewer workers or devices."
            )
        self.shares, self.accumulates = self._divide()
        image = examples.images[0]
        self.every = max(1, PLACE // (self.batch_size * image.size * image.shape[-1]))  # batches
        if on_gpu(devices):
            check_batchnorm(net, image.shape[-1], min(map(len, self.shares)))
            self.every = batches_between_places(net, image.shape[-1], self.batch_size)
        _initialise(net, settings, devices)
        normalise(net, settings.normalise, examples)
        self.parameters = net.collect_params()
        self.inner_taps = inner_taps(net, image.shape) if settings.dtype == "bfloat16" else {}
        self.trainer = _trainer(self.parameters, settings, self.accumulates)
        self.checkpoint = Checkpoint(folder, net, self.trainer, devices) if folder else None
        self.place = Place()
        self.started = time.perf_counter()  # of the present epoch, without the time before an interruption
        self.probabilities: dict[str, np.ndarray] = {}

    def _divide(self) -> tuple[list[np.ndarray], bool]:
        """Return this worker's micro-batches as places in a batch, and whether a device has several."""
        of_workers = np.array_split(np.arange(self.batch_size), self.workers.count)
        places, largest = of_workers[self.workers.rank], len(of_workers[0])
        rounds = math.ceil(math.ceil(largest / len(self.devices)) / self.settings.micro_batch)
        count = min(rounds * len(self.devices), len(places))  # so that none is empty
        return np.array_split(places, count), rounds > 1

    def run(self, callback: Callable[[dict], None]) -> Outcome:
        """Train until the last epoch; ``callback`` receives the history's entry after each epoch."""
        self.prepare()
        bar = Bar(
            total=self.settings.epochs,
            initial=len(self.place.history),
            desc=self.title,
            bar_format=BAR,
            dynamic_ncols=True,
            disable=self.workers.rank > 0,
        )
        with interruptible(self.checkpoint):
            while len(self.place.history) < self.settings.epochs:
                self.epoch(bar, callback)
        bar.close()
        if not self.probabilities:  # the last epoch was done before an interruption
            self.probabilities = {
                part: predict(self.net, examples, self.devices, self.settings.micro_batch)
                for part, examples in self.evaluated.items()
            }
        return Outcome(self.place.history, self.probabilities)

    def prepare(self) -> None:
        """Resume from the last checkpoint, if there is one, and check that all workers match."""
        if self.checkpoint:
            entry = {"epoch", "loss", "accuracy", "seconds", *self.evaluated}
            self.place = self.checkpoint.load(len(self.examples), entry)
        if self.workers.count > 1:
            place = f"{self.place} {self.place.left_over} {self.every}"
            self.workers.require_same(
                f"{self.net} {self.settings} {len(self.examples)} {len(self.devices)} {place}"
            )
            _infer_shapes(self.net, self.examples, self.settings.seed, self.devices)

    def epoch(self, bar: Bar, callback: Callable[[dict], None]) -> None:
        """Train for one epoch or the rest of one, evaluate, and save a checkpoint if one is due."""
        place, seed, number = self.place, self.settings.seed, len(self.place.history)
        first = place.batches
        batches = Batches(len(self.examples), self.batch_size, seed, number, place.left_over, first)
        self.started = time.perf_counter() - place.seconds
        for batch in batches:
            if place.batches % self.every == 0:
                if place.batches > first:  # a resumed training has already saved this state
                    self.settle()
                runtime.seed(_seed(seed, number, place.batches, self.workers.rank))
            self.step(batch, (number + place.batches / len(batches)) / self.settings.epochs)
            bar.n = number + place.batches / len(batches)  # a sum of fractions is not exact
            bar.update(0)
        if place.batches > first:
            self.settle()
        samples = len(batches) * self.batch_size
        entry: dict[str, Any] = {"epoch": number + 1, "loss": place.loss / samples}
        entry |= {"accuracy": place.correct / samples, **self.evaluate()}
        entry["seconds"] = time.perf_counter() - self.started
        place.history.append(entry)
        callback(entry)
        recalls = {part: f"{entry[part]['uar']:.3f}" for part in self.evaluated}
        bar.set_postfix({"loss": f"{entry['loss']:.3f}", **recalls})
        self.place = Place(place.history, batches.left_over)
        if self.checkpoint and not self.workers.rank:
            self.checkpoint.save(self.place, last=number + 1 == self.settings.epochs)

    def step(self, batch: np.ndarray, done: float) -> None:
        """Take one step of SGD.

        Args:
            batch: Numbers of the batch's samples, (batch_size,).
            done: The share of the whole training that is done, 0 to 1.
        """
        place, settings = self.place, self.settings
        self.trainer.set_learning_rate(settings.learning_rate * SCHEDULES[settings.schedule](done))
        if self.accumulates:
            self.parameters.zero_grad()
        samples = [batch[share] for share in self.shares]
        loss_here, correct_here = _gradients(self.net, self.examples, samples, self.devices)
        zero_outer_gradients(self.parameters, self.inner_taps)
        self.trainer.allreduce_grads()  # over the devices
        loss, correct = self.workers.add_gradients(self.parameters, loss_here, correct_here)
        if not math.isfinite(loss):
            images = (self.examples.batch(numbers)[0] for numbers in samples)
            layer = first_layer(self.net, images, self.devices[0], training=True)
            raise Diverged(
                f"the loss is not finite in epoch {len(place.history) + 1}, batch {place.batches + 1}, "
                f"first in {layer}; {last(self.checkpoint)}"
            )
        place.batches += 1
        place.loss += loss
        place.correct += int(correct)
        self.trainer.update(self.batch_size)

    def settle(self) -> None:
        """Bring the network into a state that a checkpoint can hold, and save a checkpoint if one is due.

        Raises:
            Diverged: On all workers, for a weight or a statistic that is not finite. The loss and the
                predictions may hide it: oneDNN's relu turns NaN into 0, and BatchNorm turns everything into
                0 when its variance is infinite.
        """
        # BatchNorm writes its statistics in the backward pass on a CPU, in the forward pass on a GPU. MXNet
        # does not wait for either when they are read.
        mx.nd.waitall()
        parameters = self.net._collect_params_with_prefix()
        _share_statistics(parameters, self.workers)
        if not_finite := self._not_finite(parameters):
            raise Diverged(
                f"{len(not_finite)} of {len(parameters)} weights and statistics are not finite after "
                f"{self.place}, first {not_finite[0]}; {last(self.checkpoint)}"
            )
        self.place.seconds = time.perf_counter() - self.started
        if self.checkpoint and not self.workers.rank:
            self.checkpoint.save(self.place)

    def _not_finite(self, parameters: Mapping[str, gluon.Parameter]) -> list[str]:
        """Return the names of weights and statistics that are not finite."""
        arrays = {name: parameter.list_data()[0] for name, parameter in parameters.items()}
        # MXNet's kernel for CPUs is slower than numpy: it visits all arrays for each index of the largest.
        if on_gpu(self.devices) and all_finite(list(arrays.values())):
            return []
        return [name for name, array in arrays.items() if not np.isfinite(array.asnumpy()).all()]

    def evaluate(self) -> dict[str, dict]:
        """Predict every evaluated part, keep the probabilities, and return the metrics by part.

        Raises:
            Diverged: On all workers, for probabilities that are not finite.
        """
        measured = {}
        for part, examples in self.evaluated.items():
            probabilities = predict(self.net, examples, self.devices, self.settings.micro_batch)
            if self.workers.broadcast(not np.isfinite(probabilities).all()):
                count = min(self.settings.micro_batch, len(examples))
                images, _ = examples.batch(np.arange(count))
                layer = first_layer(self.net, [images], self.devices[0], training=False)
                raise Diverged(
                    f"the predictions for '{part}' are not finite after epoch {len(self.place.history) + 1}, "
                    f"first in {layer}; {last(self.checkpoint)}"
                )
            self.probabilities[part] = probabilities
            measured[part] = metrics(examples.clip_labels(), probabilities.argmax(axis=1), self.classes)
        return measured


@enough_memory()
def train(
    net: gluon.HybridBlock,
    settings: Settings,
    training: Examples,
    evaluated: Mapping[str, Examples],
    classes: int,
    devices: list[mx.Context],
    folder: Path | None = None,
    title: str = "training",
    callback: Callable[[dict], None] = lambda entry: None,
    workers: Workers = Workers(),
) -> Outcome:
    """Train ``net`` from scratch and evaluate it after each epoch.

    An interrupted training resumes from its last checkpoint in ``folder`` and ends with the same result:
    every random draw depends only on the seed, the epoch and the place within the epoch.

    Args:
        net: Takes (batch, 1, size, size) and returns logits (batch, classes). Its old weights are
            replaced.
        settings: The settings of the training.
        training: The labelled spectrograms to train on.
        evaluated: The parts to evaluate after each epoch, by name.
        classes: Number of classes.
        devices: Contexts of this process. Each takes its share of every batch.
        folder: The folder for checkpoints; None for no checkpoints.
        title: The title of the progress bar and of messages.
        callback: Receives the history's entry after each epoch.
        workers: All workers of this training. Each calls ``train`` with the same arguments and takes its
            share of every batch. The first worker writes the checkpoints, and all workers read them.

    Raises:
        Diverged: On all workers, when the loss, a weight or a prediction is no longer finite. It names the
            epoch, the batch, the layer and the last checkpoint.
        Faults: When a batch is too small to be divided, a checkpoint is damaged, or a GPU's memory is full.
    """
    arguments = net, settings, training, evaluated, classes, devices, folder, title, workers
    return Training(*arguments).run(callback)


def compute_in(dtype: str, net: gluon.HybridBlock, kind: str = "cpu") -> None:
    """Choose the graph that suits a data type and a device. Call this before ``net`` is hybridized.

    Args:
        dtype: The type that ``net`` and all networks built later compute in, see ``runtime.mixed_precision``.
        net: The network.
        kind: Kind of the device, 'cpu' or 'gpu'.
    """
    runtime.mixed_precision(dtype)
    if dtype == "bfloat16":
        net.apply(lambda layer: layer.lift() if isinstance(layer, ConvUnit) else None)
    if kind == "gpu":
        use_plain_operators(net)


def predict(
    net: gluon.HybridBlock, examples: Examples, devices: list[mx.Context], micro_batch: int
) -> np.ndarray:
    """Return class probabilities (clips, classes) for ``examples``, computed on the first device.

    Args:
        net: Takes (batch, 1, size, size) and returns logits (batch, classes).
        examples: The spectrograms; their labels are not used.
        devices: The contexts that hold the network.
        micro_batch: Number of spectrograms to compute at a time.
    """
    chunk = min(micro_batch, len(examples))
    parts = []
    for start in range(0, len(examples), chunk):
        # Full chunks keep the graph's static shapes.
        numbers = np.arange(start, start + chunk) % len(examples)
        images, _ = examples.batch(numbers)
        parts.append(net(mx.nd.array(images, ctx=devices[0])).softmax().asnumpy())
    return examples.clip_probabilities(np.concatenate(parts)[: len(examples)])


def _initialise(net: gluon.HybridBlock, settings: Settings, devices: list[mx.Context]) -> None:
    compute_in(settings.dtype, net, devices[0].device_type)
    runtime.seed(settings.seed)
    net.initialize(INITIALIZERS[settings.initializer](), ctx=devices, force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)


def _trainer(parameters: gluon.ParameterDict, settings: Settings, accumulates: bool) -> gluon.Trainer:
    """Return an SGD trainer; with ``accumulates``, gradients add up until they are zeroed."""
    if accumulates:
        # Statistics and constants take no gradient, and 'add' would make MXNet look for one.
        for parameter in parameters.values():
            if parameter.grad_req != "null":
                parameter.grad_req = "add"
    # The trainer must not own them either: when it starts, it copies the first device's parameters to all.
    return gluon.Trainer(
        {name: parameter for name, parameter in parameters.items() if parameter.grad_req != "null"},
        "sgd",
        {"learning_rate": settings.learning_rate, "momentum": settings.momentum, "wd": settings.weight_decay},
        update_on_kvstore=False,
    )


def _seed(seed: int, epoch: int, number: int, rank: int = 0) -> int:
    """Return the seed for dropout at a place; MXNet cannot save its generator. Each worker has its own."""
    if number == rank == 0:
        return (seed * 100_003 + epoch + 1) % 2**32  # the largest seed that numpy accepts is 2**32 - 1
    return int(np.random.default_rng([seed, epoch, number, rank]).integers(2**31))


def _gradients(
    net: gluon.HybridBlock, training: Examples, shares: list[np.ndarray], devices: list[mx.Context]
) -> tuple[float, int]:
    """Leave the gradients of the summed loss in the parameters; return it and the number of correct samples.

    The ``shares`` of a batch go to the devices in turn, so that all devices work at the same time.
    """
    softmax_loss = gluon.loss.SoftmaxCrossEntropyLoss()
    loss_sum, correct = 0.0, 0
    for start in range(0, len(shares), len(devices)):
        losses, hits = [], []
        for share, device in zip(shares[start : start + len(devices)], devices):
            images, labels = (mx.nd.array(array, ctx=device) for array in training.batch(share))
            with autograd.record():
                logits = net(images)
                loss = softmax_loss(logits, labels)
                if training.weights is not None:
                    loss = loss * mx.nd.array(training.weights[share], ctx=device)
                losses.append(loss)
            hits.append(logits.argmax(axis=1) == labels)
        autograd.backward(losses)
        loss_sum += sum(float(loss.sum().asscalar()) for loss in losses)
        correct += sum(int(hit.sum().asscalar()) for hit in hits)
    return loss_sum, correct


def _infer_shapes(net: gluon.HybridBlock, training: Examples, seed: int, devices: list[mx.Context]) -> None:
    """Give weights without a shape their shape and values, before each worker draws its own dropout."""
    runtime.seed(_seed(seed, 0, 0))
    for device in devices:
        net(mx.nd.array(training.batch(np.arange(1))[0], ctx=device)).wait_to_read()


def _share_statistics(parameters: Mapping[str, gluon.Parameter], workers: Workers) -> None:
    """Give every device of every worker the mean of their BatchNorm statistics, as a saved model has one."""
    statistics = [value for name, value in parameters.items() if name.endswith(RUNNING)]
    devices = len(statistics[0].list_ctx()) if statistics else 0
    if devices * workers.count > 1:
        sums = [sum(copy.as_in_context(mx.cpu()) for copy in value.list_data()) for value in statistics]
        for parameter, total in zip(statistics, workers.total(sums)):
            parameter.set_data(total / (devices * workers.count))
