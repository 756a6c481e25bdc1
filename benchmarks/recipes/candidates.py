"""Train with candidates for the recipe of `fit`. MXNet is imported here, so import this module late."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import mxnet as mx
import numpy as np
from curves.clips import Clips
from mxnet import autograd, gluon

from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training import loop
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Training, predict
from freqcnn_gluon.training.settings import SCHEDULES, Settings
from freqcnn_gluon.training.workers import Workers

AVERAGED = 0.25  # the last share of the epochs, whose weights are averaged
SCHEDULES["warm"] = lambda done: min(1.0, 0.02 + 10 * done) * SCHEDULES["cosine"](done)


@dataclass(frozen=True)
class Changed(Examples):
    """Examples whose images are changed at random each time that they are drawn."""

    changes: tuple[Callable[[np.ndarray], np.ndarray], ...] = ()

    def batch(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images, labels = super().batch(numbers)
        for change in self.changes:
            images = np.stack([change(image)[None] for image in images[:, 0]])
        return images.astype(np.float32), labels


def masks(image: np.ndarray) -> np.ndarray:
    """Replace two bands of rows and two of columns, each up to a sixth, by the mean (SpecAugment)."""
    image, size = image.copy(), len(image)
    fill = image.mean()
    for axis in (0, 0, 1, 1):
        width = np.random.randint(0, size // 6 + 1)
        start = np.random.randint(0, size - width + 1)
        np.moveaxis(image, axis, 0)[start : start + width] = fill
    return image


def crop(image: np.ndarray) -> np.ndarray:
    """Stretch 60 to 100 % of the time to the whole width."""
    return _stretched(image, 0.6)


def trim(image: np.ndarray) -> np.ndarray:
    """Stretch 85 to 100 % of the time to the whole width."""
    return _stretched(image, 0.85)


def warp(image: np.ndarray) -> np.ndarray:
    """Stretch the frequencies by up to a tenth, as other vocal tracts do."""
    return _resampled(image.T, np.arange(len(image)) * np.random.uniform(0.9, 1.1)).T


def level(image: np.ndarray) -> np.ndarray:
    """Raise or lower all values by up to a tenth of the range of decibels, and add noise of up to a tenth."""
    image = np.clip(image + np.random.uniform(-0.1, 0.1), 0, 1)
    return image + np.random.normal(0, np.random.uniform(0, 0.1), image.shape)


CHANGES = {change.__name__: change for change in (masks, crop, trim, warp, level)}


def _stretched(image: np.ndarray, least: float) -> np.ndarray:
    """Stretch a random part of the time, at least the share ``least``, to the whole width."""
    size = image.shape[1]
    width = np.random.uniform(least, 1.0) * size
    start = np.random.uniform(0, size - width)
    return _resampled(image, start + (np.arange(size) + 0.5) * width / size - 0.5)


def _resampled(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the columns at ``places``, interpolated; beyond the ends, the outermost columns are repeated."""
    places = np.clip(places, 0, image.shape[1] - 1)
    low = np.floor(places).astype(int)
    share = (places - low).astype(np.float32)
    return image[:, low] * (1 - share) + image[:, np.minimum(low + 1, image.shape[1] - 1)] * share


def balanced(labels: np.ndarray) -> np.ndarray:
    """Return numbers of examples in which each class is about as frequent as the most frequent one."""
    counts = np.bincount(labels)
    return np.repeat(np.arange(len(labels)), np.round(counts.max() / counts).astype(int)[labels])


def learn(
    clips: Clips,
    training: np.ndarray,
    held_out: np.ndarray,
    changes: Mapping[str, Any],
    seed: int,
    batch_size: int,
    steps: int,
) -> dict[str, Any]:
    """Train Table 7's network, and predict the clips that are held out.

    Args:
        clips: All clips.
        training: Numbers of the training clips.
        held_out: Numbers of the others.
        changes: What is changed in the recipe: ``batch_size``, ``steps``, fields of ``Settings``; ``images``,
            names of CHANGES; ``balanced``; ``smoothing``, the share of label smoothing; ``mixup``, the
            parameter of its beta distribution.
        seed: The seed.
        batch_size: Clips per step.
        steps: The training ends with the epoch that reaches this number.

    Returns:
        The numbers of the ``predicted`` classes, those of the network with ``averaged`` weights, and what the
        training took.
    """
    rest = dict(changes)
    batch_size, steps = rest.pop("batch_size", batch_size), rest.pop("steps", steps)
    drawn = training[balanced(clips.numbers[training])] if rest.pop("balanced", False) else training
    images = tuple(CHANGES[name] for name in rest.pop("images", ()))
    examples = Changed(clips.images, clips.rows[drawn], clips.numbers[drawn], changes=images)
    others = Examples(clips.images, clips.rows[held_out], clips.numbers[held_out])
    gradients = _gradients(len(clips.labels), rest.pop("smoothing", 0), rest.pop("mixup", 0))
    epochs = -(-steps * batch_size // len(drawn))
    options = {"normalise": "frequency", "schedule": "cosine", "dtype": runtime.fast_dtype("cpu")} | rest
    settings = Settings(epochs, batch_size, batch_size, seed, **options)
    net, devices = build("table7", len(clips.labels), clips.images.shape[-1]), runtime.contexts("cpu")
    mean = _Mean(net, epochs)
    with patch.object(loop, "_gradients", gradients):
        run = Training(net, settings, examples, {}, len(clips.labels), devices, None, "trial", Workers())
        started = time.perf_counter()
        last = run.run(mean.add).history[-1]
        seconds = time.perf_counter() - started
    predicted = predict(net, others, devices, 32).argmax(axis=1)
    mean.set()
    averaged = predict(net, others, devices, 32).argmax(axis=1)
    mx.nd.waitall()
    return {
        "predicted": predicted,
        "averaged": averaged,
        "accuracy": last["accuracy"],
        "epochs": epochs,
        "clips": len(training),
        "seconds": seconds,
    }


class _Mean:
    """The mean of a network's weights and statistics over the last share of its epochs."""

    def __init__(self, net: gluon.HybridBlock, epochs: int):
        self.net, self.first, self.count, self.sums = net, epochs * (1 - AVERAGED), 0, {}

    def add(self, entry: Mapping[str, Any]) -> None:
        if entry["epoch"] > self.first:
            mx.nd.waitall()
            self.count += 1
            for name, parameter in self.net._collect_params_with_prefix().items():
                self.sums[name] = self.sums.get(name, 0) + parameter.data().asnumpy().astype(np.float64)

    def set(self) -> None:
        for name, parameter in self.net._collect_params_with_prefix().items():
            parameter.set_data(mx.nd.array(self.sums[name] / self.count))


def _gradients(classes: int, smoothing: float, mixup: float) -> Callable:
    """Return a replacement for the training loop's function that also smooths labels and mixes up clips."""

    def gradients(net, examples, shares, devices):
        (share,) = shares
        images, labels = examples.batch(share)
        target = np.eye(classes, dtype=np.float32)[labels.astype(int)] * (1 - smoothing) + smoothing / classes
        if mixup:
            part, other = np.random.beta(mixup, mixup), np.random.permutation(len(images))
            part = max(part, 1 - part)
            images, target = (part * values + (1 - part) * values[other] for values in (images, target))
        arrays = [mx.nd.array(values, ctx=devices[0]) for values in (images, target, labels)]
        with autograd.record():
            logits = net(arrays[0])
            loss = gluon.loss.SoftmaxCrossEntropyLoss(sparse_label=False)(logits, arrays[1])
        loss.backward()
        hits = logits.argmax(axis=1) == arrays[2]
        return float(loss.sum().asscalar()), int(hits.sum().asscalar())

    return gradients
