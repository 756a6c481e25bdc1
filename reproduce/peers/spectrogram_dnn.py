"""A deep network on one-second windows of the spectrogram ([34] of the paper)."""

from __future__ import annotations

import numpy as np

from data_prep.sound.spectrogram import ImageSettings, image
from reproduce.peers.features import Kind
from reproduce.peers.peer import Answer, Peer, Task
from reproduce.peers.segments import learn, mean_of_clips, windowed

__all__ = ["PEER"]

SIZE, SECONDS, HOP = 48, 1.0, 0.25
LAYERS, UNITS, DROPOUT = 3, 512, 0.5


def _seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """(windows, 48, 48): the spectrogram, as the networks have it by default, of each second of the clip."""
    if (missing := round(SECONDS * rate) - len(samples)) > 0:
        samples = np.pad(samples, (0, missing))
    seconds = windowed(samples, round(SECONDS * rate), round(HOP * rate))
    settings = ImageSettings(size=SIZE, rate=rate)
    return np.stack([image(each, settings) for each in seconds if each.any()] or [image(samples, settings)])


def recognise(task: Task, dnn_epochs: int = 10, dtype: str = "float32") -> Answer:
    """The class with the highest mean probability over a clip's windows."""
    from mxnet.gluon import nn

    net = nn.HybridSequential(prefix="dnn_")
    with net.name_scope():
        net.add(nn.Flatten())
        for _ in range(LAYERS):
            net.add(nn.Dense(UNITS, "relu"), nn.Dropout(DROPOUT))
        net.add(nn.Dense(task.classes))
    found = learn(net, task.features.values, task, dnn_epochs, "DNN", dtype)
    _, counts = task.features.of(task.test)
    sizes = {"rate": task.features.rate, "windows": SIZE, "layers": LAYERS, "units": UNITS}
    return Answer(np.log(mean_of_clips(found, counts)), sizes | {"epochs": dnn_epochs})


PEER = Peer(Kind("seconds", _seconds), recognise)
