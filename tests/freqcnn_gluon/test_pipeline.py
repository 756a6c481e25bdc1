"""A scikit-learn Pipeline goes from the names of files to labels."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recordings
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import get_tags

from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon import AudioToImages, FreqCNNClassifier, spectrograms
from freqcnn_gluon.own import audio_to_images
from freqcnn_gluon.own.predict import BadInput


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Four files of each label, a table of their names, labels and speakers."""
    root = recordings.write(tmp_path_factory.mktemp("data") / "tones", each=4)
    rows = [(str(path), path.parent.name, int(path.stem) // 2) for path in sorted(root.glob("*/*.wav"))]
    return pd.DataFrame(rows, columns=["path", "label", "speaker"])


def classifier(**arguments):
    return FreqCNNClassifier(**{"epochs": 1, "batch_size": 6, "device": "cpu", "jobs": 1} | arguments)


def test_images_are_those_of_the_recordings(files):
    transformer = AudioToImages(size=32, jobs=1)
    expected = np.stack(
        [image(audio.read(path), ImageSettings(32, frequency="mel")) for path in files["path"]]
    )
    for given in (files["path"], files[["path"]], [Path(path) for path in files["path"]]):
        np.testing.assert_array_equal(transformer.fit_transform(given), expected)
    np.testing.assert_array_equal(AudioToImages(32, jobs=2).transform(files["path"].tolist()), expected)


def test_the_transformer_follows_the_conventions(files):
    transformer = AudioToImages(size=32, jobs=1)
    params = {"size": 32, "jobs": 1, "frequency": "mel"}
    assert clone(transformer).get_params() == transformer.get_params() == params
    assert transformer.fit(files["path"]) is transformer and vars(transformer) == transformer.get_params()
    again = pickle.loads(pickle.dumps(transformer))
    np.testing.assert_array_equal(
        again.transform(files["path"][:2]), transformer.transform(files["path"][:2])
    )
    tags = get_tags(transformer)
    assert tags.input_tags.string and tags.input_tags.one_d_array and not tags.input_tags.two_d_array
    assert not tags.requires_fit and "AudioToImages(jobs=1, size=32)" == repr(transformer)


def test_all_bad_files_are_named_at_once(files, tmp_path):
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    paths = [files["path"][0], tmp_path / "no.wav", tmp_path / "b.wav"]
    pipeline = make_pipeline(AudioToImages(size=32, jobs=1), classifier())
    with pytest.raises(BadInput, match="(?s)2 faults:.*no.wav: is missing.*b.wav: cannot be read"):
        pipeline.fit(paths, ["a", "b", "b"])
    with pytest.raises(BadInput, match="(?s)2 faults:.*is nan, not the path.*is 3, not the path"):
        AudioToImages().transform(["a.wav", np.nan, 3])
    for wrong, message in ((files, r"X has the shape \(12, 3\)"), ("a.wav", r"X has the shape \(\)")):
        with pytest.raises(BadInput, match=message):
            AudioToImages().fit(wrong)
    for size in (0, 15, 64.0, "64", None):
        with pytest.raises(BadInput, match="size: .* is not a whole number from 16 to 4096"):
            AudioToImages(size).fit(files["path"])


def test_a_pipeline_goes_from_file_names_to_labels(files):
    pipeline = make_pipeline(AudioToImages(size=32, jobs=1), classifier(random_state=1))
    learnt = clone(pipeline).fit(files["path"], files["label"])
    images = spectrograms(files["path"], 32, jobs=1)
    alone = classifier(size=32, random_state=1).fit(images, files["label"])
    expected = alone.predict_proba(images)
    np.testing.assert_array_equal(learnt.predict_proba(files["path"]), expected)
    again = pickle.loads(pickle.dumps(learnt))
    assert again.predict(files["path"].tolist()).tolist() == alone.predict(images).tolist()
    rows = classifier(random_state=1).fit(images.reshape(12, -1), files["label"])  # the size is 32 here, too
    np.testing.assert_array_equal(rows.predict_proba(images), expected)


def test_a_search_keeps_speakers_whole_and_computes_images_once(files, tmp_path, monkeypatch):
    read = []
    original = audio_to_images.spectrograms
    monkeypatch.setattr(
        audio_to_images, "spectrograms", lambda *given: read.append(len(given[0])) or original(*given)
    )
    steps = [("audio_to_images", AudioToImages(jobs=1)), ("freqcnn", classifier())]
    search = GridSearchCV(
        Pipeline(steps, memory=str(tmp_path)),
        [
            {"audio_to_images__size": [32], "freqcnn__class_weight": [None, "balanced"]},
            {"audio_to_images__size": [64]},
        ],
        cv=StratifiedGroupKFold(2),
        refit=False,
        error_score="raise",
    )
    search.fit(files["path"], files["label"], groups=files["speaker"])
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
    # In each of two folds: six training files once for each size, and six test files for each training
    assert read == [6] * 2 * (2 + 3)
