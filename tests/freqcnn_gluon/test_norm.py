"""Placement and initial scale of BatchNorm."""

from mxnet.gluon import nn

from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.blocks import Activation, ConvUnit
from freqcnn_gluon.network.freqcnn import FreqCNN


def units(net) -> list[ConvUnit]:
    layers = []
    net.apply(lambda layer: layers.append(layer) if isinstance(layer, ConvUnit) else None)
    return layers


def test_placement_follows_the_tasks_section():
    for name, layers in (("table2", 2), ("table7", 1), ("table10", 2)):
        for unit in units(FreqCNN(architecture(name), size=64)):
            assert sum(isinstance(layer, nn.BatchNorm) for layer in unit) == layers
    for unit in units(FreqCNN(architecture("table2"), size=64, batchnorm="convolution")):
        assert [type(layer) for layer in unit] == [nn.BatchNorm, nn.Conv2D, Activation]


def test_gamma_starts_only_the_scale_before_the_activation():
    net = FreqCNN(architecture("table2"), size=64, gamma=0.25)
    net.initialize()
    for unit in units(net):
        before, after = (layer for layer in unit if isinstance(layer, nn.BatchNorm))
        assert (before.gamma.data() == 1).asnumpy().all() and (after.gamma.data() == 0.25).asnumpy().all()
        assert (after.beta.data() == 0).asnumpy().all() and (after.running_var.data() == 1).asnumpy().all()
