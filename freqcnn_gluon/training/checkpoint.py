"""Where an interrupted training goes on. No file of it is pickled, so that none can run code."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import gluon
from safetensors import SafetensorError
from safetensors.numpy import load_file

from data_prep.base.faults import Faults
from data_prep.base.files import checksum, whole
from freqcnn_gluon.network.weights import load_parameters, save_arrays, save_parameters

__all__ = ["Checkpoint", "Place"]

SECONDS_BETWEEN = 60  # a lost minute costs less than writing hundreds of megabytes an epoch
LAST = "model.safetensors"
NAME = re.compile(rf"{re.escape(LAST)}|epoch-\d+-\d+(-momentum)?\.safetensors")


@dataclass
class Place:
    """Where a training is: the ``history`` of the epochs that are done, the samples ``left_over`` from
    them, and of the present epoch the ``batches`` done, their summed ``loss``, how many answers were
    ``correct`` and the ``seconds`` they took.
    """

    history: list[dict] = field(default_factory=list)
    left_over: list[int] = field(default_factory=list)
    batches: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0

    def check(self, examples: int, entry: Collection[str]) -> None:
        """Raises ValueError or TypeError for a place that is in no training on so many ``examples``."""
        if any(set(each) != set(entry) for each in self.history):
            raise ValueError("its history is another training's")
        numbers = [*self.left_over, self.batches, self.correct]
        if not all(type(each) is int and each >= 0 for each in numbers):
            raise ValueError("its place is none")
        if len(self.left_over) > examples or max(self.left_over, default=0) >= examples:
            raise ValueError("its place is in more examples than there are")
        if not math.isfinite(self.loss) or not math.isfinite(self.seconds):
            raise ValueError("its loss or seconds are no numbers")

    def __str__(self) -> str:
        within = f", batch {self.batches}" if self.batches else ""
        return f"epoch {len(self.history) + bool(self.batches)}{within}"


class Checkpoint:
    """Weights, BatchNorm's statistics, momentum and place of a training in ``folder``.

    ``checkpoint.json`` is written last and names the two binary files beside it with their SHA-256, so that
    what it names is always complete. The last epoch's weights stay as ``model.safetensors``.
    """

    def __init__(self, folder: Path, net: gluon.Block, trainer: gluon.Trainer, devices: list[mx.Context]):
        self.folder, self.net, self.trainer, self.devices = Path(folder), net, trainer, devices
        self.state = self.folder / "checkpoint.json"
        self.written = ""
        self.saved = time.monotonic()

    def load(self, examples: int, entry: Collection[str]) -> Place:
        """Restore the last checkpoint if there is one: its place, in a training on so many ``examples`` whose
        history's entries have the keys ``entry``. Raises Faults if it is damaged, or another training's.
        """
        if not self.state.exists():
            return Place()
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            files = state.pop("files")
            place = Place(**state)
            place.check(examples, entry)
            if not 1 <= len(files) <= 2 or not all(NAME.fullmatch(name) for name in files):
                raise ValueError(f"it names the files {', '.join(files)}")
            for name, recorded in files.items():
                if checksum(self.folder / name) != recorded:
                    raise ValueError(f"{name} does not match its recorded SHA-256")
            weights, *momentum = files
            load_parameters(self.net, self.folder / weights, self.devices)
            for name in momentum:
                self._take_momentum(load_file(self.folder / name))
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError),
            SafetensorError,
        ) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise Faults(
                f"{self.state}: the checkpoint is damaged ({reason}); delete {self.folder} to train again"
            ) from None
        self._keep_only(files)  # it may have been stopped before it had tidied up
        self.written = str(place)
        return place

    def save(self, place: Place, last: bool = False) -> None:
        """Write the state at ``place``, if the last one was written a while ago or the training ends here."""
        if not last and time.monotonic() - self.saved < SECONDS_BETWEEN:
            return
        name = f"epoch-{len(place.history):04d}-{place.batches:05d}"
        files = [LAST] if last else [f"{name}.safetensors", f"{name}-momentum.safetensors"]
        save_parameters(self.net, self.folder / files[0])
        for momentum in files[1:]:
            save_arrays(self._momentum(), self.folder / momentum)
        checksums = {file: checksum(self.folder / file) for file in files}
        with whole(self.state) as path:
            path.write_text(json.dumps({"files": checksums, **asdict(place)}))
        self._keep_only(files)
        self.written = str(place)
        self.saved = time.monotonic()

    def _momentum(self) -> dict[str, np.ndarray]:
        """By the parameter's number, of the first device, as all have the same; none before a step."""
        states = self.trainer._updaters[0].states
        return {str(number): state.asnumpy() for number, state in states.items() if state is not None}

    def _take_momentum(self, found: Mapping[str, np.ndarray]) -> None:
        """Raises ValueError for what is not this trainer's."""
        parameters = {str(number): each for number, each in enumerate(self.trainer._params)}
        for name, value in found.items():
            if name not in parameters or value.shape != parameters[name].shape or value.dtype != np.float32:
                raise ValueError("its momentum is of another network")
        for updater, device in zip(self.trainer._updaters, self.devices, strict=True):
            for name, value in found.items():
                updater.states[int(name)] = mx.nd.array(value, ctx=device)
                updater.states_synced[int(name)] = True

    def _keep_only(self, names: Collection[str]) -> None:
        for old in self.folder.glob("epoch-*"):
            if old.name not in names:
                old.unlink(missing_ok=True)  # by another of several workers
