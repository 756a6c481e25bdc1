"""Clips cut into windows: from a corpus folder to predictions for each clip."""

import json

import mxnet as mx
import numpy as np
import pytest
import soundfile
from test_execute import fnn_only
from tones import write_tones

from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings
from data_prep.windows import images
from freqcnn_gluon.network.weights import load_parameters
from freqcnn_gluon.network.zoo import build
from reproduce.__main__ import main


@pytest.fixture
def corpus(tmp_path):
    """Tones of 0.5 to 3 s; an image of 32 frames shows 0.825 s."""
    root = write_tones(tmp_path / "Tones")
    for number, path in enumerate(sorted(root.rglob("*.wav"))):
        samples, rate = soundfile.read(path)
        soundfile.write(path, np.tile(samples, 1 + number % 6), rate)
    return root


def test_the_windows_of_a_clip_give_one_prediction(corpus, tmp_path, monkeypatch, capsys):
    words = ["table", "3", "--ut-podcast", str(corpus), "--no-check-counts", "--profile", "quick"]
    words += ["--device", "cpu", "--jobs", "1", "--data", str(tmp_path / "data")]
    words += ["--assume", "epochs=1", "--assume", "time_axis=windows"]
    words, paths = fnn_only(words, tmp_path / "results", monkeypatch)
    assert main(words) == 0
    (path,) = paths()
    report = json.loads(path.read_text())

    cut = ImageSettings(32, time_axis="windows")
    files = {part: sorted((corpus / "audio" / part).rglob("*.wav")) for part in ("train", "test")}
    windows = {part: [images(audio.read(file), cut) for file in files[part]] for part in files}
    copies = [1 + (file.parent.name == "UK") for file in files["train"]]  # over-sampling
    counts = {
        "train": sum(copy * len(of_clip) for copy, of_clip in zip(copies, windows["train"])),
        "test": sum(map(len, windows["test"])),
    }
    assert report["clips"] == {"train": 24, "test": 18} and report["images"] == counts
    assert {len(of_clip) for of_clip in windows["test"]} == {1, 2, 3, 4, 5, 6}
    assert f"24 training clips (with over-sampling), 18 test clips (cut into {counts['train']} and " in (
        capsys.readouterr().out
    )

    net = build("fnn", 3, 32)
    load_parameters(net, path.with_name("model.safetensors"), [mx.cpu()])
    for file, of_clip in zip(files["test"], windows["test"]):
        logits = net(mx.nd.array(of_clip[:, None])).asnumpy().astype(float)
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        (prediction,) = (value for clip, value in report["predictions"].items() if file.stem in clip)
        np.testing.assert_allclose(prediction["probability"], shares.mean(axis=0), atol=2e-5)
        assert prediction["true"] == file.parent.name
    hits = [line["true"] == line["predicted"] for line in report["predictions"].values()]
    assert report["history"][-1]["test"]["accuracy"] == report["metrics"]["accuracy"] == np.mean(hits)
