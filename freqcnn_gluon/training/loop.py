"""The one training loop, for every Gluon system of the tables."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from data_prep.base.faults import Faults
from data_prep.base.progress import Bar
from freqcnn_gluon import runtime
from freqcnn_gluon.network.blocks import ConvUnit
from freqcnn_gluon.training.checkpoint import Checkpoint, Place
from freqcnn_gluon.training.divergence import Diverged, first_layer
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.metrics import metrics
from freqcnn_gluon.training.settings import INITIALIZERS, SCHEDULES, Settings
from freqcnn_gluon.training.workers import Workers

__all__ = ["Outcome", "compute_in", "predict", "train"]

# Values times side of the input between two places within an epoch where a training can go on: one batch of
# Table 2, half a minute on two cores. Few epochs of small spectrograms are as long as that.
PLACE = 2**30
BAR = "{desc}: {percentage:3.0f}%|{bar}| epoch {n:.1f} of {total} [{elapsed}, {remaining} left{postfix}]"


@dataclass(frozen=True)
class Outcome:
    """``history``: a dict an epoch (epoch, loss, accuracy, seconds, and the metrics of each evaluated
    part by its name); ``probabilities``: part -> (n, classes) after the last epoch.
    """

    history: list[dict]
    probabilities: dict[str, np.ndarray]


@contextlib.contextmanager
def _enough_memory() -> Iterator[None]:
    try:
        yield
    except mx.MXNetError as error:
        if "out of memory" not in str(error):
            raise
        raise Faults(
            "the training does not fit into the GPU's memory: give a smaller --size or --batch-size, more "
            "devices as in gpu:0,1, or end what else takes its memory"
        ) from None


@_enough_memory()
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
    """Train ``net`` from scratch and evaluate it on every part of ``evaluated`` after each epoch.

    With a ``folder``, an interrupted training goes on from its last checkpoint there and ends as it
    would have ended without the interruption: every random draw depends on the seed, the epoch and the
    place in it alone. ``callback`` is called with the history's entry after each epoch. Each of several
    ``workers`` takes its share of every batch and calls this with the same arguments; the first writes the
    checkpoints, which all of them read. Raises Diverged, on all of them, when the loss, a weight or an answer
    is no longer finite, naming the epoch, the batch, where that began and the checkpoint before it; Faults
    for a batch that is too small to be shared out, and for too little memory on a GPU.
    """
    compute_in(settings.dtype, net)
    runtime.seed(settings.seed)
    net.initialize(INITIALIZERS[settings.initializer](), ctx=devices, force_reinit=True)
    net.hybridize(static_alloc=True, static_shape=True)
    batch_size = min(settings.batch_size, len(training))
    if batch_size < workers.count * len(devices):
        raise Faults(
            f"{title}: a batch of {batch_size} is too small for {workers.count} workers with {len(devices)} "
            "devices each: take fewer"
        )
    own = np.array_split(np.arange(batch_size), workers.count)
    per_device = -(-len(own[0]) // len(devices))
    splits = -(-per_device // settings.micro_batch)
    mine = own[workers.rank]
    shares = np.array_split(mine, min(splits * len(devices), len(mine)))  # none of them empty
    parameters = net.collect_params()
    if splits > 1:
        parameters.setattr("grad_req", "add")
    # BatchNorm's running statistics take no gradient, and 'add' would make MXNet look for one.
    for parameter in parameters.values():
        if parameter.name.endswith(("running_mean", "running_var")):
            parameter.grad_req = "null"
    # Nor may they be the trainer's: it gives all devices the first one's when it begins, or goes on.
    trainer = gluon.Trainer(
        {name: parameter for name, parameter in parameters.items() if parameter.grad_req != "null"},
        "sgd",
        {"learning_rate": settings.learning_rate, "momentum": settings.momentum, "wd": settings.weight_decay},
        update_on_kvstore=False,
    )
    checkpoint = Checkpoint(folder, net, trainer, devices) if folder else None
    entries = {"epoch", "loss", "accuracy", "seconds", *evaluated}
    place = checkpoint.load(len(training), entries) if checkpoint else Place()
    history = place.history
    if workers.count > 1:
        workers.same(f"{net} {settings} {len(training)} {len(devices)} {place} {place.left_over}")
        _settle_shapes(net, training, settings.seed, devices)
    every = max(1, PLACE // (batch_size * training.images[0].size * training.images.shape[-1]))
    probabilities: dict[str, np.ndarray] = {}
    bar = Bar(
        total=settings.epochs,
        initial=len(history),
        desc=title,
        bar_format=BAR,
        dynamic_ncols=True,
        disable=workers.rank > 0,
    )
    for epoch in range(len(history), settings.epochs):
        started = time.perf_counter() - place.seconds
        order = np.random.default_rng([settings.seed, epoch]).permutation(len(training))
        # a rest smaller than a batch opens the next epoch
        order = np.concatenate([np.array(place.left_over, int), order])
        batches, first = len(order) // batch_size, place.batches
        for number in range(first, batches):
            if number % every == 0:
                if number > first:  # else it went on from here, where it had settled
                    _settle(net, workers, checkpoint, place, started)
                runtime.seed(_seed(settings.seed, epoch, number, workers.rank))
            done = (epoch + number / batches) / settings.epochs
            trainer.set_learning_rate(settings.learning_rate * SCHEDULES[settings.schedule](done))
            batch = order[number * batch_size : (number + 1) * batch_size]
            if splits > 1:
                parameters.zero_grad()
            loss, right = _gradients(net, training, [batch[share] for share in shares], devices)
            trainer.allreduce_grads()  # over the devices
            loss, right = workers.add_gradients(parameters, loss, right)
            if not math.isfinite(loss):
                parts = (training.batch(batch[share])[0] for share in shares)
                where = first_layer(net, parts, devices[0], training=True)
                raise Diverged(
                    f"the loss is not finite in epoch {epoch + 1}, batch {number + 1}, first in {where}; "
                    + _kept(checkpoint)
                )
            place.batches = number + 1
            place.loss, place.correct = place.loss + loss, place.correct + int(right)
            trainer.update(batch_size)
            bar.n = epoch + (number + 1) / batches  # a sum of parts would end beside the whole
            bar.update(0)
        if place.batches > first:
            _settle(net, workers, checkpoint, place, started)
        seen = batches * batch_size
        entry = {"epoch": epoch + 1, "loss": place.loss / seen, "accuracy": place.correct / seen}
        for part, examples in evaluated.items():
            probabilities[part] = predict(net, examples, devices, settings.micro_batch)
            if workers.broadcast(not np.isfinite(probabilities[part]).all()):
                chunk = examples.batch(np.arange(min(settings.micro_batch, len(examples))))[0]
                where = first_layer(net, [chunk], devices[0], training=False)
                raise Diverged(
                    f"the answers on '{part}' are not finite after epoch {epoch + 1}, first in {where}; "
                    + _kept(checkpoint)
                )
            entry[part] = metrics(examples.labels, probabilities[part].argmax(axis=1), classes)
        entry["seconds"] = time.perf_counter() - started
        history.append(entry)
        callback(entry)
        bar.set_postfix(
            {"loss": f"{entry['loss']:.3f}"} | {part: f"{entry[part]['uar']:.3f}" for part in evaluated}
        )
        place = Place(history, left_over=order[batches * batch_size :].tolist())
        if checkpoint and not workers.rank:
            checkpoint.save(place, last=epoch + 1 == settings.epochs)
    bar.close()
    if not probabilities:  # it was interrupted between the last epoch and its report
        probabilities = {
            part: predict(net, examples, devices, settings.micro_batch)
            for part, examples in evaluated.items()
        }
    return Outcome(history, probabilities)


def compute_in(dtype: str, net: gluon.HybridBlock) -> None:
    """Have ``net`` compute in ``dtype``, as ``runtime.mixed_precision`` has it."""
    runtime.mixed_precision(dtype)
    if dtype == "bfloat16":
        net.apply(lambda layer: layer.lift() if isinstance(layer, ConvUnit) else None)


def _settle(
    net: gluon.HybridBlock,
    workers: Workers,
    checkpoint: Checkpoint | None,
    place: Place,
    started: float,
) -> None:
    """Bring the net into a state that a checkpoint can hold, and write that if it is time.

    Raises Diverged, on all workers, when a weight or a statistic is not finite: oneDNN's relu makes 0 of what
    is no number, and an infinite variance of whatever it is given, so loss and answers need not show either.
    """
    # BatchNorm's statistics are written by the backward pass, which MXNet does not wait for to read them.
    mx.nd.waitall()
    parameters = net._collect_params_with_prefix()
    _share_statistics(parameters, workers)
    lost = [name for name, each in parameters.items() if not np.isfinite(each.list_data()[0].asnumpy()).all()]
    if lost:
        raise Diverged(
            f"{len(lost)} of {len(parameters)} weights and statistics are not finite after {place}, first "
            f"{lost[0]}; " + _kept(checkpoint)
        )
    place.seconds = time.perf_counter() - started
    if checkpoint and not workers.rank:
        checkpoint.save(place)


def _seed(seed: int, epoch: int, number: int, rank: int = 0) -> int:
    """What to seed with at a place, for dropout's draws: MXNet cannot save the state of its own.

    Each worker drops others.
    """
    if number == rank == 0:
        return (seed * 100_003 + epoch + 1) % 2**32  # numpy takes no larger one
    return int(np.random.default_rng([seed, epoch, number, rank]).integers(2**31))


def _kept(checkpoint: Checkpoint | None) -> str:
    """What there is to go back to."""
    if checkpoint and checkpoint.written:
        return f"the checkpoint before it, after {checkpoint.written}, is in {checkpoint.folder}"
    return "no checkpoint was written before it"


def _gradients(
    net: gluon.HybridBlock, training: Examples, shares: list[np.ndarray], devices: list[mx.Context]
) -> tuple[float, int]:
    """Leave the gradients of the summed loss in the parameters; the loss and how many were right.

    The ``shares`` of a batch go to the devices in turns, so that all devices work at a time.
    """
    softmax_loss = gluon.loss.SoftmaxCrossEntropyLoss()
    loss_sum, correct = 0.0, 0
    for start in range(0, len(shares), len(devices)):
        losses, hits = [], []
        for share, device in zip(shares[start : start + len(devices)], devices):
            images, labels = (mx.nd.array(array, ctx=device) for array in training.batch(share))
            with autograd.record():
                logits = net(images)
                losses.append(softmax_loss(logits, labels))
            hits.append(logits.argmax(axis=1) == labels)
        autograd.backward(losses)
        loss_sum += sum(float(loss.sum().asscalar()) for loss in losses)
        correct += sum(int(hit.sum().asscalar()) for hit in hits)
    return loss_sum, correct


def _settle_shapes(net: gluon.HybridBlock, training: Examples, seed: int, devices: list[mx.Context]) -> None:
    """Draw the weights that wait for a first batch to have shapes, as one process would, before dropout."""
    runtime.seed(_seed(seed, 0, 0))
    for device in devices:
        net(mx.nd.array(training.batch(np.arange(1))[0], ctx=device)).wait_to_read()


def _share_statistics(parameters: Mapping[str, gluon.Parameter], workers: Workers) -> None:
    """Give every device of every worker the mean of their BatchNorm statistics: a saved model has one."""
    statistics = [parameter for parameter in parameters.values() if parameter.grad_req == "null"]
    devices = len(statistics[0].list_ctx()) if statistics else 0
    if devices * workers.count > 1:
        sums = [sum(copy.as_in_context(mx.cpu()) for copy in each.list_data()) for each in statistics]
        for each, total in zip(statistics, workers.total(sums)):
            each.set_data(total / (devices * workers.count))


def predict(
    net: gluon.HybridBlock, examples: Examples, devices: list[mx.Context], micro_batch: int
) -> np.ndarray:
    """Class probabilities (n, classes) of ``examples``, a micro-batch at a time on the first device."""
    chunk = min(micro_batch, len(examples))
    found = []
    for start in range(0, len(examples), chunk):
        which = np.arange(start, start + chunk) % len(examples)  # full chunks keep the static shapes
        images, _ = examples.batch(which)
        found.append(net(mx.nd.array(images, ctx=devices[0])).softmax().asnumpy())
    return np.concatenate(found)[: len(examples)]
