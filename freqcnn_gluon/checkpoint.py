"""Where an interrupted training goes on."""

from __future__ import annotations

import errno
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import mxnet as mx
from mxnet import gluon

from data_prep.faults import Faults
from data_prep.files import whole

__all__ = ["Checkpoint", "Place", "save_parameters"]

SECONDS_BETWEEN = 60  # a lost minute costs less than writing hundreds of megabytes an epoch


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

    def __str__(self) -> str:
        within = f", batch {self.batches}" if self.batches else ""
        return f"epoch {len(self.history) + bool(self.batches)}{within}"


class Checkpoint:
    """Weights, BatchNorm's statistics, momentum and place of a training in ``folder``.

    ``checkpoint.json`` is written last and names the two binary files beside it, so that what it
    names is always complete. The last epoch's weights stay as ``model.params``.
    """

    def __init__(self, folder: Path, net: gluon.Block, trainer: gluon.Trainer, devices: list[mx.Context]):
        self.folder, self.net, self.trainer, self.devices = Path(folder), net, trainer, devices
        self.state = self.folder / "checkpoint.json"
        self.written = ""
        self.saved = time.monotonic()

    def load(self) -> Place:
        """Restore the last checkpoint if there is one: its place. Raises Faults if it is damaged."""
        if not self.state.exists():
            return Place()
        try:
            state = json.loads(self.state.read_text())
            weights, momentum = state.pop("weights"), state.pop("momentum")
            place = Place(**state)
            self.net.load_parameters(str(self.folder / weights), ctx=self.devices)
            if momentum:
                self.trainer.load_states(str(self.folder / momentum))
        except (OSError, ValueError, KeyError, TypeError, AssertionError, mx.MXNetError) as error:
            reason = str(error).strip().splitlines()[-1]
            raise Faults(
                f"{self.state}: the checkpoint is damaged ({reason}); delete {self.folder} to train again"
            ) from None
        self._keep_only(weights, momentum)  # it may have been stopped before it had tidied up
        self.written = str(place)
        return place

    def save(self, place: Place, last: bool = False) -> None:
        """Write the state at ``place``, if the last one was written a while ago or the training ends here."""
        if not last and time.monotonic() - self.saved < SECONDS_BETWEEN:
            return
        name = f"epoch-{len(place.history):04d}-{place.batches:05d}"
        weights = "model.params" if last else f"{name}.params"
        momentum = None if last else f"{name}.states"
        save_parameters(self.net, self.folder / weights)
        if momentum:
            with whole(self.folder / momentum) as path:
                self.trainer.save_states(str(path))
        with whole(self.state) as path:
            path.write_text(json.dumps({"weights": weights, "momentum": momentum, **asdict(place)}))
        self._keep_only(weights, momentum)
        self.written = str(place)
        self.saved = time.monotonic()

    def _keep_only(self, *names: str | None) -> None:
        for old in self.folder.glob("epoch-*"):
            if old.name not in names:
                old.unlink()


def save_parameters(net: gluon.Block, path: Path) -> None:
    """Write ``net``'s parameters to ``path``, whole. OSError if they cannot be: read again, since MXNet
    says nothing of a disk that is full just before a file's end.
    """
    with whole(path) as aside:
        try:
            net.save_parameters(str(aside))
            mx.nd.load(str(aside))
        except mx.MXNetError:
            raise OSError(errno.EIO, "could not be written to its end", str(path)) from None
