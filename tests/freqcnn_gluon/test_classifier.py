"""The classifier keeps scikit-learn's habits."""

import numpy as np
import pytest
import recordings
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from data_prep import audio
from data_prep.faults import Faults
from data_prep.spectrogram import ImageSettings, image
from freqcnn_gluon import FreqCNNClassifier, spectrograms


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Files and their labels."""
    root = recordings.write(tmp_path_factory.mktemp("data") / "tones", each=6)
    files = sorted(root.glob("*/*.wav"))
    return files, np.array([path.parent.name for path in files])


def classifier(**arguments):
    return FreqCNNClassifier(
        **{"size": 32, "epochs": 1, "batch_size": 6, "device": "cpu", "jobs": 1} | arguments
    )


def test_files_and_their_images_are_the_same_to_it(data):
    files, labels = data
    images = spectrograms(files, size=32, jobs=1)
    np.testing.assert_array_equal(images[3], image(audio.read(files[3]), ImageSettings(32)))
    learnt = classifier(epochs=20).fit(images, labels)
    again = classifier(epochs=20).fit([str(file) for file in files], labels.tolist())
    probabilities = learnt.predict_proba(images)
    np.testing.assert_array_equal(probabilities, again.predict_proba(files))
    assert probabilities.shape == (18, 3) and probabilities.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert learnt.classes_.tolist() == ["high", "low", "middle"]
    assert learnt.predict(images).tolist() == learnt.classes_[probabilities.argmax(axis=1)].tolist()
    assert learnt.score(images, labels) == (learnt.predict(images) == labels).mean() > 0.7


def test_cross_validation_and_search(data):
    files, labels = data
    images, numbers = spectrograms(files, size=32, jobs=1), np.unique(labels, return_inverse=True)[1] * 10
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    scores = cross_val_score(classifier(), images, numbers, cv=folds, scoring="recall_macro")
    train, test = next(folds.split(images, numbers))
    alone = clone(classifier()).fit(images[train], numbers[train]).predict(images[test])
    assert len(scores) == 2 and scores[0] == recall_score(numbers[test], alone, average="macro")
    assert set(alone) <= {0, 10, 20}
    search = GridSearchCV(classifier(), {"seed": [0, 1]}, cv=2).fit(images, numbers)
    assert search.best_params_["seed"] in (0, 1) and search.predict(images).shape == (18,)


def test_what_is_wrong_is_told(data, tmp_path):
    files, labels = data
    with pytest.raises(NotFittedError):
        classifier().predict(files)
    with pytest.raises(Faults, match="there is one label"):
        classifier().fit(files[:2], ["a", "a"])
    with pytest.raises(Faults, match="2 recordings and 3 labels"):
        classifier().fit(files[:2], ["a", "b", "a"])
    with pytest.raises(Faults, match="epochs: 0 is no whole number from 1 up"):
        classifier(epochs=0).fit(["no.wav", "b.wav"], ["a", "b"])
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(Faults, match="(?s)2 faults:.*no.wav: is missing.*b.wav: cannot be read"):
        classifier().fit([tmp_path / "no.wav", tmp_path / "b.wav"], ["a", "b"])
