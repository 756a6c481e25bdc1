"""A trained network with all that using it takes: in memory, and as a folder that is complete in itself.

model.json     what it is: architecture, labels, feature settings, versions
model.safetensors   its weights
report.json    how it was trained and what it was measured to be worth
clips.csv      what it was trained and tested on
"""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import mxnet as mx
import numpy as np
from safetensors import SafetensorError

from data_prep.base.faults import Faults
from data_prep.base.files import checksum, whole
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import gpus
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.freqcnn import FreqCNN
from freqcnn_gluon.network.weights import get_parameters, load_parameters, save_parameters, set_parameters
from freqcnn_gluon.own.about import About
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import predict

__all__ = ["Model"]

CHUNK = 16  # images that go through the network at a time
ABOUT, WEIGHTS = "model.json", "model.safetensors"
LARGEST = 2**20  # bytes that a description may take


class Model:
    """A trained FreqCNN. ``net`` (batch, 1, size, size) -> (batch, classes) logits; ``about``: an About."""

    def __init__(self, net: FreqCNN, about: About, devices: list[mx.Context]):
        self.net, self.about, self.devices = net, about, devices

    @classmethod
    def blank(cls, about: About, devices: list[mx.Context]) -> Model:
        """An untrained one."""
        net = FreqCNN(architecture(about.architecture), len(about.labels), about.images.size, **about.network)
        return cls(net, about, devices)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Model:
        """The model that was saved in ``folder``, which may come from anybody: no code of it is run, and its
        sizes and checksums are looked at before memory is taken. Raises Faults if it is missing or damaged,
        and for a ``device`` that cannot be used.
        """
        folder = Path(folder)
        if not (folder / ABOUT).is_file():
            state = (
                "is an unfinished training: give the same `fit` again"
                if (folder / "work").is_dir()
                else "holds no model"
            )
            raise Faults(f"{folder}: {state}")
        devices = runtime.contexts(device)  # whose faults are not the model's
        try:
            about = About.read(_small(folder / ABOUT))
            model = cls.blank(about, devices)
        except (Faults, OSError, ValueError, TypeError) as error:
            raise Faults(f"{folder / ABOUT}: the model is damaged ({error}); copy it again") from None
        try:
            # str, because a damaged description may hold null, which would skip the check.
            load_parameters(model.net, folder / WEIGHTS, devices, checksum=str(about.weights))
        except (OSError, ValueError, SafetensorError) as error:
            raise Faults(f"{folder / WEIGHTS}: the model is damaged ({error}); copy it again") from None
        model.net.hybridize(static_alloc=True, static_shape=True)
        return model

    def save(self, folder: Path | str) -> None:
        """Write the weights and then model.json, with which the folder can be loaded."""
        folder = Path(folder)
        save_parameters(self.net, folder / WEIGHTS)
        about = replace(self.about, weights=checksum(folder / WEIGHTS))
        with whole(folder / ABOUT) as path:
            path.write_text(about.text(), encoding="utf-8")

    def __getstate__(self) -> dict:
        """For pickle, joblib and copy, since a hybridized network holds handles of its process."""
        return {"about": self.about, "devices": self.devices, "weights": get_parameters(self.net)}

    def __setstate__(self, state: dict) -> None:
        """On the devices that it was on, or on the CPU where there is no GPU."""
        devices = state["devices"]
        if devices[0].device_type == "gpu" and not gpus():
            devices = [mx.cpu()]
        self.__dict__ = vars(Model.blank(state["about"], devices))
        set_parameters(self.net, state["weights"], devices)
        self.net.hybridize(static_alloc=True, static_shape=True)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size), to rounding what ``net`` says."""
        count = len(images)
        examples = Examples(images, np.arange(count), np.zeros(count))
        return predict(self._folded, examples, self.devices, CHUNK)

    @functools.cached_property
    def _folded(self) -> FreqCNN:
        """(batch, 1, size, size) -> (batch, classes) logits in fewer passes, with weights of its own.

        Made at the first prediction: what is done to ``net``'s weights afterwards it does not see. ``net``
        itself stays whole, to be looked into, saved and exported.
        """
        if self.net.norm.placement != "both":  # there is nothing to fold
            return self.net
        net = Model.blank(self.about, self.devices[:1]).net
        set_parameters(net, get_parameters(self.net), self.devices[:1])
        net.fold()
        net.hybridize(static_alloc=True, static_shape=True)
        return net


def _small(path: Path) -> str:
    """The text of a file that is never long."""
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has {path.stat().st_size} bytes, more than any such file")
    return path.read_text(encoding="utf-8")
