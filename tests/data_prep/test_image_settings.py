"""Settings of images: which of them make another store, and that stores of earlier versions stay valid."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from data_prep import manifest, store
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from data_prep.store import Store, build, store_folder

SETTINGS = ImageSettings(16)
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
    """Folder, key and file are as they were before ImageSettings had a scale."""
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
    keys = [
        key
        for settings in (SETTINGS, *others)
        for key in build(frame, root, store_folder(tmp_path, settings), settings, jobs=1).keys(frame["clip"])
    ]
    assert len(set(keys)) == len(keys) == 3 * 6
