"""Every Gluon network of the tables by name: FreqCNN and the networks that Tables 3 and 8 compare it with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mxnet.gluon import HybridBlock, nn

from data_prep.base.faults import Faults
from freqcnn_gluon.network.architectures import ARCHITECTURES
from freqcnn_gluon.network.blocks import replace_dropout
from freqcnn_gluon.network.freqcnn import FreqCNN
from freqcnn_gluon.network.inputs import Inputs

__all__ = ["ZOO", "build", "cnn", "fnn"]


def build(name: str, classes: int, size: int, rendering: str = "grey", **network) -> HybridBlock:
    """Build the network ``name`` of the ZOO, from (batch, 1, size, size) to logits (batch, classes).

    Args:
        name: 'table2', 'table7' or 'table10' for FreqCNN, otherwise a network that it is compared with.
        classes: Number of classes.
        size: Side of the spectrogram in pixels. An image that is too small for AlexNet is enlarged by a whole
            factor.
        rendering: Colours of the spectrogram, see ``inputs.Inputs``.
        network: Keyword arguments of ``FreqCNN``. The other networks have their default hyper-parameters
            (Sec. 5.1) and ignore these.

    Raises:
        Faults: For an unknown name; the message lists every name.
    """
    if name not in ZOO:
        raise Faults(f"there is no network '{name}': choose one of {', '.join(ZOO)}")
    if name in ARCHITECTURES:
        return FreqCNN(ARCHITECTURES[name], classes, size, rendering=rendering, **network)
    net = nn.HybridSequential()
    with net.name_scope():
        net.add(Inputs(size, rendering))
        if (factor := -(-LEAST_SIDES.get(name, 1) // size)) > 1:
            net.add(_enlarge(factor))
        net.add(OTHERS[name](classes))
    return net


def _enlarge(factor: int) -> nn.HybridLambda:
    """Return a layer that repeats each pixel ``factor`` times along frequency and time."""
    return nn.HybridLambda(lambda F, x: F.UpSampling(x, scale=factor, sample_type="nearest"))


def fnn(classes: int) -> nn.HybridSequential:
    """Build the 'three-layer FNN' of Sec. 5.1: two hidden layers on the flattened image and the softmax."""
    net = nn.HybridSequential(prefix="fnn_")
    with net.name_scope():
        net.add(nn.Flatten(), nn.Dense(512, "relu"), nn.Dense(256, "relu"), nn.Dense(classes))
    return net


def cnn(classes: int) -> nn.HybridSequential:
    """Build the 'five-layer CNN' of Sec. 5.1: three pooled convolutions, a hidden layer and the softmax."""
    net = nn.HybridSequential(prefix="cnn_")
    with net.name_scope():
        for channels in (32, 64, 128):
            net.add(nn.Conv2D(channels, 5, padding=2, activation="relu"), nn.MaxPool2D(2, 2))
        net.add(nn.Dense(256, "relu"), nn.Dense(classes))
    return net


def _from_gluoncv(name: str, classes: int) -> HybridBlock:
    """Build a network of gluoncv's model zoo; its first batch determines its input channels and size."""
    from gluoncv import model_zoo  # deferred, because its import takes seconds

    net = model_zoo.get_model(name, classes=classes, pretrained=False)
    replace_dropout(net)
    return net


OTHERS: dict[str, Callable[[int], HybridBlock]] = {
    "fnn": fnn,
    "cnn": cnn,
    "alexnet": partial(_from_gluoncv, "alexnet"),
    "vgg11": partial(_from_gluoncv, "vgg11"),
    "resnet18": partial(_from_gluoncv, "resnet18_v1"),
    "resnet34": partial(_from_gluoncv, "resnet34_v1"),
    "resnet50": partial(_from_gluoncv, "resnet50_v1"),
}
# Smallest side, in pixels, of the images that a network takes. Its strides and poolings leave nothing of a
# smaller one, so ``build`` enlarges it.
LEAST_SIDES = {"alexnet": 63}
ZOO = (*ARCHITECTURES, *OTHERS)
