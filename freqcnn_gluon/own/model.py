"""A trained model: the network and everything that is needed to use it, in memory and as a folder.

model.json          architecture, labels, feature settings, versions
model.safetensors   weights
report.json         settings, split, history (loss, accuracy and validation metrics of each epoch),
                    metrics and 95 % intervals of the held-out clips, baselines
clips.csv           training, validation and held-out clips; labels that the baselines predict
baseline/           the SVM that was trained on the same clips, a folder of the same kind
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Sequence
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
from freqcnn_gluon.own.about import ABOUT, SVM, WEIGHTS, About
from freqcnn_gluon.own.predict import checked_images
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import predict

__all__ = ["Model"]

CHUNK = 16  # images that the network computes at a time
# This lock is held while a network predicts. The first prediction builds the network, and two threads that
# build networks at the same time mix up their names. One thread already uses all cores. A fork waits for the
# lock, so that no child process inherits it locked.
COMPUTING = threading.RLock()
os.register_at_fork(
    before=COMPUTING.acquire, after_in_parent=COMPUTING.release, after_in_child=COMPUTING.release
)


class Model:
    """A trained FreqCNN.

    ``probabilities`` may be called from several threads, which then take turns, and in a process that was
    forked after the model was loaded. Nothing else may happen at the same time: do not train, explain, save,
    export or pickle a model while another thread predicts with it.

    Attributes:
        net: The network, (batch, 1, size, size) -> logits (batch, classes).
        about: The model's description.
        devices: The devices that hold the weights.
        takes: What ``probabilities`` takes, always 'image'.
    """

    takes = "image"

    def __init__(self, net: FreqCNN, about: About, devices: list[mx.Context]):
        self.net, self.about, self.devices = net, about, devices

    @classmethod
    def blank(cls, about: About, devices: list[mx.Context]) -> Model:
        """Build the network of a description, without weights."""
        net = FreqCNN(architecture(about.architecture), len(about.labels), about.images.size, **about.network)
        return cls(net, about, devices)

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Model:
        """Load a model's folder.

        The folder need not be trusted: nothing in it is run as code, and sizes and checksums are checked
        before memory is allocated.

        Args:
            folder: The folder that ``fit`` or ``save`` wrote.
            device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.

        Raises:
            Faults: The model is missing or damaged, or the device cannot be used.
        """
        folder = Path(folder)
        about = About.of_folder(folder)
        if about.architecture == SVM:
            raise Faults(
                f"{folder}: holds a support vector machine, which `predict` and `evaluate` use; name a "
                "folder with a network"
            )
        devices = runtime.contexts(device)  # outside of the try, because its faults do not concern the model
        try:
            model = cls.blank(about, devices)
        except (Faults, ValueError, TypeError) as error:
            raise Faults(f"{folder / ABOUT}: the model is damaged ({error}); copy it again") from None
        try:
            # str, because a damaged description may hold null, which would skip the check.
            load_parameters(model.net, folder / WEIGHTS, devices, checksum=str(about.weights))
        except (OSError, ValueError, SafetensorError) as error:
            raise Faults(f"{folder / WEIGHTS}: the model is damaged ({error}); copy it again") from None
        model.net.hybridize(static_alloc=True, static_shape=True)
        return model

    def save(self, folder: Path | str) -> None:
        """Write the weights, then model.json, which makes the folder loadable."""
        folder = Path(folder)
        save_parameters(self.net, folder / WEIGHTS)
        about = replace(self.about, weights=checksum(folder / WEIGHTS))
        with whole(folder / ABOUT) as path:
            path.write_text(about.text(), encoding="utf-8")

    def __getstate__(self) -> dict:
        """Return the state for pickle, joblib and copy, because the network itself cannot be pickled."""
        return {"about": self.about, "devices": self.devices, "weights": get_parameters(self.net)}

    def __setstate__(self, state: dict) -> None:
        """Restore the model on its devices, or on the CPU if there is no GPU."""
        devices = state["devices"]
        if devices[0].device_type == "gpu" and not gpus():
            devices = [mx.cpu()]
        self.__dict__ = vars(Model.blank(state["about"], devices))
        set_parameters(self.net, state["weights"], devices)
        self.net.hybridize(static_alloc=True, static_shape=True)

    def probabilities(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Compute the probabilities (n, classes) of ``images`` (n, size, size), as ``net`` does.

        Raises:
            BadInput: The images have another size, or values that are not finite.
        """
        images = checked_images(images, self.about.images.size)
        count = len(images)
        examples = Examples(images, np.arange(count), np.zeros(count))
        with COMPUTING:
            return predict(self._folded, examples, self.devices, CHUNK)

    @functools.cached_property
    def _folded(self) -> FreqCNN:
        """A copy of the network that predicts faster, with BatchNorms folded into the convolutions.

        The first prediction builds it with copies of the weights, so later changes to the weights of ``net``
        do not affect it. ``net`` itself is kept to explain, save and export.
        """
        if self.net.norm.placement != "both":  # no BatchNorm can be folded
            return self.net
        net = Model.blank(self.about, self.devices[:1]).net
        set_parameters(net, get_parameters(self.net), self.devices[:1])
        net.fold()
        net.hybridize(static_alloc=True, static_shape=True)
        return net
