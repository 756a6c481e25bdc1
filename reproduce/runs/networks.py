"""The networks of runs, before anything is trained: can they be built, do they fit, which are the same?"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from reproduce.peers import PEERS
from reproduce.runs.run import Run

if TYPE_CHECKING:
    from mxnet.gluon import HybridBlock

__all__ = ["check_networks", "training_key"]


def check_networks(runs: Iterable[Run], classes: int) -> None:
    """Build the network of each run, and check that it fits into the chosen memory.

    Args:
        runs: The runs; peers are left out.
        classes: Number of classes.

    Raises:
        Faults: One for each row whose network cannot be built with the run's choices or does not fit.
    """
    from mxnet import MXNetError  # MXNet's import takes seconds

    from freqcnn_gluon.training.memory import check_memory

    faults = {}
    for run in runs:
        if run.system in PEERS:
            continue
        try:
            check_memory(_network(run, classes), run.network_sizes()[0], run.choices["training"]["memory"])
        except Faults as fault:
            faults[run.row] = f"{run.row}, profile {run.profile}: {fault}"
        except MXNetError:  # a layer's input is smaller than its kernel
            size = run.network_sizes()[0]
            faults[run.row] = f"{run.row}: spectrograms of {size} x {size} are too small for it; leave it out"
    if faults:
        raise Faults(faults.values())


def training_key(run: Run, classes: int, devices: str | None) -> tuple[Any, ...]:
    """Return what the training of a run depends on; two runs with equal keys give the same result.

    Args:
        run: A network's run.
        classes: Number of classes.
        devices: The devices of the training, as ``devices.choose`` takes them; None if they are not known.
            With known devices, a choice of the memory counts only by its micro-batch.
    """
    from freqcnn_gluon import runtime
    from freqcnn_gluon.training import workers
    from freqcnn_gluon.training.memory import micro_batch

    net, (size, batch_size) = _network(run, classes), run.network_sizes()
    training = dict(run.choices["training"])
    memory = training.pop("memory")
    if devices is not None:
        contexts = runtime.contexts(devices)
        share = -(-batch_size // (len(contexts) * workers.join().count))
        memory = micro_batch(net, size, share, memory, contexts)
    image = ImageSettings(size, **run.choices["image"]).as_json()  # without settings that have no effect
    others = replace(run, choices={**run.choices, "network": {}, "training": training, "image": image})
    return others, _form(*_arguments(run, classes)), memory


def _network(run: Run, classes: int) -> HybridBlock:
    return _built(*_arguments(run, classes))


def _arguments(run: Run, classes: int) -> tuple[str, int, int, str]:
    """Return the arguments of ``_built``, which a cache can compare."""
    return run.system, classes, run.network_sizes()[0], json.dumps(run.choices["network"])


@functools.cache  # folds, seeds and choices about the training have the same network
def _built(system: str, classes: int, size: int, arguments: str) -> HybridBlock:
    """Build a network; ``arguments`` are FreqCNN's, as JSON."""
    from freqcnn_gluon.network.zoo import build

    return build(system, classes, size, **json.loads(arguments))


@functools.cache
def _form(*arguments: Any) -> list[object]:
    from freqcnn_gluon.network.describe import form

    return form(_built(*arguments))
