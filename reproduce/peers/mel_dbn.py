"""A convolutional network on mel-spectrogram segments, a deep belief network, a linear SVM ([35])."""

from __future__ import annotations

import kaldi_native_fbank as kaldi
import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn
from sklearn.neural_network import BernoulliRBM
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from data_prep.base.progress import Bar
from reproduce.peers.features import Kind
from reproduce.peers.mfcc import all_frames, deltas
from reproduce.peers.peer import Answer, Peer, Task
from reproduce.peers.segments import learn, mean_of_clips, windowed

__all__ = ["PEER"]

BANDS, FRAMES, HOP = 64, 64, 32
CHANNELS, FEATURES = (32, 64, 128), 256
BELIEFS = (256, 128)
RBM_EPOCHS, RBM_RATE = 10, 0.02
CHUNK = 256  # segments that go through a network at a time


def _segments(samples: np.ndarray, rate: int) -> np.ndarray:
    """(segments, 3, 64, 64): log-mel, its deltas and theirs, each (band, frame); 64 frames of 10 ms.

    Each channel of a clip is standardised, so that its loudness does not tell.
    """
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = rate, 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = BANDS
    found = deltas(all_frames(kaldi.OnlineFbank(options), samples, rate)).reshape(-1, 3, BANDS)
    found = (found - found.mean(axis=(0, 2), keepdims=True)) / (found.std(axis=(0, 2), keepdims=True) + 1e-6)
    return windowed(found, FRAMES, HOP).transpose(0, 2, 3, 1)


class _Layers(HybridBlock):
    """``features`` and the logits on top of them."""

    def __init__(self, features: nn.HybridSequential, classes: int):
        super().__init__()
        with self.name_scope():
            self.features = features
            self.logits = nn.Dense(classes)

    def hybrid_forward(self, F, x):
        return self.logits(self.features(x))


def _convolutions() -> nn.HybridSequential:
    layers = nn.HybridSequential(prefix="cnn_")
    with layers.name_scope():
        layers.add(nn.HybridLambda(lambda F, x: F.squeeze(x, axis=1)))  # the batches' own channel axis
        for number, channels in enumerate(CHANNELS):
            kernel, stride = (5, 2) if number == 0 else (3, 1)
            layers.add(nn.Conv2D(channels, kernel, stride, kernel // 2, use_bias=False))
            layers.add(nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2, 2))
        layers.add(nn.Dense(FEATURES, "sigmoid"))
    return layers


def _beliefs(machines: list[BernoulliRBM]) -> nn.HybridSequential:
    """The RBMs as layers that go on to learn from where these are."""
    layers = nn.HybridSequential(prefix="dbn_")
    with layers.name_scope():
        for machine in machines:
            layers.add(
                nn.Dense(
                    machine.n_components,
                    "sigmoid",
                    weight_initializer=mx.init.Constant(mx.nd.array(machine.components_)),
                    bias_initializer=mx.init.Constant(mx.nd.array(machine.intercept_hidden_)),
                )
            )
    return layers


def _through(layers: nn.HybridSequential, values: np.ndarray) -> np.ndarray:
    """What ``layers`` make of ``values`` (n, ...), as float32 (n, d)."""
    parts = [
        layers(mx.nd.array(values[start : start + CHUNK][:, None])).asnumpy()
        for start in range(0, len(values), CHUNK)
    ]
    return np.concatenate(parts)


def recognise(task: Task, cnn_epochs: int = 6, dbn_epochs: int = 6, dtype: str = "float32") -> Answer:
    """The class by a linear SVM on the mean over a clip's segments of the belief network's last layer.

    The convolutional network learns the clips' labels from the segments; RBMs, one on the other, learn its
    last hidden layer; they go on to learn the labels; their last layer is what the SVM sees.
    """
    net = _Layers(_convolutions(), task.classes)
    learn(net, task.features.values, task, cnn_epochs, "CNN", dtype)
    found = _through(net.features, task.features.values)
    rows, _ = task.features.of(task.train)
    machines, inputs = [], found[rows]
    for units in Bar(BELIEFS, f"{task.title} DBN", unit="RBM"):
        machines.append(
            BernoulliRBM(
                units, learning_rate=RBM_RATE, n_iter=RBM_EPOCHS, batch_size=32, random_state=task.seed
            )
        )
        inputs = machines[-1].fit_transform(inputs)
    net = _Layers(_beliefs(machines), task.classes)
    learn(net, found, task, dbn_epochs, "DBN", dtype)
    found = _through(net.features, found)
    train, test = (
        mean_of_clips(found[rows], counts)
        for rows, counts in (task.features.of(task.train), task.features.of(task.test))
    )
    machine = make_pipeline(StandardScaler(), LinearSVC(max_iter=10_000, random_state=task.seed)).fit(
        train, task.train_labels
    )
    scores = np.full((len(task.test), task.classes), -np.inf)
    decided = machine.decision_function(test)
    scores[:, machine.classes_] = decided if decided.ndim == 2 else np.column_stack([-decided, decided])
    sizes = {"rate": task.features.rate, "features": FEATURES, "beliefs": list(BELIEFS)}
    return Answer(scores, sizes | {"cnn_epochs": cnn_epochs, "dbn_epochs": dbn_epochs})


PEER = Peer(Kind("mel-segments", _segments), recognise)
