"""Measure a trained model and the baselines on the held-out clips, and write each clip's prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from data_prep.manifest import Clip
from freqcnn_gluon.own.about import BASELINE, CLIPS, MAJORITY, SVM
from freqcnn_gluon.own.model import CHUNK, Model
from freqcnn_gluon.own.predict import Recogniser, predictions, write
from freqcnn_gluon.own.preparation import Data
from freqcnn_gluon.own.scores import score_columns
from freqcnn_gluon.own.svm import Svm
from freqcnn_gluon.training.loop import predict

__all__ = ["write_results"]


def write_results(
    data: Data, model: Model | Svm, svm: Svm, out: Path, jobs: int | None = None
) -> tuple[dict, pd.DataFrame]:
    """Predict the held-out clips, and write the clips and the baseline below ``out``.

    Args:
        data: The clips of the training.
        model: The trained model: a network, or ``svm`` itself.
        svm: The baseline that was trained on the same clips.
        out: The model's folder.
        jobs: The number of processes that read audio, None for one per core.

    Returns:
        The scores: ``metrics`` and ``intervals`` of the model, see ``scores.scored``, and ``baselines``: the
        same of 'svm', unless it is the model, and of 'majority', which always predicts the most frequent
        label of the training; nothing if no clip is held out. And the frame of clips.csv.
    """
    trained, tested = data.part("train"), data.part("test")
    of_svm = _predict(svm, data.clips_of(tested), jobs)
    most_frequent = np.bincount(data.numbers[trained]).argmax()
    frame = data.frame.copy()
    frame.loc[tested, MAJORITY] = data.labels[most_frequent]
    if isinstance(model, Svm):
        frame = _with_predictions(frame, tested, data.labels, of_svm)
    else:
        baseline = _with_predictions(frame, tested, data.labels, of_svm)
        svm.save(out / BASELINE)
        with whole(out / BASELINE / CLIPS) as path:
            write(baseline, path)
        frame[SVM] = baseline["predicted"]
        probabilities = _predict_images(model, data, tested, jobs)
        frame = _with_predictions(frame, tested, data.labels, probabilities)
    with whole(out / CLIPS) as path:
        write(frame, path)
    return score_columns(frame[tested], data.labels) if tested.any() else {}, frame


def _with_predictions(
    frame: pd.DataFrame, tested: np.ndarray, labels: tuple[str, ...], probabilities: np.ndarray
) -> pd.DataFrame:
    """Return the clips with the predictions of the ``tested`` ones, a mask (n,)."""
    frame = frame.copy()
    frame.loc[tested, "predicted"] = np.array(labels)[probabilities.argmax(axis=1)]
    frame.loc[tested, [f"p({label})" for label in labels]] = probabilities
    return frame


def _predict(model: Recogniser, clips: list[Clip], jobs: int | None) -> np.ndarray:
    """Return the probabilities (n, classes) of clips, of which long ones are cut into windows."""
    results = [np.empty((0, len(model.about.labels)))]
    for prediction in predictions(model, clips, jobs):
        if isinstance(prediction, Faults):
            raise prediction
        results.append(prediction.probabilities[None])
    return np.concatenate(results)


def _predict_images(model: Model, data: Data, tested: np.ndarray, jobs: int | None) -> np.ndarray:
    """Return a network's probabilities (n, classes) of the ``tested`` clips, a mask.

    It uses the spectrograms of the training, except for long clips, which are cut into windows as in
    ``evaluate``.
    """
    if not tested.any():
        return np.empty((0, len(data.labels)))
    probabilities = predict(model.net, data.examples(tested), model.devices, CHUNK)
    long = data.seconds > model.about.longest
    if (tested & long).any():
        probabilities[long[tested]] = _predict(model, data.clips_of(tested & long), jobs)
    return probabilities
