"""FreqCNN with scikit-learn's habits, for ``cross_val_score``, ``GridSearchCV`` and the like."""

from __future__ import annotations

import contextlib
import math
import random
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image
from freqcnn_gluon import runtime
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.fit import Recipe, learn
from freqcnn_gluon.training.examples import Examples

__all__ = ["FreqCNNClassifier", "spectrograms"]


def spectrograms(files: Sequence[Path | str], size: int = 64, jobs: int | None = None) -> np.ndarray:
    """The images (n, size, size) float32 of ``files``, each whole, computed by ``jobs`` processes.

    Raises Faults with everything that is wrong with them, and for none.
    """
    if not len(files):
        raise Faults("there are no recordings; give at least one")
    with pool(jobs, len(files)) as stream:
        found = list(stream(partial(_image, ImageSettings(size)), files))
    if faults := [fault for each in found if isinstance(each, Faults) for fault in each.faults]:
        raise Faults(dict.fromkeys(faults))
    return np.stack(found)


def _image(settings: ImageSettings, path: Path | str) -> np.ndarray | Faults:
    try:
        return image(audio.read(path, settings.rate), settings)
    except Faults as faults:
        return faults


class FreqCNNClassifier(ClassifierMixin, BaseEstimator):
    """FreqCNN as a scikit-learn classifier; the arguments are ``fitting.Recipe``'s.

    X is images (n, size, size), as ``spectrograms`` makes them, or the files themselves; to cross-validate,
    make the images once. To search over ``size`` give the files, as images have the one that they have. y is
    labels (n,) of any kind. After ``fit``: ``classes_`` (classes,), ``model_`` (a ``Model``), ``history_`` (a
    dict an epoch).
    """

    def __init__(
        self,
        architecture: str = "table7",
        size: int = 64,
        epochs: int = 20,
        batch_size: int = 16,
        learning_rate: float = 0.01,
        seed: int = 0,
        device: str = "auto",
        jobs: int | None = None,
    ):
        self.architecture = architecture
        self.size = size
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.device = device
        self.jobs = jobs

    def fit(self, X: np.ndarray | Sequence[Path | str], y: Sequence) -> FreqCNNClassifier:
        """Train from scratch. Raises Faults for settings that cannot be (before anything is read), for files
        that cannot be read, for images of another size or of no numbers, and for a single label.
        """
        recipe = Recipe(
            self.architecture, self.size, self.epochs, self.batch_size, self.learning_rate, self.seed
        )
        images = self._images(X, self.size)
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        if len(numbers) != len(images):
            raise Faults(
                f"there are {len(images)} recordings and {len(numbers)} labels; give as many of both"
            )
        if len(self.classes_) < 2:
            raise Faults("there is one label; nothing is there to be told apart")
        settings = ImageSettings(recipe.size)
        labels = tuple(map(str, self.classes_))
        about = About(labels, recipe.architecture, settings, math.inf, math.inf, versions=runtime.versions())
        examples = Examples(images, np.arange(len(images)), numbers)
        with _own_draws():
            self.model_, outcome = learn(about, recipe, examples, {}, self.device)
        self.history_ = outcome.history
        return self

    def predict_proba(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """(n, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.model_.probabilities(self._images(X, self.model_.about.images.size))

    def predict(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """The likeliest labels (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return self.classes_[numbers]

    def _images(self, X: np.ndarray | Sequence[Path | str], size: int) -> np.ndarray:
        if np.ndim(X) == 1 or not len(X):
            return spectrograms(X, size, self.jobs)
        if np.shape(X)[1:] != (size, size):
            raise Faults(
                f"the images are {np.shape(X)} and are to be (n, {size}, {size}): make them with "
                f"spectrograms(files, {size}), or have a classifier of their size"
            )
        images = np.asarray(X, np.float32)
        if not np.isfinite(images).all():
            raise Faults("the images have values that are no numbers (NaN or infinite); make them again")
        return images


@contextlib.contextmanager
def _own_draws() -> Iterator[None]:
    """Put back the generators that a training seeds: else what is drawn after it is the same each time."""
    states = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
