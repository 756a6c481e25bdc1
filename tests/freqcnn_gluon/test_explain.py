"""The reported effect of attention is what the block adds to its feature maps."""

import mxnet as mx
import numpy as np
import pytest

from data_prep.base.drawing import fitted
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings, row_edges
from data_prep.sound.spectrogram import image as spectrogram
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.attention import INPUTS
from freqcnn_gluon.network.explain import Attended, attended, draw, picture
from freqcnn_gluon.network.freqcnn import FreqCNN


def net(**arguments):
    mx.random.seed(0)
    made = FreqCNN(architecture("table7"), classes=3, size=32, **arguments)
    made.initialize(mx.init.Xavier())
    made.hybridize()
    return made


IMAGE = np.random.default_rng(0).random((32, 32), np.float32)


@pytest.fixture(scope="module")
def blocks():
    return attended(net(), IMAGE)


@pytest.mark.parametrize("attention", ["feature", "spatial"])
@pytest.mark.parametrize("axis", ["frequency", "time"])
@pytest.mark.parametrize("reading", INPUTS)
def test_the_gain_is_the_difference_that_the_block_makes(reading, axis, attention):
    made = net(axis=axis, attention=attention, attention_input=reading)
    image = np.random.default_rng(0).random((32, 32), np.float32)
    blocks = attended(made, image)
    assert [one.block for one in blocks] == [4, 5] and {one.axis for one in blocks} == {axis}
    x = mx.nd.array(image[None, None])
    for number in range(6):
        x = made.stages[number](x)
    block = made.stages[6]
    added = (block(x) - block.global_(x)).asnumpy()[0]  # Eq. (10): A - A^g
    one = blocks[0]
    assert one.weights.shape == (2, 16 if one.spatial else len(one.maps))
    np.testing.assert_allclose(one.gain_by_place, np.abs(added).mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.gain_by_map, np.abs(added).mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    assert one.parts == pytest.approx(one.weights.mean(axis=1))


@pytest.mark.parametrize(
    "axis, text",
    [("frequency", "0-4000 Hz 0.100, 4000-8000 Hz 0.900"), ("time", "0-1.5 s 0.100, 1.5-3 s 0.900")],
)
def test_the_summary_gives_each_part_its_own_weight(axis, text):
    """The first part, s_1 of Eq. (7), is the lowest, and the image's first row is drawn at the bottom."""
    weights = np.repeat([[0.1], [0.9]], 16, axis=1)
    one = Attended(4, np.ones((16, 4, 4)), weights, False, axis)
    assert one.summary(3, (0, 8000)) == text
    image = np.zeros((32, 32), np.float32)
    image[0] = 1
    shown = picture(image, [one], "", 3, (0, 8000)).subfigs[0].axes[0].images[0]
    left, right, bottom, top = shown.get_extent()
    assert (left, right, bottom, top) == (0, 3, 0, 8) and shown.origin == "lower"


def test_a_mel_axis_is_labelled_where_its_frequencies_are():
    """A tone lies in the row whose edges enclose it, the parts meet where rows do, and so do the labels."""
    settings = ImageSettings(32, frequency="mel")
    edges = row_edges(settings)
    for hertz in (300, 1000, 3000):
        image = spectrogram(np.sin(2 * np.pi * hertz * np.arange(16000) / 16000), settings)
        row = image.mean(axis=1).argmax()
        assert edges[row] <= hertz <= edges[row + 1]
    one = Attended(4, np.ones((16, 4, 4)), np.repeat([[0.1], [0.9]], 16, axis=1), False, "frequency")
    assert one.summary(3, edges) == f"0-{edges[16]:.4g} Hz 0.100, {edges[16]:.4g}-8000 Hz 0.900".replace(
        "0-", f"{edges[0]:.4g}-", 1
    )
    axes = picture(image, [one], "", 3, edges).subfigs[0].axes[0]
    heights = dict(zip((label.get_text() for label in axes.get_yticklabels()), axes.get_yticks()))
    assert list(heights) == ["0", "0.5", "1", "2", "4", "8"]
    assert np.searchsorted(edges, 1000) == np.ceil(heights["1"] / 8 * 32)


def test_draw_writes_a_png(tmp_path):
    image = np.random.default_rng(0).random((32, 32), np.float32)
    for axis in ("frequency", "time"):
        path = tmp_path / f"{axis}.png"
        draw(image, attended(net(axis=axis), image), "a clip", path, seconds=2.5, frequencies=(0, 8000))
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


def test_a_network_without_attention_is_a_fault():
    with pytest.raises(Faults, match="no attention blocks"):
        attended(net(attention_blocks=0), np.zeros((32, 32), np.float32))


@pytest.mark.parametrize("title", ["Ba$$in.wav: a$$b 1.000", "$x^{2$", "<b>&amp; שלום 😂", "y" * 1000])
def test_a_title_of_any_characters_is_drawn_literally(blocks, tmp_path, title):
    figure = picture(IMAGE, blocks, title, None, (0, 8000))
    heading = figure.subfigs[0].axes[0].title
    assert heading.get_text() == fitted(title) and not heading.get_parse_math()
    draw(IMAGE, blocks, title, tmp_path / "a.png", seconds=2.5, frequencies=(0, 8000))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
