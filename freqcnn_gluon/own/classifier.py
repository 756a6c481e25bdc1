"""FreqCNN as a scikit-learn classifier, for ``cross_val_score``, ``GridSearchCV`` and other tools."""

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
    """Compute the spectrogram images of whole recordings.

    Args:
        files: The recordings.
        size: The side of an image in pixels.
        jobs: The number of processes, None for one per core.

    Returns:
        The images (n, size, size), float32.

    Raises:
        Faults: There are no recordings, or recordings cannot be read.
    """
    if not len(files):
        raise Faults("there are no recordings; pass at least one")
    with pool(jobs, len(files)) as stream:
        results = list(stream(partial(_image, ImageSettings(size)), files))
    if faults := [fault for result in results if isinstance(result, Faults) for fault in result.faults]:
        raise Faults(dict.fromkeys(faults))
    return np.stack(results)


def _image(settings: ImageSettings, path: Path | str) -> np.ndarray | Faults:
    try:
        return image(audio.read(path, settings.rate), settings)
    except Faults as faults:
        return faults


class FreqCNNClassifier(ClassifierMixin, BaseEstimator):
    """FreqCNN as a scikit-learn classifier.

    X is an array of images (n, size, size) from ``spectrograms``, or a sequence of files (n,). For
    cross-validation, compute the images once. To search over ``size``, pass files: images have a fixed size.
    y are labels (n,) of any type.

    Args:
        architecture: See ``fit.Recipe``, also for the next five.
        size: The side of the spectrograms in pixels.
        epochs: The number of passes through the data.
        batch_size: The number of clips per training step.
        learning_rate: The initial learning rate of SGD.
        seed: The seed of every draw in the training.
        device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.
        jobs: The number of processes that read files, None for one per core.

    Attributes:
        classes_: The labels (classes,), after ``fit``.
        model_: The ``Model``, after ``fit``.
        history_: A dict for each epoch, after ``fit``.
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
        """Train from scratch on ``X`` and ``y``.

        Raises:
            Faults: Settings are impossible (checked before anything is read), files cannot be read, images
                have another size or values that are not finite, or there is only one label.
        """
        recipe = Recipe(
            self.architecture, self.size, self.epochs, self.batch_size, self.learning_rate, self.seed
        )
        images = self._images(X, self.size)
        self.classes_, numbers = np.unique(np.asarray(y), return_inverse=True)
        if len(numbers) != len(images):
            raise Faults(f"there are {len(images)} recordings and {len(numbers)} labels; pass one label each")
        if len(self.classes_) < 2:
            raise Faults("there is one label; a classifier needs two or more")
        settings = ImageSettings(recipe.size)
        labels = tuple(map(str, self.classes_))
        about = About(labels, recipe.architecture, settings, math.inf, math.inf, versions=runtime.versions())
        examples = Examples(images, np.arange(len(images)), numbers)
        with _keep_generators():
            self.model_, outcome = learn(about, recipe, examples, {}, self.device)
        self.history_ = outcome.history
        return self

    def predict_proba(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """Compute the probabilities (n, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.model_.probabilities(self._images(X, self.model_.about.images.size))

    def predict(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """Predict the most likely labels (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return self.classes_[numbers]

    def _images(self, X: np.ndarray | Sequence[Path | str], size: int) -> np.ndarray:
        """Return the images (n, size, size) of ``X``, which are checked, or computed from its files."""
        values = np.asarray(X)
        if values.ndim == 1 or not len(values):
            return spectrograms(list(X), size, self.jobs)
        if values.shape[1:] != (size, size):
            raise Faults(
                f"the images have the shape {values.shape}, not (n, {size}, {size}); make them with "
                f"spectrograms(files, {size}), or use a classifier of their size"
            )
        images = values.astype(np.float32, copy=False)
        if not np.isfinite(images).all():
            raise Faults("the images have values that are not finite (NaN or infinite); make them again")
        return images


@contextlib.contextmanager
def _keep_generators() -> Iterator[None]:
    """Restore the states of the random generators that a training seeds, for the caller's own draws."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
