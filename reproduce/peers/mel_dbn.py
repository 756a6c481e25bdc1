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
from reproduce.peers.peer import Answer, Peer, Task, decisions
from reproduce.peers.segments import clip_means, split_into_segments, train_on_segments

__all__ = ["PEER"]

BANDS, FRAMES, HOP = 64, 64, 32
CHANNELS, FEATURES = (32, 64, 128), 256
BELIEFS = (256, 128)
RBM_EPOCHS, RBM_RATE = 10, 0.02
CHUNK = 256  # segments that go through a network at once


def _segments(samples: np.ndarray, rate: int) -> np.ndarray:
    """Return segments (n, 3, 64, 64) of log-mel, its deltas and their deltas, each (band, frame of 10 ms).

    Each channel of a clip is standardised, so that its loudness has no influence.
    """
    options = kaldi.FbankOptions()
    options.frame_opts.samp_freq, options.frame_opts.dither = rate, 0
    options.frame_opts.snip_edges = False
    options.mel_opts.num_bins = BANDS
    values = deltas(all_frames(kaldi.OnlineFbank(options), samples, rate)).reshape(-1, 3, BANDS)
    mean, deviation = values.mean(axis=(0, 2), keepdims=True), values.std(axis=(0, 2), keepdims=True)
    values = (values - mean) / (deviation + 1e-6)
    return split_into_segments(values, FRAMES, HOP).transpose(0, 2, 3, 1)


class _Layers(HybridBlock):
    """A network of ``features`` and a dense layer of logits on top of them."""

    def __init__(self, features: nn.HybridSequential, classes: int):
        super().__init__()
        with self.name_scope():
            self.features = features
            self.logits = nn.Dense(classes)

    def hybrid_forward(self, F, x):
        return self.logits(self.features(x))


def _convolutions() -> nn.HybridSequential:
    """Build the convolutional network up to its last hidden layer."""
    layers = nn.HybridSequential(prefix="cnn_")
    with layers.name_scope():
        # Batches of images have a channel axis of size 1, in front of the three channels here.
        layers.add(nn.HybridLambda(lambda F, x: F.squeeze(x, axis=1)))
        for number, channels in enumerate(CHANNELS):
            kernel, stride = (5, 2) if number == 0 else (3, 1)
            layers.add(nn.Conv2D(channels, kernel, stride, kernel // 2, use_bias=False))
            layers.add(nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(2, 2))
        layers.add(nn.Dense(FEATURES, "sigmoid"))
    return layers


def _belief_network(machines: list[BernoulliRBM]) -> nn.HybridSequential:
    """Build dense layers whose training starts from the weights of the RBMs."""
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


def _outputs(layers: nn.HybridSequential, values: np.ndarray) -> np.ndarray:
    """Return the outputs (n, d) float32 of ``layers`` for ``values`` (n, ...)."""
    parts = [
        layers(mx.nd.array(values[start : start + CHUNK][:, None])).asnumpy()
        for start in range(0, len(values), CHUNK)
    ]
    return np.concatenate(parts)


def recognise(task: Task, cnn_epochs: int = 6, dbn_epochs: int = 6, dtype: str = "float32") -> Answer:
    """Classify a clip with a linear SVM on the belief network's last layer, averaged over its segments.

    The convolutional network learns the labels of the segments. Stacked RBMs learn its last hidden layer.
    The belief network starts from them and learns the labels. Its last layer is the input of the SVM.
    """
    net = _Layers(_convolutions(), task.classes)
    train_on_segments(net, task.features.values, task, cnn_epochs, "CNN", dtype)
    hidden = _outputs(net.features, task.features.values)
    rows, counts = task.features.of(task.train)
    net = _Layers(_belief_network(_machines(hidden[rows], task)), task.classes)
    train_on_segments(net, hidden, task, dbn_epochs, "DBN", dtype)
    beliefs = _outputs(net.features, hidden)
    test_rows, test_counts = task.features.of(task.test)
    train, test = clip_means(beliefs[rows], counts), clip_means(beliefs[test_rows], test_counts)
    machine = make_pipeline(StandardScaler(), LinearSVC(max_iter=10_000, random_state=task.seed))
    machine.fit(train, task.train_labels)
    scores = decisions(machine, test, task.classes)
    sizes = {"rate": task.features.rate, "features": FEATURES, "beliefs": list(BELIEFS)}
    return Answer(scores, sizes | {"cnn_epochs": cnn_epochs, "dbn_epochs": dbn_epochs})


def _machines(inputs: np.ndarray, task: Task) -> list[BernoulliRBM]:
    """Train stacked RBMs on ``inputs`` (n, d): each RBM learns the hidden units of its predecessor."""
    machines = []
    for units in Bar(BELIEFS, f"{task.title} DBN", unit="RBM"):
        machine = BernoulliRBM(
            units, learning_rate=RBM_RATE, n_iter=RBM_EPOCHS, batch_size=32, random_state=task.seed
        )
        inputs = machine.fit_transform(inputs)
        machines.append(machine)
    return machines


PEER = Peer(Kind("mel-segments", _segments), recognise)
