"""FreqCNN as a scikit-learn classifier, for ``cross_val_score``, ``GridSearchCV`` and other tools."""

from __future__ import annotations

import contextlib
import math
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from data_prep.base.faults import Faults
from data_prep.base.processes import pool
from data_prep.sound.spectrogram import FREQUENCIES, ImageSettings
from data_prep.windows import whole_image
from freqcnn_gluon import runtime
from freqcnn_gluon.own.about import RANGES, About
from freqcnn_gluon.own.fit import learn
from freqcnn_gluon.own.predict import BadInput, checked_images
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.training.examples import Examples

__all__ = ["FreqCNNClassifier", "check_images", "spectrograms"]


def spectrograms(
    files: Sequence[Path | str], size: int = 64, jobs: int | None = None, frequency: str = "mel"
) -> np.ndarray:
    """Compute the spectrogram images of whole recordings.

    A model takes images with the settings in its ``about.images``.

    Args:
        files: The recordings.
        size: The side of an image in pixels.
        jobs: The number of processes, None for one per core.
        frequency: The images' frequency axis, 'mel' or 'linear'. Models of earlier versions are 'linear'.

    Returns:
        The images (n, size, size), float32.

    Raises:
        BadInput: The size or the frequency axis is impossible, there are no recordings, or recordings cannot
            be read. The error names all of these recordings.
    """
    check_images(size, frequency)
    if not len(files):
        raise BadInput("there are no recordings (0 sample(s)), and a minimum of 1 is required")
    if others := [file for file in files if not isinstance(file, (str, os.PathLike))]:
        raise BadInput(f"a recording is {file!r:.80}, not the path of a file" for file in others)
    with pool(jobs, len(files)) as stream:
        results = list(stream(partial(whole_image, ImageSettings(size, frequency=frequency)), files))
    if faults := [fault for result in results if isinstance(result, Faults) for fault in result.faults]:
        raise BadInput(dict.fromkeys(faults))
    return np.stack(results)


def check_images(size: int, frequency: str) -> None:
    """Raise BadInput unless images can have ``size`` pixels a side and this frequency axis."""
    low, high = RANGES["size"]
    if not (isinstance(size, Integral) and low <= int(size) <= high):
        raise BadInput(f"size: {size!r} is not a whole number from {low} to {high}")
    if frequency not in FREQUENCIES:
        raise BadInput(f"frequency: {frequency!r} is not known; choose {' or '.join(FREQUENCIES)}")


class FreqCNNClassifier(ClassifierMixin, BaseEstimator):
    """FreqCNN as a scikit-learn classifier.

    X is an array of images (n, size, size) from ``spectrograms``, their pixels in rows (n, size * size), or a
    sequence of files (n,). y are labels (n,) of any type. For cross-validation, compute the images once, or
    put ``AudioToImages`` and this classifier into a Pipeline with ``memory``.

    Args:
        architecture: See ``recipe.Recipe``, also for the next five.
        size: The side of the spectrograms in pixels; None for that of the images, or the default of
            ``Recipe`` for files.
        epochs: The number of passes through the data, None for the number of ``Recipe.epochs_for``.
        batch_size: The number of clips per training step.
        learning_rate: The highest learning rate of SGD.
        seed: The seed if ``random_state`` is None; the older name.
        device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.
        jobs: The number of processes that read files, None for one per core.
        random_state: The seed of every draw in the training, or a ``numpy.random.RandomState`` that a seed
            is drawn from; None for ``seed``, so that the result is repeatable by default.
        class_weight: The weight of each class in the loss, as in scikit-learn: None for the same weight, a
            dict from labels to weights (1 for a label that it lacks), or 'balanced' for weights in inverse
            proportion to the number of training examples. The weights are scaled to a mean of 1 over the
            training examples, so that they do not change the learning rate.
        frequency: The frequency axis of the images of files, 'mel' or 'linear'.

    Attributes:
        n_features_in_: The number of pixels of an image, after ``fit``.
        classes_: The labels (classes,), after ``fit``.
        model_: The ``Model``, after ``fit``.
        history_: A dict for each epoch, after ``fit``.
    """

    def __init__(
        self,
        architecture: str = "table7",
        size: int | None = None,
        epochs: int | None = None,
        batch_size: int = 16,
        learning_rate: float = 0.01,
        seed: int = 0,
        device: str = "auto",
        jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        class_weight: Mapping | str | None = None,
        frequency: str = "mel",
    ):
        self.architecture = architecture
        self.size = size
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self.device = device
        self.jobs = jobs
        self.random_state = random_state
        self.class_weight = class_weight
        self.frequency = frequency

    def fit(self, X: np.ndarray | Sequence[Path | str], y: Sequence) -> FreqCNNClassifier:
        """Train from scratch on ``X`` and ``y``.

        Raises:
            BadInput: Settings are impossible (checked before anything is read), files cannot be read, images
                have another size or values that are not finite, labels are missing or are not classes.
        """
        state = self.seed if self.random_state is None else self.random_state
        if isinstance(state, np.random.RandomState):
            state = state.randint(2**31 - 1)
        try:
            recipe = Recipe(
                self.architecture,
                _size(self.size, X),
                self.epochs,
                self.batch_size,
                self.learning_rate,
                state,
                self.frequency,
            )
        except Faults as faults:
            raise BadInput(faults.faults) from None
        if y is None:
            raise BadInput("the classifier requires y to be passed, but the target y is None")
        given = _checked_labels(y)
        weights = _loss_weights(self.class_weight, given)
        images = self._images(X, recipe.images)
        if len(given) != len(images):
            raise BadInput(f"there are {len(images)} recordings and {len(given)} labels; pass one label each")
        self.classes_, numbers = np.unique(given, return_inverse=True)
        if len(self.classes_) < 2:
            raise BadInput("there is one label (1 class); a classifier needs two or more")
        self.n_features_in_ = recipe.size**2
        labels = tuple(map(str, self.classes_))
        about = About(
            labels, recipe.architecture, recipe.images, math.inf, math.inf, versions=runtime.versions()
        )
        examples = Examples(images, np.arange(len(images)), numbers, weights=weights)
        with _keep_generators():
            self.model_, outcome = learn(about, recipe, examples, {}, self.device)
        self.history_ = outcome.history
        return self

    def predict_proba(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """Compute the probabilities (n, classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.model_.probabilities(self._images(X, self.model_.about.images))

    def predict(self, X: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """Predict the most likely labels (n,)."""
        numbers = self.predict_proba(X).argmax(axis=1)
        return self.classes_[numbers]

    def _images(self, X: np.ndarray | Sequence[Path | str], settings: ImageSettings) -> np.ndarray:
        """Return the images (n, size, size) of ``X``, which are checked, or computed from its files."""
        if issparse(X):
            raise TypeError("X is a sparse matrix; pass a dense array of images: X.toarray()")
        values, size = np.asarray(X), settings.size
        if values.ndim == 1 and (values.dtype.kind in "OUS" or not len(values)):
            return spectrograms(list(X), settings.size, self.jobs, settings.frequency)
        if values.ndim < 2:
            raise BadInput("X is not images or files. Reshape your data to (n, size, size), or pass paths")
        if values.dtype.kind == "O":
            values = values.astype(np.float64)
        if values.dtype.kind == "c":
            raise BadInput("Complex data not supported: pass the images' real values")
        if not len(values):
            raise BadInput("there are no recordings: 0 sample(s), while a minimum of 1 is required")
        if values.ndim == 2:
            if not values.shape[1]:
                raise BadInput(
                    f"X has 0 feature(s) (shape={values.shape}) while a minimum of {size**2} is required: "
                    f"the pixels of images (n, {size}, {size})"
                )
            if values.shape[1] != size**2:
                raise BadInput(
                    f"X has {values.shape[1]} features, but {type(self).__name__} is expecting {size**2} "
                    f"features as input: the pixels of images (n, {size}, {size})"
                )
            values = values.reshape(-1, size, size)
        return checked_images(values, size)


def _size(size: int | None, X: np.ndarray | Sequence[Path | str]) -> int:
    """Return ``size``, or if it is None, the side of the images ``X``, or the default for files.

    Raises:
        BadInput: ``size`` is None, and ``X`` does not have the shape of images.
    """
    if size is not None:
        return size
    shape = () if issparse(X) else np.asarray(X).shape
    if len(shape) < 2:
        return Recipe.size
    side = math.isqrt(shape[1]) if len(shape) == 2 else shape[-1]
    low, high = RANGES["size"]
    if shape[1:] not in ((side, side), (side**2,)) or not low <= side <= high:
        raise BadInput(
            f"X has the shape {shape}; pass images (n, size, size), as AudioToImages returns them, with a "
            f"size from {low} to {high}, or their pixels in rows (n, size * size)"
        )
    return side


def _loss_weights(class_weight: Mapping | str | None, labels: np.ndarray) -> np.ndarray | None:
    """Return each example's weight in the loss (n,), with a mean of 1; None without class weights.

    Raises:
        BadInput: ``class_weight`` is not one of scikit-learn's, or the weights are not usable numbers.
    """
    if class_weight is None:
        return None
    classes, numbers = np.unique(labels, return_inverse=True)
    try:
        weights = compute_class_weight(class_weight, classes=classes, y=labels)[numbers]
    except (TypeError, ValueError) as error:
        raise BadInput(f"class_weight: {error}") from None
    if not (np.isfinite(weights).all() and weights.min() >= 0 < weights.max()):
        raise BadInput("class_weight: the weights must be finite numbers of 0 or more, not all of them 0")
    return (weights / weights.mean()).astype(np.float32)


def _checked_labels(y: Sequence) -> np.ndarray:
    """Return the labels (n,). Raise ValueError if one is missing, or if they are not classes."""
    objects = column_or_1d(np.asarray(y, dtype=object), warn=True)
    if missing := int(pd.isna(objects).sum()):
        raise BadInput(f"Input y contains NaN: {missing} labels are missing; leave their recordings out")
    if len({isinstance(label, str) for label in objects}) > 1:
        raise BadInput("the labels are strings and numbers; convert all to strings")
    labels = column_or_1d(np.asarray(y))
    try:
        check_classification_targets(labels)
    except ValueError as error:
        raise BadInput(f"{error}; pass labels of classes") from None
    return labels


@contextlib.contextmanager
def _keep_generators() -> Iterator[None]:
    """Restore the states of the random generators that a training seeds, for the caller's own draws."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
