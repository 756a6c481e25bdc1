"""The other networks of Tables 3 and 8: two small ones of the paper's own and gluoncv's.

All take (batch, 1, size, size) and give (batch, classes) logits.
"""

from __future__ import annotations

from functools import partial

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["PEERS", "cnn", "fnn", "peer"]


def fnn(classes: int) -> nn.HybridSequential:
    """The 'three-layer FNN' of Sec. 5.1: two hidden layers on the flattened image and the softmax layer."""
    net = nn.HybridSequential(prefix="fnn_")
    with net.name_scope():
        net.add(nn.Flatten(), nn.Dense(512, "relu"), nn.Dense(256, "relu"), nn.Dense(classes))
    return net


def cnn(classes: int) -> nn.HybridSequential:
    """The 'five-layer CNN' of Sec. 5.1: three convolutions, each pooled, a hidden and the softmax layer."""
    net = nn.HybridSequential(prefix="cnn_")
    with net.name_scope():
        for channels in (32, 64, 128):
            net.add(nn.Conv2D(channels, 5, padding=2, activation="relu"), nn.MaxPool2D(2, 2))
        net.add(nn.Dense(256, "relu"), nn.Dense(classes))
    return net


def _from_gluoncv(name: str, classes: int) -> HybridBlock:
    from gluoncv import model_zoo  # here, because it is slow to import and few need it

    return model_zoo.get_model(name, classes=classes, pretrained=False)


PEERS = {
    "fnn": fnn,
    "cnn": cnn,
    "alexnet": partial(_from_gluoncv, "alexnet"),
    "vgg11": partial(_from_gluoncv, "vgg11"),
    "resnet18": partial(_from_gluoncv, "resnet18_v1"),
    "resnet34": partial(_from_gluoncv, "resnet34_v1"),
    "resnet50": partial(_from_gluoncv, "resnet50_v1"),
}


def peer(name: str, classes: int) -> HybridBlock:
    """The network ``name`` with its default hyper-parameters (Sec. 5.1); Faults listing every name otherwise.

    Its input channels and size are taken from the first batch.
    """
    if name not in PEERS:
        raise Faults(f"there is no network '{name}': choose one of {', '.join(PEERS)}")
    return PEERS[name](classes)


def build(name: str, classes: int, size: int, **network) -> HybridBlock:
    """FreqCNN by its table ('table2', with the keyword arguments of ``FreqCNN``) or a peer ('alexnet').

    Raises Faults listing every name for an unknown one.
    """
    if name in ARCHITECTURES:
        return FreqCNN(ARCHITECTURES[name], classes, size, **network)
    if name in PEERS:
        return peer(name, classes)
    raise Faults(f"there is no system '{name}': choose one of {', '.join((*ARCHITECTURES, *PEERS))}")
