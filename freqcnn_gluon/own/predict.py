"""What a trained network says of recordings: a stream of them, or labelled ones to be held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from data_prep import manifest, splits, store
from data_prep.base.faults import Faults, note
from data_prep.base.processes import pool
from data_prep.base.progress import Bar
from data_prep.corpora import own
from data_prep.manifest import Clip
from data_prep.sound import audio
from data_prep.windows import Window, windows
from freqcnn_gluon.own.about import About
from freqcnn_gluon.training.metrics import metrics

__all__ = ["Evaluation", "Part", "Prediction", "Recogniser", "evaluate", "predictions", "write"]

BATCH = 16  # windows that go through the network at a time


class Recogniser(Protocol):
    """A trained network, whatever runs it: ``model.Model`` or ``onnx_model.OnnxModel``."""

    about: About

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size)."""


@dataclass(frozen=True)
class Part:
    """A window of a recording, ``start`` to ``stop`` in s; ``probabilities`` (classes,), None if silent."""

    start: float
    stop: float
    probabilities: np.ndarray | None


@dataclass(frozen=True)
class Prediction:
    """Of a recording: its ``label``, and ``probabilities`` (classes,), the mean of those of its ``parts``."""

    label: str
    probabilities: np.ndarray
    parts: tuple[Part, ...]


def predictions(
    model: Recogniser, recordings: Path | str | Sequence[Path | str | Clip], jobs: int | None = None
) -> Iterator[Prediction | Faults]:
    """What ``model`` says of each of the ``recordings``, in their order, or why it cannot; as they are done.

    Each, or the only one, is a file, or a file with the start and stop in s of what is meant. One that is
    longer than any that the network was trained on is cut into windows (``data_prep.windows``). ``jobs``:
    processes that read and compute spectrograms (default: one a core).
    """
    about = model.about
    recordings = [recordings] if isinstance(recordings, (Path, str)) else recordings
    clips = [each if isinstance(each, tuple) else (Path(each), None, None) for each in recordings]
    with pool(jobs) as stream:
        found = windows(clips, about.images, about.median, about.longest, stream)
        for number, parts in groupby(_through(model, found), key=lambda each: each[0]):
            yield _joined(about.labels, clips[number][0], [part for _, part in parts])


def _through(
    model: Recogniser, found: Iterable[tuple[int, Window | Faults]]
) -> Iterator[tuple[int, Part | Faults]]:
    """The windows in the network's eyes; BATCH of them at a time, whichever recordings they are of."""
    waiting: list[tuple[int, Window | Faults]] = []
    images: list[np.ndarray] = []

    def done() -> Iterator[tuple[int, Part | Faults]]:
        rows = iter(model.probabilities(np.stack(images)) if images else ())
        for number, each in waiting:
            if isinstance(each, Window):
                each = Part(each.start, each.stop, None if each.image is None else next(rows))
            yield number, each

    for number, each in found:
        waiting.append((number, each))
        if isinstance(each, Window) and each.image is not None:
            images.append(each.image)
        if len(images) == BATCH:
            yield from done()
            waiting, images = [], []
    yield from done()


def _joined(labels: Sequence[str], path: Path, parts: Sequence[Part | Faults]) -> Prediction | Faults:
    """One recording's windows as what is said of it."""
    if broken := [each for each in parts if isinstance(each, Faults)]:
        return broken[0]
    heard = [part.probabilities for part in parts if part.probabilities is not None]
    if not heard:
        return audio.Silence(f"{path}: is silent; replace it or leave it out")
    mean = np.mean(heard, axis=0)
    return Prediction(labels[int(mean.argmax())], mean, tuple(parts))


@dataclass(frozen=True)
class Evaluation:
    """``clips``: the manifest's rows with a column ``predicted`` and one of the probability of each label, in
    their order. ``metrics``: of ``metrics.metrics``. ``known``: how many clips of the data were left out,
    since the network was trained on what is in them.
    """

    clips: pd.DataFrame
    metrics: dict
    known: int


def write(clips: pd.DataFrame, path: Path) -> None:
    """The ``clips`` of a manifest and what was said of each, as CSV: numbers to six digits, times exactly."""
    clips.astype({"start": object, "stop": object}).to_csv(path, index=False, float_format="%.6g")


def evaluate(
    model: Recogniser, source: Path | str, trained_on: pd.DataFrame | None = None, jobs: int | None = None
) -> Evaluation:
    """How right ``model`` is about labelled recordings, see ``data_prep.corpora.own.scan``.

    ``trained_on``: of ``about.trained_on``, if known; such clips, and what overlaps them, do not count.
    Raises Faults for labels that the model does not know, for every clip that cannot be read, and where no
    clip is left.
    """
    labels, found = model.about.labels, own.scan(source)
    frame = found.manifest
    for each in found.notes:
        note(each)
    if strange := sorted(set(frame["label"]) - set(labels)):
        raise Faults(
            f"{source}: has the labels {', '.join(strange)}, which the model does not know; it tells apart "
            f"{', '.join(labels)}"
        )
    if trained_on is not None:
        clips = manifest.clips(frame, found.root)
        keys = store.content_keys(clips, model.about.images, jobs)
        files = store.file_hashes([path for path, *_ in clips], jobs)
        heard = splits.overlapping(frame.assign(file=files), trained_on) >= 0
        frame = frame[~heard & ~np.isin(keys, trained_on["key"])]
    if frame.empty:
        raise Faults(
            f"{source}: the model was trained on every clip of it; give recordings that it never heard"
        )
    answers = list(
        Bar(
            predictions(model, manifest.clips(frame, found.root), jobs), "evaluating", len(frame), unit="clip"
        )
    )
    if broken := [fault for each in answers if isinstance(each, Faults) for fault in each.faults]:
        raise Faults(dict.fromkeys(broken))
    probabilities = np.stack([each.probabilities for each in answers])
    predicted = probabilities.argmax(axis=1)
    numbers = frame["label"].map({label: number for number, label in enumerate(labels)}).to_numpy()
    said = frame.assign(predicted=np.array(labels)[predicted])
    said[[f"p({label})" for label in labels]] = probabilities
    return Evaluation(said, metrics(numbers, predicted, len(labels)), len(found.manifest) - len(frame))
