"""The classifier works with scikit-learn's tools."""

import pickle
import random
import subprocess
import sys

import joblib
import mxnet as mx
import numpy as np
import pandas as pd
import pytest
import recordings
from mxnet import gluon
from scipy.sparse import issparse
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, train_test_split
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import estimator_checks_generator

from data_prep.base.faults import Faults
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon import Examples, FreqCNNClassifier, spectrograms
from freqcnn_gluon.training.loop import _gradients

# scikit-learn's checks that must fail, and why
EXPECTED_FAILURES = {
    "check_n_features_in": "the columns that PaddedClassifier adds count as features",
    "check_n_features_in_after_fitting": "the columns that PaddedClassifier adds count as features",
}


class PaddedClassifier(FreqCNNClassifier):
    """The classifier for scikit-learn's checks: the columns of their X get zeros up to an image's pixels."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # One epoch is too short for the accuracy that a check requires of classifiers without this tag.
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X, y):
        shape = X.shape if issparse(X) else np.asarray(X).shape
        self.columns_ = shape[1] if len(shape) == 2 else 0
        return super().fit(X, y)

    def _images(self, X, settings):
        values = X if issparse(X) else np.asarray(X)
        if not issparse(X) and values.ndim == 2 and values.shape[1] == self.columns_ > 0:
            values = np.pad(values, ((0, 0), (0, settings.size**2 - self.columns_)))
        return super()._images(values, settings)


# 32 is the smallest size of the default architecture. The checks take some 50 s on one core without two
# repetitions of the longest, check_classifiers_train, on read-only memory; other checks use such memory too.
CHECKS = [
    pytest.param(check, id="-".join([check.func.__name__, *map(str, check.keywords.values())]))
    for _, check in estimator_checks_generator(
        PaddedClassifier(size=32, epochs=1, batch_size=64, device="cpu", jobs=1)
    )
    if check.func.__name__ != "check_classifiers_train" or not check.keywords
]


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


def test_files_and_their_images_give_the_same_results(data):
    files, labels = data
    images = spectrograms(files, size=32, jobs=1)
    np.testing.assert_array_equal(images[3], image(audio.read(files[3]), ImageSettings(32, frequency="mel")))
    again = classifier().fit([str(file) for file in files], labels.tolist())
    expected = classifier().fit(images, labels).predict_proba(images)
    np.testing.assert_array_equal(again.predict_proba(files), expected)
    learnt = classifier(epochs=40).fit(images, labels)
    probabilities = learnt.predict_proba(images)
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
    search = GridSearchCV(classifier(), {"random_state": [0, 1]}, cv=2).fit(images, numbers)
    assert search.best_params_["random_state"] in (0, 1) and search.predict(images).shape == (18,)


def test_a_fitted_classifier_can_be_pickled_also_for_another_process(data, tmp_path):
    files, labels = data
    images = spectrograms(files, size=32, jobs=1)
    learnt = classifier().fit(images, labels)
    expected = learnt.predict_proba(
        images
    )  # so that there is a folded network, which a pickle must leave out
    again = pickle.loads(pickle.dumps(learnt))
    np.testing.assert_array_equal(again.predict_proba(images), expected)
    assert again.history_ == learnt.history_ and again.model_.about == learnt.model_.about
    again.model_.save(tmp_path / "model")
    joblib.dump(learnt, tmp_path / "learnt.joblib")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import sys, joblib, numpy; learnt, images, out = sys.argv[1:]\n"
        "numpy.save(out, joblib.load(learnt).predict_proba(numpy.load(images)))"
    )
    paths = [tmp_path / name for name in ("learnt.joblib", "images.npy", "out.npy")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    np.testing.assert_array_equal(np.load(paths[-1]), expected)


def test_training_leaves_the_callers_random_generators_unchanged(data):
    files, labels = data
    images = spectrograms(files, size=32, jobs=1)

    def drawn(between):
        np.random.seed(5)
        random.seed(5)
        found = []
        for _ in range(3):
            found.append([*train_test_split(labels)[1], random.random()])
            between()
        return found

    trained = []
    found = drawn(lambda: trained.append(classifier().fit(images, labels).predict_proba(images)))
    assert found == drawn(lambda: None)
    np.testing.assert_array_equal(trained[0], trained[2])


def test_images_need_the_classifiers_size_and_files_get_the_models(data):
    files, labels = data
    images = spectrograms(files, size=32, jobs=1)
    with pytest.raises(Faults, match=r"the images have the shape \(18, 32, 32\), not \(n, 64, 64\)"):
        classifier(size=64).fit(images, labels)
    learnt = classifier().fit(images, labels)
    expected = learnt.predict_proba(images)
    np.testing.assert_array_equal(learnt.set_params(size=64).predict_proba(files), expected)
    with pytest.raises(Faults, match=r"not \(n, 32, 32\)"):
        learnt.predict(images[:, :16])
    with pytest.warns(FitFailedWarning, match="2 fits failed"):
        search = GridSearchCV(classifier(), {"size": [32, 64]}, cv=2).fit(images, labels)
    assert search.best_params_ == {"size": 32} and np.isnan(search.cv_results_["mean_test_score"][1])


def test_no_recordings_and_images_with_nan_are_refused(data):
    files, labels = data
    learnt = classifier().fit(files, labels)
    none = np.empty((0, 32, 32), np.float32)
    for made in (lambda: learnt.predict(none), lambda: learnt.predict([]), lambda: spectrograms([], 32)):
        with pytest.raises(Faults, match="there are no recordings"):
            made()
    images = spectrograms(files, 32, jobs=1)
    images[3, 2, 1] = np.nan
    for made in (lambda: classifier().fit(images, labels), lambda: learnt.predict(images)):
        with pytest.raises(Faults, match="values that are not finite"):
            made()


def test_wrong_input_is_reported(data, tmp_path):
    files, labels = data
    with pytest.raises(NotFittedError):
        classifier().predict(files)
    with pytest.raises(Faults, match="there is one label"):
        classifier().fit(files[:2], ["a", "a"])
    with pytest.raises(Faults, match="2 recordings and 3 labels"):
        classifier().fit(files[:2], ["a", "b", "a"])
    for shape in ((2, 2), (2, 1000), (2, 8, 8), (2, 32, 64), (2, 1, 32, 32), (2, 0)):
        with pytest.raises(Faults) as faults:
            FreqCNNClassifier().fit(np.zeros(shape), [0, 1])
        assert faults.value.faults == [
            f"X has the shape {shape}; pass images (n, size, size), as AudioToImages returns them, with a "
            "size from 16 to 4096, or their pixels in rows (n, size * size)"
        ]
    with pytest.raises(Faults, match="epochs: 0 is not a whole number of 1 or more"):
        classifier(epochs=0).fit(["no.wav", "b.wav"], ["a", "b"])
    (tmp_path / "b.wav").write_bytes(b"RIFF")
    with pytest.raises(Faults, match="(?s)2 faults:.*no.wav: is missing.*b.wav: cannot be read"):
        classifier().fit([tmp_path / "no.wav", tmp_path / "b.wav"], ["a", "b"])


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (np.array([1, 2, np.nan] * 4), "contains NaN"),
        (np.array(["a", "b", None] * 4, dtype=object), "contains NaN"),
        (["a", "b", float("nan")] * 4, "contains NaN"),
        (pd.Series(["a", "b", pd.NA] * 4), "contains NaN"),
        (np.linspace(0, 1, 12), "Unknown label type"),
        ([1, "b", "c"] * 4, "strings and numbers"),
        (None, "y is None"),
        (["a", "b"], "12 recordings and 2 labels"),
    ],
)
def test_labels_that_are_missing_or_no_classes_are_refused(labels, reason):
    with pytest.raises(ValueError, match=reason) as refused:
        classifier().fit(np.zeros((12, 32, 32)), labels)
    assert isinstance(refused.value, Faults)


def test_a_random_state_decides_the_draws_and_pixels_may_be_in_rows():
    draws = np.random.default_rng(0)
    images, labels = draws.random((12, 32, 32)).astype("f4"), ["a", "b", "c"] * 4

    def predicted(images=images, **arguments):
        return classifier(**arguments).fit(images, labels).predict_proba(images)

    expected = predicted(seed=3)
    np.testing.assert_array_equal(predicted(random_state=3), expected)
    np.testing.assert_array_equal(predicted(images.reshape(12, -1), seed=3), expected)
    drawn = [predicted(random_state=np.random.RandomState(5)) for _ in range(2)]
    np.testing.assert_array_equal(*drawn)
    assert not np.array_equal(drawn[0], expected)
    assert classifier().fit(images, labels).n_features_in_ == 32 * 32


@pytest.mark.parametrize("weight", ["balanced", {"a": 3, "b": 0.5}, {"b": 4.0}, {"a": 0, "b": 1, "c": 1}])
def test_class_weights_are_those_of_scikit_learn(weight, monkeypatch):
    labels, seen = ["a"] * 7 + ["b"] * 3 + ["c"] * 2, []

    def learn(about, recipe, examples, *others):
        seen.append(examples.weights)
        raise Faults("seen")

    monkeypatch.setattr("freqcnn_gluon.own.classifier.learn", learn)
    with pytest.raises(Faults, match="seen"):
        classifier(class_weight=weight).fit(np.zeros((12, 32, 32)), labels)
    expected = compute_sample_weight(weight, labels)
    np.testing.assert_allclose(seen[0], expected / expected.mean(), rtol=1e-6)


def test_a_weighted_loss_has_weighted_gradients():
    """The gradient of a linear network is (p - y) x for each example, times its weight."""
    draws = np.random.default_rng(0)
    images, numbers = draws.standard_normal((8, 4, 4)).astype("f4"), draws.integers(0, 3, 8)
    weights = draws.uniform(0, 3, 8).astype("f4")
    net = gluon.nn.Dense(3, in_units=16)
    net.initialize()
    examples = Examples(images, np.arange(8), numbers, weights=weights)
    loss, _ = _gradients(net, examples, [np.arange(8)], [mx.cpu()])
    probabilities = softmax(images.reshape(8, 16) @ net.weight.data().asnumpy().T, axis=1)
    assert loss == pytest.approx(-(weights * np.log(probabilities[range(8), numbers])).sum(), rel=1e-5)
    errors = (probabilities - np.eye(3)[numbers]) * weights[:, None]
    np.testing.assert_allclose(net.weight.grad().asnumpy(), errors.T @ images.reshape(8, 16), atol=1e-5)


def test_class_weights_change_the_training_only_if_they_differ():
    images, labels = np.random.default_rng(0).random((12, 32, 32)).astype("f4"), ["a", "b"] * 6

    def predicted(weight, epochs=1):
        made = classifier(class_weight=weight, epochs=epochs)
        return clone(made).fit(images, labels).predict_proba(images)

    expected = predicted(None)
    for same in ("balanced", {"a": 5, "b": 5}, {}):
        np.testing.assert_array_equal(predicted(same), expected)
    preferred = [predicted(weight, 8)[:, 0].mean() for weight in ({"b": 1000}, None, {"a": 1000})]
    assert preferred[0] + 0.1 < preferred[1] < preferred[2] - 0.1


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("balance", "The 'class_weight' parameter of compute_class_weight must be"),
        ({"a": 1, "d": 2}, r"The classes, \['b'\], are not in class_weight"),
        ({"a": -1}, "finite numbers of 0 or more"),
        ({"a": 0, "b": 0}, "not all of them 0"),
        ({"a": float("nan")}, "finite numbers"),
        ({"a": "much"}, "could not convert"),
    ],
)
def test_impossible_class_weights_are_refused(weight, message):
    with pytest.raises(ValueError, match=f"class_weight: .*{message}"):
        classifier(class_weight=weight).fit(["no.wav", "none.wav"], ["a", "b"])


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.filterwarnings("ignore::Warning")
def test_scikit_learns_checks_pass(check):
    made = PaddedClassifier(size=32, epochs=1, batch_size=64, device="cpu", jobs=1)
    if check.func.__name__ in EXPECTED_FAILURES:
        with pytest.raises(AssertionError):
            check(made)
    else:
        check(made)


def test_only_checks_that_exist_are_expected_to_fail():
    names = {check.values[0].func.__name__ for check in CHECKS}
    assert len(names) > 40 and set(EXPECTED_FAILURES) <= names


def test_another_number_of_pixels_is_refused():
    learnt = classifier().fit(np.random.default_rng(0).random((4, 32 * 32)), [0, 1, 0, 1])
    for columns in (1, 32 * 32 - 1, 32 * 32 + 1):
        with pytest.raises(ValueError, match=f"X has {columns} features, .* is expecting 1024 features"):
            learnt.predict(np.zeros((2, columns)))
