"""Apply a trained network to recordings: predict their labels, or evaluate it on labelled ones."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from data_prep import manifest, splits, store
from data_prep.base.faults import Faults, note
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.corpora import own
from data_prep.manifest import Clip
from data_prep.sound import audio
from data_prep.sound.contents import contents
from data_prep.sound.spectrogram import ImageSettings, image
from data_prep.windows import Window, windows
from freqcnn_gluon.own.about import MAJORITY, SVM, About
from freqcnn_gluon.own.scores import score_columns

__all__ = [
    "BadInput",
    "Evaluation",
    "Part",
    "Prediction",
    "Recogniser",
    "checked_images",
    "evaluate",
    "predictions",
    "write",
]

BATCH = 16  # windows that the network computes at a time


class BadInput(Faults, ValueError):
    """An argument that cannot be used. It is also a ValueError, as scikit-learn and other callers expect."""


class Recogniser(Protocol):
    """A trained model in any runtime: ``model.Model``, ``onnx_model.OnnxModel`` or ``svm.Svm``.

    Attributes:
        about: The model's description.
        takes: What ``probabilities`` takes, 'image' or 'waveform'.
    """

    about: About
    takes: str

    def probabilities(self, inputs: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Compute the probabilities (n, classes) of images (n, size, size), or of n waveforms (samples,)."""


def waveform(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Return ``samples`` (n,) at ``settings.rate`` as the input of a model that takes waveforms."""
    return samples.astype(np.float32)


def checked_images(images: np.ndarray | Sequence[np.ndarray], size: int) -> np.ndarray:
    """Return ``images`` (n, size, size) as float32.

    Raises:
        BadInput: They have another shape, or values that are not finite real numbers.
    """
    values = np.asarray(images)
    if values.dtype.kind not in "fiub":
        raise BadInput(f"the images have values of the type {values.dtype}; they must be real numbers")
    if values.shape != (len(values) if values.ndim else 0, size, size) or not len(values):
        raise BadInput(
            f"the images have the shape {values.shape}, not (n, {size}, {size}) with n of 1 or more; make "
            f"them with spectrograms(files, {size}), or use a model of their size"
        )
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are reported below
        values = values.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise BadInput("the images have values that are not finite (NaN or infinity); make them again")
    return values


@dataclass(frozen=True)
class Part:
    """A window of a recording.

    Attributes:
        start: The window's start in s.
        stop: The window's end in s.
        probabilities: The labels' probabilities (classes,), None if the window is silent.
    """

    start: float
    stop: float
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Prediction:
    """The prediction for a recording.

    Attributes:
        label: The most likely label.
        probabilities: The labels' probabilities (classes,), the mean over the windows that are not silent.
        parts: The windows. A recording that is not cut has one.
    """

    label: str
    probabilities: np.ndarray
    parts: tuple[Part, ...]


def predictions(
    model: Recogniser, recordings: Path | str | Sequence[Path | str | Clip], jobs: int | None = None
) -> Iterator[Prediction | Faults]:
    """Predict the labels of recordings, in their order.

    A recording that is longer than every training clip is cut into windows (``data_prep.windows``).

    Args:
        model: The trained network.
        recordings: A file or a sequence of files. A tuple (file, start, stop) with times in s stands for a
            part of a file. Sound in memory must be written to a file first.
        jobs: The number of processes that read audio, None for one per core.

    Returns:
        An iterator that yields the prediction, or the faults of a recording that cannot be read.

    Raises:
        BadInput: A recording is not a file, or a time is not valid. The call itself raises this.
    """
    return _predictions(model, _clips(recordings), jobs)


def _clips(recordings: Any) -> list[Clip]:
    """Check the recordings and return them as clips."""
    one = isinstance(recordings, (bytes, os.PathLike, str)) or hasattr(recordings, "read")
    clips: list[Clip] = []
    faults = []
    for item in [recordings] if one else recordings:
        path, start, stop = item if isinstance(item, tuple) and len(item) == 3 else (item, None, None)
        if not isinstance(path, (os.PathLike, str)):
            kind = type(path).__name__
            faults.append(f"a recording is {kind}, not the path of a file; write the sound to a file first")
            continue
        fault = None
        for name, time in (("start", start), ("stop", stop)):
            if time is not None and not (isinstance(time, Real) and 0 <= float(time) < math.inf):
                fault = f"{path}: its {name} is {time!r}; give seconds of 0 or more, or None"
        if not fault and stop is not None and stop <= (start or 0):
            fault = f"{path}: its stop {stop} s is not after its start {start or 0} s; give a later stop"
        if fault:
            faults.append(fault)
        clips.append((Path(path), start, stop))
    if faults:
        raise BadInput(faults)
    return clips


def _predictions(model: Recogniser, clips: Sequence[Clip], jobs: int | None) -> Iterator[Prediction | Faults]:
    """Yield the predictions for the clips."""
    about = model.about
    with pool(jobs) as stream:
        convert = waveform if model.takes == "waveform" else image
        cut = windows(clips, about.images, about.median, about.longest, stream, about.lowest_rate, convert)
        for index, parts in groupby(_apply(model, cut), key=lambda pair: pair[0]):
            yield _join(about.labels, clips[index][0], [part for _, part in parts])


def _apply(
    model: Recogniser, windows: Iterable[tuple[int, Window | Faults]]
) -> Iterator[tuple[int, Part | Faults]]:
    """Apply the network to BATCH windows at a time, which may belong to several recordings."""
    waiting: list[tuple[int, Window | Faults]] = []
    inputs: list[np.ndarray] = []

    def flush() -> Iterator[tuple[int, Part | Faults]]:
        rows = iter(model.probabilities(inputs) if inputs else ())
        for index, window in waiting:
            if isinstance(window, Faults):
                yield index, window
            else:
                yield index, Part(window.start, window.stop, None if window.input is None else next(rows))

    for index, window in windows:
        waiting.append((index, window))
        if isinstance(window, Window) and window.input is not None:
            inputs.append(window.input)
        if len(inputs) == BATCH:
            yield from flush()
            waiting, inputs = [], []
    yield from flush()


def _join(labels: Sequence[str], path: Path, results: Sequence[Part | Faults]) -> Prediction | Faults:
    """Combine the windows of one recording into its prediction."""
    parts = []
    for result in results:
        if isinstance(result, Faults):
            return result
        parts.append(result)
    audible = [part.probabilities for part in parts if part.probabilities is not None]
    if not audible:
        return audio.Silence(f"{path}: is silent; replace it or leave it out")
    mean = np.mean(audible, axis=0)
    return Prediction(labels[int(mean.argmax())], mean, tuple(parts))


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        clips: The evaluated rows of the manifest, with the column ``predicted`` and a column ``p(label)`` for
            the probability of each label, and the labels that the baselines predict.
        recordings: The file, start and stop in s of each row of ``clips``.
        scores: ``metrics``, ``intervals`` and ``baselines``, see ``scores.score_columns``.
        skipped: The number of clips that are left out, because the network was trained on their sound.
    """

    clips: pd.DataFrame
    recordings: Sequence[Clip]
    scores: dict
    skipped: int

    @property
    def metrics(self) -> dict:
        """The metrics of ``training.metrics.metrics``."""
        return self.scores["metrics"]


def write(clips: pd.DataFrame, path: Path) -> None:
    """Write the clips of a manifest and their predictions as CSV.

    Times are written exactly, because rounded times could make adjacent cuts overlap. Other numbers get six
    digits.
    """
    clips.astype({"start": object, "stop": object}).to_csv(path, index=False, float_format="%.6g")


def evaluate(
    model: Recogniser,
    source: Path | str,
    trained_on: pd.DataFrame | None = None,
    jobs: int | None = None,
    baseline: Recogniser | None = None,
) -> Evaluation:
    """Evaluate a network on labelled recordings.

    Args:
        model: The trained network.
        source: A folder or a CSV file, see ``data_prep.corpora.own.scan``.
        trained_on: The training clips, from ``about.trained_on``. These clips, and clips that overlap them,
            are skipped. None if they are unknown.
        jobs: The number of processes that read audio, None for one per core.
        baseline: The baseline to compare with, which was trained on the same clips. The most frequent label
            of ``trained_on`` is a second baseline.

    Raises:
        Faults: The data has labels that the model does not know, clips cannot be read, or no clip is left.
    """
    labels, scan = model.about.labels, own.scan(source)
    frame = scan.manifest
    for sentence in scan.notes:
        note(sentence)
    if unknown := sorted(set(frame["label"]) - set(labels)):
        raise Faults(
            f"{source}: has the labels {', '.join(unknown)}, which the model does not know; its labels are "
            f"{', '.join(labels)}"
        )
    if trained_on is not None:
        frame = frame[~_known(frame, scan.root, trained_on, model, jobs)]
    if frame.empty:
        raise Faults(f"{source}: the model was trained on every clip in it; evaluate it on other recordings")
    clips = manifest.clips(frame, scan.root)
    probabilities = _all(model, clips, "evaluating", jobs)
    evaluated = frame.assign(predicted=np.array(labels)[probabilities.argmax(axis=1)])
    evaluated[[f"p({label})" for label in labels]] = probabilities
    if baseline:
        evaluated[SVM] = np.array(labels)[_all(baseline, clips, "baseline", jobs).argmax(axis=1)]
    if trained_on is not None and len(trained_on):
        evaluated[MAJORITY] = trained_on["label"].mode()[0]
    scores, skipped = score_columns(evaluated, labels), len(scan.manifest) - len(frame)
    return Evaluation(evaluated, clips, scores, skipped)


def _all(model: Recogniser, clips: Sequence[Clip], title: str, jobs: int | None) -> np.ndarray:
    """Return the probabilities (n, classes) of all clips, or raise the faults of all clips."""
    results = list(Bar(predictions(model, clips, jobs), title, len(clips), unit="clip"))
    predicted = [result for result in results if isinstance(result, Prediction)]
    if len(predicted) < len(results):
        faults = [fault for result in results if isinstance(result, Faults) for fault in result.faults]
        raise Faults(dict.fromkeys(faults))
    return np.stack([prediction.probabilities for prediction in predicted])


def _known(
    frame: pd.DataFrame, root: Path, trained_on: pd.DataFrame, model: Recogniser, jobs: int | None
) -> np.ndarray:
    """Mark the clips (n,) with sound that the network was trained on."""
    clips = manifest.clips(frame, root)
    keys = store.content_keys(clips, model.about.images, jobs)
    hashed = contents([path for path, *_ in clips], jobs)
    known = np.isin(keys, trained_on["key"])
    for name in ("file", "sound"):  # a copy in another lossless format has the same sound
        ours = frame.assign(file=[getattr(content, name) for content in hashed])
        known |= splits.overlapping(ours, trained_on.assign(file=trained_on[name])) >= 0
    return known
