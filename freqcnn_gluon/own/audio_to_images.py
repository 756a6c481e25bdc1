"""The first step of a scikit-learn Pipeline from the names of files to labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import column_or_1d

from freqcnn_gluon.own.classifier import check_images, spectrograms
from freqcnn_gluon.own.predict import BadInput

__all__ = ["AudioToImages"]


class AudioToImages(TransformerMixin, BaseEstimator):
    """A scikit-learn transformer from files to the spectrogram images that ``FreqCNNClassifier`` takes.

    ``make_pipeline(AudioToImages(), FreqCNNClassifier())`` names this step ``audiotoimages``, so that a
    search may vary ``audiotoimages__size``. The images depend on the files alone: nothing is learnt from the
    training part, and ``memory="cache/"`` of a Pipeline keeps them for all fits of a search.

    Args:
        size: The side of an image in pixels.
        jobs: The number of processes that read files, None for one per core.
        frequency: The images' frequency axis, 'mel' or 'linear'.
    """

    def __init__(self, size: int = 64, jobs: int | None = None, frequency: str = "mel"):
        self.size = size
        self.jobs = jobs
        self.frequency = frequency

    def fit(self, X: Sequence[Path | str], y: Sequence | None = None) -> AudioToImages:
        """Check the settings and that ``X`` (n,) can be names of files. No file is read.

        Raises:
            BadInput: The size or the frequency axis is impossible, or ``X`` is not one column of paths.
        """
        check_images(self.size, self.frequency)
        _column(X)
        return self

    def transform(self, X: Sequence[Path | str]) -> np.ndarray:
        """Compute the images (n, size, size) float32 of whole recordings, as ``spectrograms`` does.

        Raises:
            BadInput: Recordings cannot be read. All of them are named.
        """
        return spectrograms(_column(X), self.size, self.jobs, self.frequency)

    def __sklearn_tags__(self) -> Tags:
        """Return scikit-learn's tags: X is one column of strings, and ``transform`` needs no ``fit``."""
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags


def _column(X: Sequence[Path | str]) -> list:
    """Return the items of ``X`` (n,), which may be a column (n, 1). Raise BadInput for another shape."""
    values = np.asarray(X, dtype=object)
    try:
        return column_or_1d(values).tolist()
    except ValueError:
        raise BadInput(
            f"X has the shape {values.shape}; pass the names of files (n,), such as a column of a table"
        ) from None
