"""Save the state of a training, and resume from it. No file is a pickle, so that none can run code."""

from __future__ import annotations

import contextlib
import json
import math
import re
import time
from collections.abc import Collection, Iterator, Mapping
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

__all__ = ["Checkpoint", "Place", "interruptible", "last"]

# A checkpoint is due after this time, or earlier if writing one takes less than SHARE of the time since the
# last: a small network's is written in milliseconds, while a large one has hundreds of megabytes.
SECONDS_BETWEEN = 60
SHARE = 0.02
LAST = "model.safetensors"
NAME = re.compile(rf"{re.escape(LAST)}|epoch-\d+-\d+(-momentum)?\.safetensors")


@dataclass
class Place:
    """How far a training has come.

    Attributes:
        history: The entries of the epochs that are done.
        left_over: Numbers of the samples that these epochs left over.
        batches: Number of batches that are done of the present epoch.
        loss: Summed loss of these batches.
        correct: Number of correct answers in these batches.
        seconds: Time that these batches took.
    """

    history: list[dict] = field(default_factory=list)
    left_over: list[int] = field(default_factory=list)
    batches: int = 0
    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0

    def check(self, examples: int, entry: Collection[str]) -> None:
        """Check that this place can belong to a training.

        Args:
            examples: Number of the training's examples.
            entry: Keys of an entry in its history.

        Raises:
            TypeError: If a value has the wrong type.
            ValueError: If a value is impossible.
        """
        if any(set(done) != set(entry) for done in self.history):
            raise ValueError("its history has the entries of another training")
        numbers = [*self.left_over, self.batches, self.correct]
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("its numbers of samples and batches are not all whole numbers from 0")
        if len(self.left_over) > examples or max(self.left_over, default=0) >= examples:
            raise ValueError(f"it has samples left over that are not among the {examples} examples")
        if not math.isfinite(self.loss) or not math.isfinite(self.seconds):
            raise ValueError("its loss or seconds are not finite")

    def __str__(self) -> str:
        within = f", batch {self.batches}" if self.batches else ""
        return f"epoch {len(self.history) + bool(self.batches)}{within}"


class Checkpoint:
    """The saved state of a training: weights, BatchNorm's statistics, momentum and place.

    ``checkpoint.json`` names the two binary files beside it with their SHA-256. It is written last, so the
    files that it names are always complete. The last epoch's weights remain as ``model.safetensors``.

    Args:
        folder: Where the checkpoint is kept.
        net: The network that is trained.
        trainer: Its trainer, which holds the momentum.
        devices: The contexts of this process.

    Attributes:
        written: The place of the checkpoint that was loaded or saved last, '' if there is none.
    """

    def __init__(self, folder: Path, net: gluon.Block, trainer: gluon.Trainer, devices: list[mx.Context]):
        self.folder, self.net, self.trainer, self.devices = Path(folder), net, trainer, devices
        self.state = self.folder / "checkpoint.json"
        self.written = ""
        self.saved = time.monotonic()
        self.cost = 0.0  # seconds that the last save took; 0 makes the first checkpoint due at once

    def load(self, examples: int, entry: Collection[str]) -> Place:
        """Restore the last checkpoint, if there is one, and return its place.

        Args:
            examples: Number of the training's examples.
            entry: Keys of an entry in the training's history.

        Raises:
            Faults: If the checkpoint is damaged or belongs to another training.
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
                self._set_momentum(load_file(self.folder / name))
        except (
            *(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError),
            SafetensorError,
        ) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1]
            raise Faults(
                f"{self.state}: the checkpoint is damaged ({reason}). Delete {self.folder} to train again."
            ) from None
        self._keep_only(files)  # an interruption may have left older files
        self.written = str(place)
        return place

    def save(self, place: Place, last: bool = False) -> None:
        """Save the state at ``place`` if a checkpoint is due, and always at the ``last`` place."""
        started = time.monotonic()
        if not last and started - self.saved < min(SECONDS_BETWEEN, self.cost / SHARE):
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
        self.cost = self.saved - started

    def _momentum(self) -> dict[str, np.ndarray]:
        """Return the momentum by the parameter's number; {} before the first step."""
        states = self.trainer._updaters[0].states  # the first device's; all devices have the same
        return {str(number): state.asnumpy() for number, state in states.items() if state is not None}

    def _set_momentum(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the momentum by the parameter's number; raise ValueError for another network's."""
        parameters = {str(number): parameter for number, parameter in enumerate(self.trainer._params)}
        for name, value in arrays.items():
            if name not in parameters or value.shape != parameters[name].shape or value.dtype != np.float32:
                raise ValueError("its momentum is of another network")
        for updater, device in zip(self.trainer._updaters, self.devices, strict=True):
            for name, value in arrays.items():
                updater.states[int(name)] = mx.nd.array(value, ctx=device)
                updater.states_synced[int(name)] = True

    def _keep_only(self, names: Collection[str]) -> None:
        for old in self.folder.glob("epoch-*"):
            if old.name not in names:
                old.unlink(missing_ok=True)  # another worker may delete it at the same time


def last(checkpoint: Checkpoint | None) -> str:
    """Return a clause that names the last checkpoint and its folder."""
    if checkpoint and checkpoint.written:
        return f"the last checkpoint, after {checkpoint.written}, is in {checkpoint.folder}"
    return "no checkpoint has been written yet"


@contextlib.contextmanager
def interruptible(checkpoint: Checkpoint | None) -> Iterator[None]:
    """Add to a Ctrl-C in the block what is kept of the training: nothing after the last checkpoint."""
    try:
        yield
    except KeyboardInterrupt as stop:
        if checkpoint:
            again = "" if checkpoint.written else ", so this training starts again"
            stop.args = (f"{last(checkpoint)}{again}",)
        raise
