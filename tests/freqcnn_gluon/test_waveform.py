"""A file that takes waveforms computes this project's images and probabilities, and `predict` runs it."""

import json
import pickle
import re

import numpy as np
import onnx
import onnxruntime
import pytest
import soundfile
from test_export import model

from data_prep.base.faults import Faults
from data_prep.sound import spectrogram
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon.__main__ import main
from freqcnn_gluon.own import export
from freqcnn_gluon.own.onnx_model import OnnxModel
from freqcnn_gluon.own.waveform import image_graph

RATE = 16000
SETTINGS = [
    ImageSettings(64),
    ImageSettings(224, version="1.7"),
    ImageSettings(32, 8000, floor_db=50.0),
    ImageSettings(33, 11025, 0.0317, 0.333),  # neither frame nor hop is a whole number of samples
    ImageSettings(64, 22050, 0.03, 0.3, 60.0),  # frames of 661 samples, hops of 198.45
    ImageSettings(64, frequency="mel"),
    ImageSettings(96, 8000, version="1.7", frequency="mel"),
]


def speech(samples, rate=RATE, pitch=120.0, seed=0):
    """A voice (samples,) float32: harmonics of a gliding pitch in syllables with pauses, and quiet noise."""
    random, times = np.random.default_rng(seed), np.arange(samples) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.2 * np.sin(3 * times))) / rate
    numbers = np.arange(1, 16)[:, None]
    formants = np.exp(-(((numbers * pitch - 600) / 500) ** 2)) + 0.1 * np.exp(-numbers / 20)
    syllables = np.maximum(0, np.sin(2 * np.pi * 4 * times + seed)) ** 2
    voice = (formants * np.sin(numbers * phase)).sum(axis=0) * syllables
    return (0.1 * voice + random.normal(0, 2e-4, samples)).astype(np.float32)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A model, its folder and its file that takes waveforms."""
    root, made = tmp_path_factory.mktemp("waveform"), model()
    made.save(root / "model")
    assert export.to_onnx(made, root / "model.onnx", "waveform") <= export.TOLERANCE
    return made, root


def session(content):
    """A session on a path or on bytes. More threads would only wait for each other here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def graph_session(settings):
    """A session on the graph from waveform to image alone."""
    opset = [onnx.helper.make_opsetid("", export.OPSET)]
    front = onnx.helper.make_model(image_graph(settings), opset_imports=opset, ir_version=export.IR_VERSION)
    onnx.checker.check_model(front, full_check=True)
    return session(front.SerializeToString())


@pytest.mark.parametrize("settings", SETTINGS)
def test_the_graph_computes_the_image_of_any_length(settings):
    front, rate = graph_session(settings), settings.rate
    width, hop = int(settings.frame * rate), settings.hop * settings.frame * rate
    second = width + int(np.ceil(hop))  # the shortest signal of two frames
    lengths = [
        1,
        2,
        3,
        5,
        width // 2,
        width // 2 + 1,
        width - 1,
        width,
        width + 1,
        second - 1,
        second,
        second + 1,
    ]
    for samples in [*lengths, rate, int(2.6 * rate), 9 * rate + 7]:
        sounds = np.stack([speech(samples, rate, 120.0), speech(samples, rate, 190.0, seed=1)])
        (images,) = front.run(None, {"waveform": sounds})
        expected = np.stack([spectrogram.image(sound, settings) for sound in sounds])
        assert images.dtype == np.float32
        np.testing.assert_allclose(images[:, 0], expected, atol=5e-5, rtol=0, err_msg=f"{samples} samples")


def test_the_graph_starts_every_frame_of_a_minute_where_it_belongs():
    """Neither the frame nor the hop is a whole number of samples here."""
    settings = ImageSettings(64, 11025, 0.0317, 0.333)
    sound = speech(60 * 11025, 11025)
    (image,) = graph_session(settings).run(None, {"waveform": sound[None]})
    np.testing.assert_allclose(image[0, 0], spectrogram.image(sound, settings), atol=5e-5, rtol=0)
    shifted = np.append(sound[1:], sound[:1])  # one sample makes a difference that the tolerance detects
    assert np.abs(image[0, 0] - spectrogram.image(shifted, settings)).max() > 2e-4


@pytest.mark.parametrize("version", spectrogram.VERSIONS)
def test_each_sound_of_a_batch_has_its_own_maximum(version):
    loud = speech(RATE)
    settings = ImageSettings(32, version=version)
    (images,) = graph_session(settings).run(None, {"waveform": np.stack([loud, loud / 128, loud[::-1]])})
    np.testing.assert_allclose(images[1], images[0], atol=1e-5)
    assert np.abs(images[2] - images[0]).max() > 0.1


def test_silence_and_clipped_sound_stay_finite(saved):
    made, root = saved
    square = np.sign(speech(RATE)) * np.float32(1)
    for sound in (np.zeros(RATE), np.full(RATE, 0.25), square, 32768 * square, 1e-6 * square):
        (probabilities,) = session(str(root / "model.onnx")).run(
            None, {"waveform": sound[None].astype(np.float32)}
        )
        assert np.isfinite(probabilities).all() and probabilities.sum() == pytest.approx(1)


def test_the_probabilities_are_those_of_python(tmp_path):
    made = model(size=64)
    assert export.to_onnx(made, tmp_path / "model.onnx", "waveform") <= export.TOLERANCE
    runtime = session(str(tmp_path / "model.onnx"))
    (value,), (output,) = runtime.get_inputs(), runtime.get_outputs()
    assert (value.name, value.shape, value.type) == ("waveform", ["batch", "samples"], "tensor(float)")
    assert (output.name, output.shape) == ("probability", ["batch", 3])
    everything = []
    for samples in (500, RATE, 3 * RATE):
        sounds = np.stack([speech(samples, pitch=pitch) for pitch in (90.0, 140.0, 230.0)])
        expected = made.probabilities([spectrogram.image(sound, made.about.images) for sound in sounds])
        for count in (1, 3):
            (probabilities,) = runtime.run(None, {"waveform": sounds[:count]})
            np.testing.assert_allclose(probabilities, expected[:count], atol=1e-5)
        everything.append(expected)
    assert np.concatenate(everything).std(axis=0).max() > 1e-3  # the sounds differ, not only the labels
    stated = runtime.get_modelmeta().custom_metadata_map
    assert stated["freqcnn"] == made.about.text()
    assert json.loads(stated["features"]) == json.loads(json.dumps(export.feature_steps(made.about)))
    assert "waveform" in runtime.get_modelmeta().description


@pytest.mark.parametrize(
    "change",
    [
        {"hop": 0.45},
        {"frame": 0.045},
        {"floor_db": 75.0},
        {"version": "1.7"},
        {"rate": 15000},
        {"frequency": "mel"},
    ],
)
def test_an_export_with_another_image_is_refused(saved, tmp_path, monkeypatch, change):
    made, _ = saved
    monkeypatch.setattr(
        export, "image_graph", lambda settings: image_graph(ImageSettings(**(vars(settings) | change)))
    )
    with pytest.raises(Faults, match="model.onnx: not written, because onnxruntime's"):
        export.to_onnx(made, tmp_path / "model.onnx", "waveform")
    assert not list(tmp_path.iterdir())


def test_the_model_takes_waveforms_of_different_lengths(saved):
    made, root = saved
    loaded = OnnxModel(root / "model.onnx")
    assert loaded.takes == "waveform" and made.takes == "image" and loaded.about == made.about
    sounds = [speech(600).astype(np.float64), speech(RATE), speech(2 * RATE, pitch=200.0)]
    expected = made.probabilities([spectrogram.image(sound, made.about.images) for sound in sounds])
    np.testing.assert_allclose(loaded.probabilities(sounds), expected, atol=1e-5)
    again = pickle.loads(pickle.dumps(loaded))
    np.testing.assert_array_equal(again.probabilities(sounds), loaded.probabilities(sounds))
    for wrong in ([], [sounds[:1]], [[]], ["a"], [np.array([1, np.nan])], [np.array([1e300])], 3 * [None]):
        with pytest.raises(ValueError, match="waveforms") as refused:
            loaded.probabilities(wrong)
        assert isinstance(refused.value, Faults)


def test_predict_runs_both_kinds_of_file(saved, tmp_path, capsys):
    _, root = saved
    for name, seconds, rate in (("a", 1.2, RATE), ("b", 0.7, 44100), ("long", 7.3, RATE)):
        soundfile.write(tmp_path / f"{name}.wav", speech(int(seconds * rate), rate), rate)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    results = []
    for name in (root / "model", root / "model.onnx"):
        code = main(["predict", str(name), str(tmp_path), "--json", "--device", "cpu", "--jobs", "1"])
        output = capsys.readouterr()
        assert code == 1 and "silent.wav: is silent" in output.err
        results.append([json.loads(line) for line in output.out.splitlines()])
    for ours, theirs in zip(*results, strict=True):
        assert ours["label"] == theirs["label"] and len(ours["windows"]) == len(theirs["windows"])
        values, others = (list(each["probabilities"].values()) for each in (ours, theirs))
        np.testing.assert_allclose(others, values, atol=1e-5)
    assert len(results[0]) == 3 and max(len(each["windows"]) for each in results[0]) > 3


def test_the_symbol_has_no_waveform(saved, tmp_path, capsys):
    _, root = saved
    assert main(["export", str(root / "model"), "--symbol", str(tmp_path / "s"), "--input", "waveform"]) == 1
    assert "--input waveform: MXNet's symbol takes images only" in capsys.readouterr().err
    assert main(["export", str(root / "model"), "--onnx", str(tmp_path / "w"), "--input", "waveform"]) == 0
    assert OnnxModel(tmp_path / "w").takes == "waveform"
    assert re.match(rf"wrote {tmp_path}/w \(\d+\.\d MB; input: waveform\)\n", capsys.readouterr().out)
    assert main(["export", str(root / "model"), "--symbol", str(tmp_path / "s")]) == 0
    files = [f"wrote {tmp_path}/{name}" for name in ("s-symbol.json", "s-0000.params")]
    assert [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()] == files


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match="the scale is 'power'"):
        image_graph(ImageSettings(32, scale="power"))
