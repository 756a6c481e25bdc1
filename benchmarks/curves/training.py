"""Train one network and record its learning curve. MXNet is imported here, so import this module late."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from curves.clips import Clips

from freqcnn_gluon import runtime
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Training
from freqcnn_gluon.training.memory import MEMORY, micro_batch
from freqcnn_gluon.training.settings import Settings
from freqcnn_gluon.training.workers import Workers
from reproduce.assumptions import Choices


class Reached(Exception):
    """The training accuracy at which a training should end has been reached."""


def learn(
    architecture: str,
    clips: Clips,
    training: np.ndarray,
    evaluated: Mapping[str, np.ndarray],
    choices: Choices,
    seed: int,
    batch_size: int,
    dtype: str = "float32",
    steps: int | None = None,
    accuracy: float | None = None,
    folder: Path | None = None,
    title: str = "training",
) -> dict[str, Any]:
    """Train a network, or resume its training from ``folder``.

    Args:
        architecture: Name of the network in ``zoo.ZOO``.
        clips: All clips.
        training: Numbers of the clips to train on (n,).
        evaluated: Numbers of the clips to evaluate on after each epoch, by part.
        choices: The assumptions, as ``assumptions.choices`` returns them.
        seed: The seed of the training.
        batch_size: Samples in a batch.
        dtype: The number format of convolutions.
        steps: End with the epoch that reaches this number of steps; None takes the epochs in ``choices``.
        accuracy: End with the first epoch of at least this training accuracy; None never does.
        folder: The folder for checkpoints; None for no checkpoints.
        title: Text of the progress bar.

    Returns:
        The learning curve with an entry for each epoch, what it was measured on, and what it took.
    """
    size, classes = clips.images.shape[-1], len(clips.labels)
    examples = Examples(clips.images, *clips.part(training, over_sampled=True))
    parts = {name: Examples(clips.images, *clips.part(chosen)) for name, chosen in evaluated.items()}
    batch_size = min(batch_size, len(examples))
    settled = dict(choices["training"])
    if steps:
        settled["epochs"] = -(-steps * batch_size // len(examples))
    net = build(architecture, classes, size, **choices["network"])
    devices = runtime.contexts("cpu")
    fitting = micro_batch(net, size, batch_size, settled.get("memory", MEMORY), devices)
    settings = Settings(batch_size=batch_size, micro_batch=fitting, seed=seed, dtype=dtype, **settled)
    run = Training(net, settings, examples, parts, classes, devices, folder, title, Workers())

    def stop(entry: dict) -> None:
        if accuracy and entry["accuracy"] >= accuracy:
            raise Reached

    load = os.getloadavg()[0]
    try:
        run.run(stop)
    except Reached:
        pass
    curve = _curve(run.place.history, list(parts), len(examples), batch_size)
    seconds = sum(entry["seconds"] for entry in curve)
    return {
        "seed": seed,
        "curve": curve,
        "seconds": round(seconds, 1),  # with the evaluations
        "samples_per_second": round(curve[-1]["steps"] * batch_size / seconds, 2),
        "classes": classes,
        "clips": {"training": len(examples), **{name: len(part) for name, part in parts.items()}},
        "micro_batch": fitting,
        "dtype": dtype,
        "load": [load, os.getloadavg()[0]],
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


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
