"""Cross-validation on labelled recordings: every clip is predicted by a model that was not trained on it."""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import splits
from data_prep.base.faults import Faults, note
from data_prep.base.files import locked, whole
from data_prep.corpora import own
from freqcnn_gluon.own.about import CLIPS, REPORT
from freqcnn_gluon.own.division import validated
from freqcnn_gluon.own.fit import checked_settings, fit_divided
from freqcnn_gluon.own.predict import write
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.own.scores import score_columns

__all__ = ["cross_validate", "fold_numbers"]

PREDICTIONS = "predictions.csv"
SPEAKER = "speaker"  # instead of a number of folds: leave one speaker out


def cross_validate(
    source: Path | str,
    out: Path | str,
    folds: int | str = 5,
    recipe: Recipe = Recipe(),
    device: str = "auto",
    jobs: int | None = None,
    validation_share: float = 0.0,
    system: str = "freqcnn",
) -> dict:
    """Train and test a model for each fold, and pool the predictions of all clips.

    The partitions that the data states are ignored. The same call resumes an interrupted cross-validation;
    finished folds are not repeated.

    Args:
        source: A folder or a CSV file, see ``corpora.own.scan``.
        out: The folder of the results: ``fold-1`` and so on, each as ``fit`` writes it, ``predictions.csv``
            with each clip's held-out prediction, and ``report.json``.
        folds: The number of folds, or 'speaker' to leave one speaker out at a time.
        recipe: The settings of each training.
        device: See ``fit.fit``, also for the next three.
        jobs: The number of processes that read audio.
        validation_share: The share of each fold's training clips for validation.
        system: 'freqcnn' or 'svm'.

    Returns:
        The content of report.json: ``recipe``, ``split``, ``labels``, ``folds`` (for each fold, ``metrics``,
        the number of ``clips`` and the ``speakers`` that were held out), and the pooled ``metrics``,
        ``intervals`` and ``baselines`` of ``scores.score_columns``.

    Raises:
        Faults: The data has faults, it cannot be divided, or ``out`` holds results of other data or settings.
    """
    out, scan = Path(out), own.scan(source)
    for sentence in scan.notes:
        note(sentence)
    settings = checked_settings(recipe, system, validation_share, device)
    settings["folds"] = folds
    frame = scan.manifest
    if frame["partition"].any():
        note(f"note: {source}: its partitions are ignored, because every clip is tested once.")
    numbers, split = fold_numbers(frame, folds, recipe.seed)
    parts = []
    with locked(out / "work", "cross-validates here"):
        for number in range(1, numbers.max() + 1):
            note(f"fold {number} of {numbers.max()}")
            tested = numbers == number
            divided = frame.assign(partition=np.where(tested, "test", "train"))
            divided, sentence = validated(divided, split, validation_share, recipe.seed)
            folder, images = out / f"fold-{number}", out / "work"
            fit_divided(divided, scan.root, sentence, folder, recipe, settings, device, jobs, images=images)
            parts.append(_held_out(folder, number))
        report = {"recipe": settings, "split": split, **_pool(parts, out)}
        with whole(out / REPORT) as path:
            path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(out / "work", ignore_errors=True)  # another process may wait for the lock in it
    return report


def fold_numbers(frame: pd.DataFrame, folds: int | str, seed: int) -> tuple[np.ndarray, str]:
    """Divide clips into folds with scikit-learn's splitters, whole speakers where that is possible.

    Args:
        frame: The manifest.
        folds: The number of folds, 2 or more, or 'speaker'.
        seed: The seed of the draw.

    Returns:
        The fold of each clip (n,), from 1, and a sentence that describes the division.

    Raises:
        Faults: A label has fewer clips than needed, or clips name no speaker and ``folds`` is 'speaker'.
    """
    labels, speakers, paths = frame["label"], frame["speaker"], frame["path"]
    counts = labels.value_counts()
    faults = [f"label {label!r} has one clip; it needs two or more" for label in counts[counts < 2].index]
    if len(counts) < 2:
        faults.append(f"there is one label, {counts.index[0]}; give two or more")
    if folds == SPEAKER and (speakers == "").any():
        nameless = frame["clip"][speakers == ""]
        faults.append(f"{len(nameless)} clips name no speaker, such as {nameless.iloc[0]!r}; name them")
    if faults:
        raise Faults(faults)
    if folds == SPEAKER:
        numbers = _split(labels, speakers, None, seed)
        if numbers is None:
            raise Faults("a label has only one speaker, so that no speaker can be left out; give --folds 5")
        return numbers, f"Each of {numbers.max()} speakers was left out once."
    reason = "the data does not name speakers"
    if (speakers != "").any():
        numbers = _split(labels, splits.voices(speakers, paths), int(folds), seed)
        if numbers is not None:
            return numbers, f"Whole speakers were divided into {numbers.max()} folds."
        reason = f"speakers cannot be divided into {folds} folds with every label in each training"
    if paths.duplicated().any():
        numbers = _split(labels, paths, int(folds), seed)
        if numbers is not None:
            return numbers, f"Whole files were divided into {numbers.max()} folds, because {reason}."
    clips = pd.Series(np.arange(len(frame)), frame.index)
    numbers = _split(labels, clips, int(folds), seed)
    if numbers is None:
        raise Faults(f"{len(frame)} clips cannot be divided into {folds} folds; give fewer folds")
    return numbers, f"Clips were divided into {numbers.max()} folds, because {reason}."


def _split(labels: pd.Series, groups: pd.Series, folds: int | None, seed: int) -> np.ndarray | None:
    """Return the fold (n,) of each clip, with whole groups in a fold; None if a training lacks a label.

    Args:
        labels: The clips' labels (n,).
        groups: The clips' groups (n,).
        folds: The number of folds; None for one for each group.
        seed: The seed of the draw.
    """
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedGroupKFold

    # Groups of equal size are assigned in the order of their names, so permuted names make another draw.
    # StratifiedGroupKFold's own shuffling mixes up groups in scikit-learn 1.7.
    names = groups.drop_duplicates().sort_values()
    drawn = groups.map(dict(zip(names, np.random.default_rng(seed).permutation(len(names)))))
    if len(names) < (folds or 2) or (folds and folds > labels.value_counts().max()):
        return None
    splitter = StratifiedGroupKFold(folds) if folds else LeaveOneGroupOut()
    numbers = np.zeros(len(labels), int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about rare labels, which are checked here
        parts = splitter.split(labels, labels, drawn if folds else groups)
        for number, (train, test) in enumerate(parts, 1):
            if labels.iloc[train].nunique() < labels.nunique() or not len(test):
                return None
            numbers[test] = number
    return numbers


def _pool(parts: list[pd.DataFrame], out: Path) -> dict:
    """Write the predictions of all folds to ``out``, and return their scores for the report."""
    predictions = pd.concat(parts, ignore_index=True)
    labels = sorted(set(predictions["label"]))
    with whole(out / PREDICTIONS) as path:
        write(predictions, path)
    folds = [
        {
            "metrics": score_columns(part, labels)["metrics"],
            "clips": len(part),
            "speakers": sorted(set(part["speaker"]) - {""}),
        }
        for part in parts
    ]
    return {"labels": labels, **score_columns(predictions, labels), "folds": folds}


def _held_out(folder: Path, number: int) -> pd.DataFrame:
    """Return the held-out clips of a finished fold with their predictions and the column ``fold``."""
    text = dict.fromkeys(("clip", "path", "label", "speaker", "text", "partition", "predicted", "svm"), str)
    clips = pd.read_csv(folder / CLIPS, dtype={**text, "majority": str}, keep_default_na=False)
    clips = clips[clips["partition"] == "test"]
    return clips.drop(columns="partition").assign(fold=number)
