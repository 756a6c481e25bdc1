"""Train one network and record its learning curve. MXNet is imported here, so import this module late."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
from curves.clips import Clips
from mxnet.gluon import HybridBlock

from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.divergence import Diverged
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Training
from freqcnn_gluon.training.memory import MEMORY, micro_batch
from freqcnn_gluon.training.settings import Settings
from freqcnn_gluon.training.workers import Workers
from reproduce.assumptions import Choices


class Reached(Exception):
    """The training accuracy at which a training should end has been reached."""


@dataclass(frozen=True)
class Conditions:
    """What trainings of one experiment have in common.

    Attributes:
        batch_size: Samples in a batch.
        steps: End with the epoch that reaches this number of steps; None takes the epochs in ``Choices``.
        accuracy: End with the first epoch of at least this training accuracy; None never does.
        dtype: The number format of convolutions.
        device: As ``devices.choose`` takes it.
    """

    batch_size: int
    steps: int | None = None
    accuracy: float | None = None
    dtype: str = "float32"
    device: str = "cpu"


def learn(
    architecture: str,
    clips: Clips,
    parts: Mapping[str, np.ndarray],
    choices: Choices,
    conditions: Conditions,
    seed: int,
    folder: Path | None = None,
    title: str = "training",
) -> dict[str, Any]:
    """Train a network, or resume its training from ``folder``.

    Args:
        architecture: Name of the network in ``zoo.ZOO``.
        clips: All clips.
        parts: Numbers of the clips of each part. The part 'training' is trained on, and the others are
            evaluated after each epoch.
        choices: The assumptions, as ``assumptions.choices`` returns them.
        conditions: When to end, and how to compute.
        seed: The seed of the training.
        folder: The folder for checkpoints; None for no checkpoints.
        title: Text of the progress bar.

    Returns:
        The learning curve with an entry for each epoch, what it was measured on, what it took, and how the
        training diverged, if it did.
    """
    examples = {
        name: Examples(clips.images, *clips.part(chosen, over_sampled=name == "training"))
        for name, chosen in parts.items()
    }
    training = examples.pop("training")
    net = build(architecture, len(clips.labels), clips.images.shape[-1], **choices["network"])
    devices = runtime.contexts(conditions.device)
    settings = _settings(net, clips, len(training), choices, conditions, seed, devices)
    run = Training(net, settings, training, examples, len(clips.labels), devices, folder, title, Workers())

    def stop(entry: dict) -> None:
        if conditions.accuracy and entry["accuracy"] >= conditions.accuracy:
            raise Reached

    load = os.getloadavg()[0]
    diverged = ""
    try:
        run.run(stop)
    except Reached:
        pass
    except Diverged as fault:
        diverged = str(fault).partition(";")[0]  # the rest is about checkpoints
    curve = _curve(run.place.history, list(examples), len(training), settings.batch_size)
    seconds = sum(entry["seconds"] for entry in curve)
    return {
        "seed": seed,
        "curve": curve,
        "seconds": round(seconds, 1),  # with the evaluations
        "samples_per_second": round(curve[-1]["steps"] * settings.batch_size / seconds, 2) if curve else None,
        "diverged": diverged,
        "classes": len(clips.labels),
        "clips": {"training": len(training), **{name: len(part) for name, part in examples.items()}},
        "micro_batch": settings.micro_batch,
        "dtype": conditions.dtype,
        "load": [load, os.getloadavg()[0]],
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _settings(
    net: HybridBlock,
    clips: Clips,
    samples: int,
    choices: Choices,
    conditions: Conditions,
    seed: int,
    devices: list[mx.Context],
) -> Settings:
    """Return the settings of a training on ``samples`` samples."""
    runtime.check_dtype(conditions.dtype, devices[0].device_type)
    batch_size = min(conditions.batch_size, samples)
    settled = dict(choices["training"])
    if conditions.steps:
        settled["epochs"] = -(-conditions.steps * batch_size // samples)
    share = -(-batch_size // len(devices))
    fitting = micro_batch(net, clips.images.shape[-1], share, settled.get("memory", MEMORY), devices)
    return Settings(batch_size=batch_size, micro_batch=fitting, seed=seed, dtype=conditions.dtype, **settled)


def _curve(history: list[dict], parts: list[str], samples: int, batch_size: int) -> list[dict[str, Any]]:
    """Return the entry of each epoch; left-over samples of an epoch begin the next."""
    return [
        {
            "epoch": entry["epoch"],
            "steps": entry["epoch"] * samples // batch_size,
            **{name: entry[name] for name in ("loss", "accuracy", "seconds")},
            **{part: {name: entry[part][name] for name in ("accuracy", "uar")} for part in parts},
        }
        for entry in history
    ]
