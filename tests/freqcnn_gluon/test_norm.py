"""Placement and initial scale of BatchNorm."""

import pytest
from mxnet.gluon import nn

from freqcnn_gluon.network.architectures import ARCHITECTURES, architecture
from freqcnn_gluon.network.blocks import Activation, ConvUnit
from freqcnn_gluon.network.describe import form, parameter_count
from freqcnn_gluon.network.freqcnn import FreqCNN


def units(net) -> list[ConvUnit]:
    layers = []
    net.apply(lambda layer: layers.append(layer) if isinstance(layer, ConvUnit) else None)
    return layers


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_placement(name):
    before, after = [nn.BatchNorm, nn.Conv2D], [nn.BatchNorm, Activation]
    for arguments, expected in (({}, before + after), ({"batchnorm": "convolution"}, before + after[1:])):
        found = units(FreqCNN(architecture(name), size=64, **arguments))
        assert len(found) == 5 * (2 + 2 + 1) + (name != "table7")  # Table 7's last row has one convolution
        assert all([type(layer) for layer in unit] == expected for unit in found)


def test_the_defaults_of_module_reach_every_batchnorm():
    net = FreqCNN(architecture("table2"), size=64, fc_batchnorm=True, batchnorm_defaults="module")
    layers = []
    net.apply(lambda layer: layers.append(layer) if isinstance(layer, nn.BatchNorm) else None)
    assert len(layers) == 2 * len(units(net)) + 1
    assert all(layer._kwargs["eps"] == 1e-3 and layer._kwargs["fix_gamma"] for layer in layers)
    scales = sum(layer.gamma.shape[0] for layer in layers)
    with_scales = FreqCNN(architecture("table2"), size=64, fc_batchnorm=True)
    assert parameter_count(net) == parameter_count(with_scales) - scales
    other = FreqCNN(architecture("table2"), size=64, fc_batchnorm=True, batchnorm_defaults="module", gamma=1)
    assert form(net) == form(other) != form(with_scales)  # gamma has no effect


def test_gamma_starts_only_the_scale_before_the_activation():
    net = FreqCNN(architecture("table2"), size=64, gamma=0.25)
    net.initialize()
    for unit in units(net):
        before, after = (layer for layer in unit if isinstance(layer, nn.BatchNorm))
        assert (before.gamma.data() == 1).asnumpy().all() and (after.gamma.data() == 0.25).asnumpy().all()
        assert (after.beta.data() == 0).asnumpy().all() and (after.running_var.data() == 1).asnumpy().all()
