"""A deep network on one-second segments of the spectrogram ([34] of the paper)."""

from __future__ import annotations

import numpy as np

from data_prep.sound.spectrogram import ImageSettings, image
from reproduce.peers.features import Kind
from reproduce.peers.peer import Answer, Peer, Task
from reproduce.peers.segments import clip_means, split_into_segments, train_on_segments

__all__ = ["PEER"]

SIZE, SECONDS, HOP = 48, 1.0, 0.25
LAYERS, UNITS, DROPOUT = 3, 512, 0.5


def _spectrograms(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return spectrograms (segments, 48, 48) of each second of a clip, with the default image settings.

    Silent seconds are left out, unless the whole clip is silent.
    """
    if (missing := round(SECONDS * rate) - len(samples)) > 0:
        samples = np.pad(samples, (0, missing))
    segments = split_into_segments(samples, round(SECONDS * rate), round(HOP * rate))
    settings = ImageSettings(size=SIZE, rate=rate)
    images = [image(segment, settings) for segment in segments if segment.any()]
    return np.stack(images or [image(samples, settings)])


def recognise(task: Task, dnn_epochs: int = 10, dtype: str = "float32") -> Answer:
    """Choose the class with the highest mean probability over a clip's segments."""
    from mxnet.gluon import nn

    from freqcnn_gluon.network.blocks import Dropout

    net = nn.HybridSequential(prefix="dnn_")
    with net.name_scope():
        net.add(nn.Flatten())
        for _ in range(LAYERS):
            net.add(nn.Dense(UNITS, "relu"), Dropout(DROPOUT))
        net.add(nn.Dense(task.classes))
    probabilities = train_on_segments(net, task.features.values, task, dnn_epochs, "DNN", dtype)
    _, counts = task.features.of(task.test)
    sizes = {"rate": task.features.rate, "size": SIZE, "layers": LAYERS, "units": UNITS}
    return Answer(np.log(clip_means(probabilities, counts)), sizes | {"epochs": dnn_epochs})


PEER = Peer(Kind("seconds", _spectrograms), recognise)
