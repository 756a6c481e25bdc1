"""docs/onnx.md: its program computes this project's features, and its numbers and the metadata are right."""

import json
import os
import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import soundfile
from test_export import model

from data_prep import windows
from data_prep.sound import audio, spectrogram
from freqcnn_gluon.own import export, onnx_model
from freqcnn_gluon.own.onnx_model import OnnxModel

PAGE = (Path(__file__).parents[2] / "docs" / "onnx.md").read_text(encoding="utf-8")
EXAMPLE = {"size": 4, "rate": 1000, "frame": 0.006, "hop": 0.5, "floor_db": 80.0, "version": "1.8.2"}


@pytest.fixture(scope="module")
def page():
    """The program on the page, which has nothing of this project's."""
    _, code = re.findall(r"```python\n(.*?)```", PAGE, re.S)  # test_waveform_programs runs the other one
    assert set(re.findall(r"^(?:import|from) (\w+)", code, re.M)) == {"math", "numpy"}
    names = {}
    exec(code, names)
    return names


@pytest.fixture(scope="module")
def numbers():
    """The matrices of the worked example, by name."""
    (*blocks,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    parts = [part for block in blocks for part in block.strip().split("\n\n")]
    matrices = {}
    for part in parts:
        name, _, rows = part.partition("\n")
        matrices[name.split(" (")[0]] = np.array([row.split() for row in rows.splitlines()], float)
    assert list(matrices) == ["samples", "window", "magnitude", "decibels", "scaled", "image", "resampled"]
    return matrices


def test_the_worked_example_is_this_projects(numbers):
    samples, settings = numbers["samples"][0] / 100, spectrogram.ImageSettings(**EXAMPLE)

    def spectrum(db=None):
        return spectrogram.mirspectrum(samples, 1000, 0.006, 0.5, db=db)[0]

    np.testing.assert_allclose(numbers["window"][0], spectrogram.hamming(6), atol=6e-7)
    np.testing.assert_allclose(numbers["magnitude"], spectrum(), atol=6e-7)
    np.testing.assert_allclose(numbers["decibels"], spectrum(db=True), atol=6e-5)
    np.testing.assert_allclose(numbers["scaled"], spectrum(db=80.0) / 80, atol=6e-7)
    np.testing.assert_allclose(numbers["image"], spectrogram.image(samples, settings), atol=6e-7)
    resampled = audio.resample(np.array([0.0, 1, 0, 0, -1, 0]), 3, 2)
    np.testing.assert_allclose(numbers["resampled"][0], resampled, atol=6e-7)


def test_the_worked_example_is_the_programs(page, numbers):
    samples = numbers["samples"][0] / 100
    np.testing.assert_allclose(page["image"](samples, **EXAMPLE), numbers["image"], atol=6e-7)
    np.testing.assert_allclose(
        page["resample"](np.array([0.0, 1, 0, 0, -1, 0]), 3, 2), numbers["resampled"][0], atol=6e-7
    )


@pytest.mark.parametrize("frequency", spectrogram.FREQUENCIES)
@pytest.mark.parametrize("version", spectrogram.VERSIONS)
@pytest.mark.parametrize(
    "size, rate, frame, hop, floor_db, seconds",
    [
        (64, 16000, 0.05, 0.5, 80.0, 1.37),
        (32, 16000, 0.05, 0.5, 80.0, 0.06),  # two frames become 32 columns
        (224, 16000, 0.05, 0.5, 60.0, 9.1),  # time is reduced
        (33, 11025, 0.0317, 0.333, 80.0, 2.0),  # neither frame nor hop is a whole number of samples
        (16, 16000, 0.05, 0.5, 80.0, 0.03),  # shorter than a frame
    ],
)
def test_the_program_computes_the_same_image(
    page, size, rate, frame, hop, floor_db, seconds, version, frequency
):
    settings = spectrogram.ImageSettings(size, rate, frame, hop, floor_db, version, frequency=frequency)
    random = np.random.default_rng(size)
    samples = random.normal(size=int(seconds * rate)) * np.linspace(0.001, 1, int(seconds * rate)) ** 2
    found = page["image"](samples, **settings.as_json())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, spectrogram.image(samples, settings), atol=1e-6, rtol=0)


@pytest.mark.parametrize("source", [8000, 11025, 22050, 44100, 48000, 16000])
def test_the_program_hears_files_of_any_rate_as_this_project_does(page, tmp_path, source):
    random, path = np.random.default_rng(source), tmp_path / "stereo.wav"
    soundfile.write(path, random.uniform(-0.5, 0.5, (source // 2, 2)), source, "PCM_16")
    integers, _ = soundfile.read(path, dtype="int16")
    first, last = round(0.1 * source), round(0.4 * source)
    samples = page["resample"](page["mono"](integers / 32768)[first:last], source, 16000)
    expected = audio.read(path, 16000, 0.1, 0.4)
    np.testing.assert_allclose(samples, expected, atol=1e-9)
    settings = spectrogram.ImageSettings(64, frequency="mel")
    np.testing.assert_allclose(
        page["image"](samples, **settings.as_json()), spectrogram.image(expected, settings), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("second", [1.0, 0.0, -1.0, -0.9, -0.7])
def test_the_program_mixes_channels_as_this_project_does(page, tmp_path, second):
    speech, path = np.random.default_rng(0).uniform(-0.5, 0.5, 8000), tmp_path / "stereo.wav"
    soundfile.write(path, np.stack([speech, second * speech], axis=1), 16000, "DOUBLE")
    np.testing.assert_allclose(page["mono"](soundfile.read(path)[0]), audio.read(path, 16000), atol=1e-12)
    assert (page["mono"](soundfile.read(path)[0]) == speech).all() == (second in (1.0, -1.0, -0.9))


@pytest.mark.parametrize("seconds", [0.5, 1.5, 1.6, 2.2, 2.25, 2.26, 3.0, 61.7])
def test_the_program_cuts_the_same_windows(page, seconds):
    assert page["windows"](seconds, 1.0, 1.5) == windows.spans(seconds, 1.0, 1.5)


def test_the_metadata_has_every_step_of_the_page(tmp_path):
    made = model()
    export.to_onnx(made, tmp_path / "model.onnx")
    meta = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).get_modelmeta()
    features = json.loads(meta.custom_metadata_map["features"])
    assert features == json.loads(json.dumps(export.feature_steps(made.about)))
    steps = [name.split()[0].lower() for name in re.findall(r"^\d+\. \*\*(.+?)\.?\*\*", PAGE, re.M)]
    assert len(steps) == 10 and set(steps) <= set(features)
    assert meta.producer_name == "freqcnn-gluon" and "docs/onnx.md" in meta.description
    stated = json.loads(meta.custom_metadata_map["freqcnn"])["images"]
    assert features["resize"]["size"] == stated["size"] and features["resample"]["rate"] == stated["rate"]
    assert (features["resample"]["rate"], features["scale"]["of"]) == (16000, "db")


def test_a_file_without_the_entry_features_is_read(tmp_path):
    import onnx

    made = model()
    export.to_onnx(made, tmp_path / "model.onnx")
    older = onnx.load(tmp_path / "model.onnx")
    onnx.helper.set_model_props(older, {"freqcnn": made.about.text()})
    older.producer_name = older.doc_string = ""
    onnx.save(older, str(tmp_path / "older.onnx"))
    images = export.check_images(3, 32)
    expected = OnnxModel(tmp_path / "model.onnx").probabilities(images)
    np.testing.assert_array_equal(OnnxModel(tmp_path / "older.onnx").probabilities(images), expected)


@pytest.mark.parametrize(
    "stated, threads",
    [("1", 1), ("2", 2), ("2,4", 2), ("10000000", 3), ("0", 2), ("abc", 2), ("", 2), (None, 2)],
)
def test_the_number_of_threads_follows_omp_num_threads_and_the_container(monkeypatch, stated, threads):
    monkeypatch.setattr(onnx_model, "processors", lambda: 3)
    monkeypatch.setattr(onnx_model, "cores", lambda: 2)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if stated is not None:
        monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", stated)
    assert onnx_model._threads() == threads
