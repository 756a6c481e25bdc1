"""The notebooks' figures show what the library computes."""

import mxnet as mx
import numpy as np
import pandas as pd
import pytest
import recordings
import soundfile
from matplotlib.text import Text

from data_prep.base.faults import Faults
from data_prep.corpora import Scan
from data_prep.corpora.own import scan
from data_prep.sound.spectrogram import ImageSettings, mirspectrum
from freqcnn_gluon.network.architectures import architecture
from freqcnn_gluon.network.explain import attended
from freqcnn_gluon.network.freqcnn import FreqCNN
from reproduce.render.notebooks import attention_by_band, draw_bands, figure1, figure5, one_clip


@pytest.fixture(scope="module")
def scanned_clips(tmp_path_factory):
    root = recordings.write(tmp_path_factory.mktemp("views") / "tones", each=2)
    scanned = scan(root)
    return Scan(root, scanned.manifest.assign(speaker="one"), [])


def test_figure_1_is_mirtoolbox_s_spectrogram_low_frequencies_down(scanned_clips):
    figure = figure1(scanned_clips, ["low", "high"])
    assert [axes.get_title() for axes in figure.axes] == ["low", "high"]
    shown = figure.axes[0].images[0]
    samples, rate = soundfile.read(scanned_clips.root / "low/0.wav")
    np.testing.assert_allclose(shown.get_array(), mirspectrum(samples, rate, db=80.0)[0], atol=1e-9)
    assert shown.origin == "lower" and shown.get_extent() == [0, 0.4, 0, 8.0]
    loudest = [axes.images[0].get_array().mean(axis=1).argmax() for axes in figure.axes]
    assert loudest[0] < 40 < 200 < loudest[1]
    with pytest.raises(Faults, match="no speaker has clips of Angry"):
        figure1(scanned_clips)


def test_figure_5_cuts_where_the_network_does(scanned_clips):
    time, frequency = figure5(scanned_clips, parts=4).axes
    assert [line.get_xdata()[0] for line in time.lines] == pytest.approx([0.1, 0.2, 0.3])
    assert [line.get_ydata()[0] for line in frequency.lines] == pytest.approx([2, 4, 6])  # kHz


def test_bands_are_the_mean_weights(scanned_clips):
    net = FreqCNN(architecture("table7"), classes=3, size=32, segments=2)
    net.initialize(mx.init.Xavier())
    images = np.random.default_rng(0).random((4, 32, 32), np.float32)
    frame = attention_by_band(net, images, ["a", "b", "a", "b"])
    parts = [[one.parts for one in attended(net, item)] for item in images]  # clip, block, part
    expected = np.mean([parts[0], parts[2]], axis=0)
    assert frame[frame["label"] == "a"]["weight"].to_numpy() == pytest.approx(expected.ravel())
    axes = draw_bands(frame, 8000, scanned_clips.root).axes
    assert [item.get_title() for item in axes] == ["block 4", "block 5"]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == ["0–4 kHz", "4–8 kHz"]
    assert axes[0].containers[0][1].get_height() == pytest.approx(expected[0, 1])


def test_names_and_labels_are_drawn_literally_and_the_paper_s_symbols_are_not(tmp_path):
    labels = ["a$$b", "$ok$"]
    root = recordings.write(tmp_path / "tones", each=1)
    for label, old in zip(labels, ("low", "high")):
        (root / old).rename(root / label)
        (root / label / "0.wav").rename(root / label / "Ba$$in $x^2$.wav")
    scanned = Scan(root, scan(root).manifest.assign(speaker="one"), [])
    scanned.manifest["label"] = scanned.manifest["label"].astype(str)
    frame = pd.DataFrame([(label, 4, part, 0.5) for label in labels for part in (1, 2)])
    frame.columns = ["label", "block", "part", "weight"]
    settings = ImageSettings(32)
    figures = [
        figure1(scanned, labels),
        one_clip(scanned, settings),
        draw_bands(frame, 8000, root),
        figure5(scanned),
    ]
    for figure in figures:
        figure.savefig(tmp_path / "a.png")
    texts = [text for figure in figures for text in figure.findobj(Text) if "$" in text.get_text()]
    drawn = {text.get_text() for text in texts if not text.get_parse_math()}
    assert drawn == {*labels, "From sound to image: Ba$$in $x^2$.wav"}
    assert {text.get_text() for text in texts if text.get_parse_math()} == {"$s_1$", "$s_2$"}
