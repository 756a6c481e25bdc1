"""Where an interrupted training goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet import gluon

from data_prep.files import whole

__all__ = ["Checkpoint"]

SECONDS_BETWEEN = 60  # a lost minute costs less than writing hundreds of megabytes an epoch


class Checkpoint:
    """Weights, momentum, history and place of a training in ``folder``.

    ``checkpoint.json`` is written last and names the two binary files beside it, so that what it
    names is always complete. The last epoch's weights stay as ``model.params``.
    """

    def __init__(self, folder: Path, net: gluon.Block, trainer: gluon.Trainer, devices: list[mx.Context]):
        self.folder, self.net, self.trainer, self.devices = Path(folder), net, trainer, devices
        self.state = self.folder / "checkpoint.json"
        self.saved = time.monotonic()

    def load(self) -> tuple[list[dict], np.ndarray]:
        """Restore the last checkpoint if there is one: its history and the samples left over."""
        if not self.state.exists():
            return [], np.empty(0, int)
        state = json.loads(self.state.read_text())
        self.net.load_parameters(str(self.folder / state["weights"]), ctx=self.devices)
        if state["momentum"]:
            self.trainer.load_states(str(self.folder / state["momentum"]))
        return state["history"], np.array(state["left_over"], int)

    def save(self, history: list[dict], left_over: np.ndarray, last: bool) -> None:
        """Write the state after the epochs in ``history``, if the last one was written a while ago."""
        if not last and time.monotonic() - self.saved < SECONDS_BETWEEN:
            return
        weights = "model.params" if last else f"epoch-{len(history):04d}.params"
        momentum = None if last else f"epoch-{len(history):04d}.states"
        with whole(self.folder / weights) as path:
            self.net.save_parameters(str(path))
        if momentum:
            with whole(self.folder / momentum) as path:
                self.trainer.save_states(str(path))
        with whole(self.state) as path:
            path.write_text(
                json.dumps(
                    {
                        "weights": weights,
                        "momentum": momentum,
                        "left_over": left_over.tolist(),
                        "history": history,
                    }
                )
            )
        for old in self.folder.glob("epoch-*"):
            if old.name not in (weights, momentum):
                old.unlink()
        self.saved = time.monotonic()
