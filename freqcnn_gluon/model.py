"""A trained network with all that using it takes: in memory, and as a folder that is complete in itself.

model.json     what it is: architecture, labels, feature settings, versions
model.params   its weights
report.json    how it was trained and what it was measured to be worth
clips.csv      what it was trained and tested on
"""

from __future__ import annotations

import json
from pathlib import Path

import mxnet as mx
import numpy as np

from data_prep.faults import Faults
from data_prep.files import whole

from . import runtime
from .about import About
from .architectures import architecture
from .checkpoint import save_parameters
from .network import FreqCNN
from .training import Examples, predict

__all__ = ["Model"]

CHUNK = 16  # images that go through the network at a time
ABOUT, WEIGHTS, REPORT, CLIPS = "model.json", "model.params", "report.json", "clips.csv"


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
        """The model that was saved in ``folder``. Raises Faults if it is missing or damaged."""
        folder = Path(folder)
        if not (folder / ABOUT).is_file():
            state = (
                "is an unfinished training: give the same `fit` again"
                if (folder / "work").is_dir()
                else "holds no model"
            )
            raise Faults(f"{folder}: {state}")
        try:
            about = About.read(json.loads((folder / ABOUT).read_text(encoding="utf-8")))
            model = cls.blank(about, runtime.contexts(device))
            model.net.load_parameters(str(folder / WEIGHTS), ctx=model.devices)
        except (OSError, ValueError, KeyError, TypeError, AssertionError, mx.MXNetError) as error:
            raise Faults(
                f"{folder}: the model is damaged ({str(error).splitlines()[0]}); copy it again"
            ) from None
        model.net.hybridize(static_alloc=True, static_shape=True)
        return model

    def save(self, folder: Path | str) -> None:
        """Write model.params and then model.json, with which the folder can be loaded."""
        save_parameters(self.net, Path(folder) / WEIGHTS)
        with whole(Path(folder) / ABOUT) as path:
            path.write_text(json.dumps(self.about.stated(), indent=1, ensure_ascii=False), encoding="utf-8")

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size)."""
        count = len(images)
        examples = Examples(images, np.arange(count), np.zeros(count))
        return predict(self.net, examples, self.devices, CHUNK)
