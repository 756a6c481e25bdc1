"""The first layer of a network: its colours against MATLAB's algorithm, its standardisation against numpy."""

from __future__ import annotations

import math

import mxnet as mx
import numpy as np
import pytest

from data_prep.base.faults import Faults
from freqcnn_gluon.network.inputs import Inputs
from freqcnn_gluon.network.weights import get_parameters, set_parameters
from freqcnn_gluon.network.zoo import build
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import train
from freqcnn_gluon.training.normalisation import normalise
from freqcnn_gluon.training.settings import Settings

SIZE = 32


def started(rendering: str = "grey", size: int = SIZE) -> Inputs:
    inputs = Inputs(size, rendering)
    inputs.initialize()
    return inputs


def examples(count: int = 10) -> Examples:
    rng = np.random.default_rng(0)
    images = (
        rng.random((count, SIZE, SIZE), np.float32) * np.linspace(0.1, 1, SIZE, dtype=np.float32)[:, None]
    )
    return Examples(images, np.array([0, 1, 1, 2, 3, 4, 5]), np.array([0, 1, 1, 0, 1, 0, 1]))


def jet(levels: int) -> np.ndarray:
    """MATLAB's jet.m, line by line: (levels, 3)."""
    n = math.ceil(levels / 4)
    u = np.concatenate([np.arange(1, n + 1) / n, np.ones(n - 1), np.arange(n, 0, -1) / n])
    colours = np.zeros((levels, 3))
    green = math.ceil(n / 2) - (levels % 4 == 1) + np.arange(1, len(u) + 1)
    for channel, places in enumerate((green + n, green, green - n)):
        inside = (places >= 1) & (places <= levels)
        values = u[: inside.sum()] if channel == 0 else u[-inside.sum() :] if channel == 2 else u
        colours[places[inside] - 1, channel] = values
    return colours


@pytest.mark.parametrize("hybrid", [False, True])
def test_jet_has_matlabs_colours(hybrid):
    inputs = started("jet", size=64)
    if hybrid:
        inputs.hybridize()
    levels = np.tile(np.arange(1, 65, dtype=np.float32)[:, None] / 64, (1, 2))
    rendered = inputs(mx.nd.array(levels[None, None])).asnumpy()
    np.testing.assert_allclose(rendered[0, :, :, 0].T, jet(64), atol=1e-6)


def test_a_spectrogram_passes_unchanged_before_the_training():
    image = np.random.default_rng(0).random((2, 1, SIZE, SIZE), np.float32)
    np.testing.assert_array_equal(started()(mx.nd.array(image)).asnumpy(), image)


@pytest.mark.parametrize("rendering", ["grey", "jet"])
@pytest.mark.parametrize("kind", ["overall", "frequency"])
def test_the_training_clips_have_mean_0_and_deviation_1(kind, rendering):
    net, data = started(rendering), examples()
    data.images[:, :, :2] = 0.3, 0.8  # so that each row has some of each colour
    normalise(net, kind, data)
    values = net(mx.nd.array(data.images[data.rows][:, None])).asnumpy()  # row 1 counts twice
    axes = (0, 3) if kind == "frequency" else (0, 2, 3)
    np.testing.assert_allclose(values.mean(axis=axes), 0, atol=1e-5)
    np.testing.assert_allclose(values.std(axis=axes), 1, atol=1e-4)


def test_a_row_without_variation_stays_finite():
    data = examples()
    data.images[:, 3] = 0.7  # whose square is rounded
    net = started()
    normalise(net, "frequency", data)
    values = net(mx.nd.array(data.images[data.rows][:, None])).asnumpy()
    np.testing.assert_allclose(values[:, :, 3], 0, atol=1e-6)
    assert (net.scale.data().asnumpy()[0, 0, 3] == 1).all()


@pytest.mark.parametrize("name", ["table7", "cnn"])
def test_a_training_sets_the_statistics_of_its_own_clips_once(name):
    data, net = examples(), build(name, 2, SIZE)
    other = Examples(data.images + 5, data.rows, data.labels)  # evaluated clips must not count
    settings = Settings(epochs=2, batch_size=4, micro_batch=2, normalise="overall")
    train(net, settings, data, {"test": other}, 2, [mx.cpu(0), mx.cpu(1)])
    inputs = net.inputs if name == "table7" else net[0]
    pixels = data.images[data.rows].astype(np.float64)
    for device in (mx.cpu(0), mx.cpu(1)):
        np.testing.assert_allclose(inputs.mean.data(device).asnumpy().ravel(), pixels.mean(), rtol=1e-6)
        np.testing.assert_allclose(inputs.scale.data(device).asnumpy().ravel(), 1 / pixels.std(), rtol=1e-6)


def test_a_model_of_an_earlier_version_has_no_standardisation():
    net = build("table7", 3, SIZE)
    net.initialize()
    net.inputs.standardise(np.full((1, SIZE), 0.3), np.full((1, SIZE), 0.2))
    arrays = {name: array for name, array in get_parameters(net).items() if not name.startswith("inputs.")}
    set_parameters(net, arrays, [mx.cpu()])
    assert (net.inputs.mean.data().asnumpy() == 0).all() and (net.inputs.scale.data().asnumpy() == 1).all()


def test_unknown_names_are_refused():
    with pytest.raises(Faults, match="no rendering 'parula': choose one of grey, jet"):
        Inputs(SIZE, "parula")
    with pytest.raises(Faults, match="no normalisation 'batch': choose one of none, overall, frequency"):
        Settings(epochs=1, batch_size=1, micro_batch=1, normalise="batch")
