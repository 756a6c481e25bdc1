"""Settings of images: which of them make another store, windows, and that earlier stores stay valid."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from data_prep import manifest, store
from data_prep.base.faults import Faults
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image, scaled
from data_prep.store import Store, build, store_folder
from data_prep.windows import image_count, images

SETTINGS, WINDOWS = ImageSettings(16), ImageSettings(16, time_axis="windows")
CHIRP = Path(__file__).parents[1] / "golden" / "mirtoolbox" / "chirp16k.wav"


@pytest.fixture
def corpus(tmp_path):
    """Three clips of noise at 8 kHz, of 0.3, 1.6 and 0.9 s; the second is the first half of its file."""
    root, random = tmp_path / "corpus", np.random.default_rng(0)
    root.mkdir()
    rows = []
    for number, (seconds, stop) in enumerate([(0.3, np.nan), (3.2, 1.6), (0.9, np.nan)]):
        soundfile.write(root / f"{number}.wav", 0.1 * random.standard_normal(int(seconds * 8000)), 8000)
        rows.append((f"c{number}", f"{number}.wav", np.nan, stop, "ab"[number % 2], "", "", ""))
    return root, pd.DataFrame(rows, columns=manifest.COLUMNS)


def test_stores_of_earlier_versions_stay_valid(corpus, tmp_path):
    """Folder, key and file are as they were before ImageSettings had a scale and a time axis."""
    assert [store_folder("", ImageSettings(n)).name for n in (16, 256)] == [
        "images-16-cdf8382b",
        "images-256-bd2fade8",
    ]
    key = store.content_key(SETTINGS, (CHIRP, None, 0.5), False)
    assert key == "a1cd3e2093d4c4029b9db71a092ddac89df45e6f0b504b29b357f0e518a43f8b"
    root, frame = corpus
    build(frame, root, tmp_path / "store", SETTINGS, jobs=1)
    stored = {"size": 16, "rate": 16000, "frame": 0.05, "hop": 0.5, "floor_db": 80.0, "version": "1.8.2"}
    assert json.loads((tmp_path / "store" / "settings.json").read_text()) == {**stored, "format": 1}
    assert Store(tmp_path / "store").settings == SETTINGS


def test_a_floor_that_has_no_effect_shares_the_store(corpus, tmp_path):
    root, frame = corpus
    linear = [ImageSettings(16, floor_db=floor, scale="linear") for floor in (80, 60)]
    (folder,) = {store_folder(tmp_path, settings) for settings in linear}
    for settings in linear:
        built = build(frame, root, folder, settings, jobs=1)
    assert len(built.images) == 3 and built.settings.scale == "linear"
    np.testing.assert_array_equal(
        built.images[built.rows(["c0"])[0]], image(audio.read(root / "0.wav"), linear[0])
    )


def test_every_setting_with_an_effect_has_its_own_store(corpus, tmp_path):
    root, frame = corpus
    others = [ImageSettings(16, scale=scale) for scale in ("linear", "power")]
    others += [ImageSettings(16, rate=8000), ImageSettings(16, floor_db=60), ImageSettings(16, version="1.7")]
    others += [WINDOWS]
    keys = [
        key
        for settings in (SETTINGS, *others)
        for key in build(frame, root, store_folder(tmp_path, settings), settings, jobs=1).keys(frame["clip"])
    ]
    assert len(set(keys)) == len(keys) == 3 * 7


def cut(samples, size):
    """The windows of a clip at 16 kHz, literally; a frame has 800 samples, and the next starts 400 later."""
    frames = scaled(samples, ImageSettings(size)).T  # (bins, frames)
    assert frames.shape[1] == (len(samples) - 800) // 400 + 1
    if frames.shape[1] < size:
        frames = np.hstack([frames, np.zeros((len(frames), size - frames.shape[1]))])
    last, parts = frames.shape[1] - size, []
    starts = [start for start in range(0, last, size // 2) if last - start > size // 4] or [0][: last > 0]
    for start in [*starts, last]:
        # Only frequency is resized, so each column can be resized alone.
        columns = [Image.fromarray(column[:, None]) for column in frames[:, start : start + size].T]
        parts.append(
            np.hstack([column.resize((1, size), Image.Resampling.BICUBIC) for column in columns]).clip(0, 1)
        )
    return np.stack(parts)


@pytest.mark.parametrize("seconds", [0.06, 0.3, 0.425, 0.45, 0.525, 0.65, 1.6, 3.21])
def test_windows_have_a_column_for_each_frame(seconds):
    """16 columns are 0.425 s."""
    samples = np.random.default_rng(0).standard_normal(int(16000 * seconds)) * 0.1
    computed = images(samples, WINDOWS)
    expected = cut(samples, 16)
    assert computed.dtype == np.float32 and len(computed) == image_count(len(samples), 16000, WINDOWS)
    np.testing.assert_allclose(computed, expected, atol=1e-6)
    assert (seconds >= 0.425) == (computed[:, :, -1].max() > 0)  # a shorter clip ends with zeros
    np.testing.assert_array_equal(images(samples, SETTINGS), image(samples, SETTINGS)[None])


def test_windows_keep_the_loudness_of_the_clip():
    samples = np.random.default_rng(1).standard_normal(32000)
    samples[:16000] *= 1e-2  # 40 dB down, half of the floor
    first, *_, last = images(samples, WINDOWS)
    assert 0.8 < last.max() <= 1
    np.testing.assert_allclose(first.mean(), last.mean() - 0.5, atol=0.02)


@pytest.mark.parametrize("source", [8000, 11025, 16000, 22050, 44100, 48000])
def test_windows_are_counted_before_they_are_computed(source):
    random = np.random.default_rng(source)
    for count in random.integers(source // 20, 4 * source, 20):
        samples = audio.resample(random.standard_normal(count), source, 16000)
        assert image_count(int(count), source, WINDOWS) == len(images(samples, WINDOWS))
        assert image_count(int(count), source, SETTINGS) == 1


def test_a_store_has_a_row_for_each_window(corpus, tmp_path):
    root, frame = corpus
    folder = store_folder(tmp_path, WINDOWS)
    assert folder != store_folder(tmp_path, SETTINGS)
    built = build(frame, root, folder, WINDOWS, jobs=2)
    assert built.settings == WINDOWS and json.loads((folder / "settings.json").read_text())["time_axis"]
    stops = {"c0": None, "c1": 1.6, "c2": None}
    expected = [
        images(audio.read(root / f"{clip[1]}.wav", stop=stop), WINDOWS) for clip, stop in stops.items()
    ]
    rows, counts = built.windows(["c2", "c0", "c2", "c1"])
    assert (
        counts.tolist() == [len(expected[number]) for number in (2, 0, 2, 1)] and counts[1] == 1 < counts[3]
    )
    chosen = np.concatenate([expected[number] for number in (2, 0, 2, 1)])
    np.testing.assert_array_equal(built.images[rows], chosen)
    np.testing.assert_array_equal(built.images[built.rows(["c1"])[0]], expected[1][0])
    assert built.keys(["c1"]) == store.content_keys([(root / "1.wav", None, 1.6)], WINDOWS, jobs=1)
    with pytest.raises(Faults, match="has no clip 'c9'"):
        built.windows(["c0", "c9"])
    whole = build(frame, root, store_folder(tmp_path, SETTINGS), SETTINGS, jobs=1)
    assert [part.tolist() for part in whole.windows(["c2", "c0"])] == [[2, 0], [1, 1]]


def test_a_build_that_stopped_between_two_windows_resumes(corpus, tmp_path):
    root, frame = corpus
    content = np.array(build(frame, root, tmp_path, WINDOWS, jobs=1).images)
    for kept in (1, 2, 4, len(content) - 1):
        (tmp_path / "index.csv").unlink()
        os.truncate(tmp_path / "images.f32", kept * 4 * 16**2)
        os.truncate(tmp_path / "rows.csv", kept * 65)
        np.testing.assert_array_equal(build(frame, root, tmp_path, WINDOWS, jobs=1).images, content)


def test_an_unknown_time_axis_is_refused():
    with pytest.raises(ValueError, match="time_axis is 'window'; give one of whole, windows"):
        images(np.ones(16000), ImageSettings(16, time_axis="window"))
