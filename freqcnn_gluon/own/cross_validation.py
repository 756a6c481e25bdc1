"""Cross-validation on labelled recordings: every clip is predicted by a model that was not trained on it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, splits
from data_prep.base.cores import cores
from data_prep.base.faults import Faults, note, of_each
from data_prep.base.files import locked, whole
from data_prep.base.processes import apart
from data_prep.base.progress import Bar
from data_prep.corpora import own
from freqcnn_gluon.devices import choose
from freqcnn_gluon.own.about import ABOUT, CLIPS, MAJORITY, REPORT, SVM
from freqcnn_gluon.own.division import validated
from freqcnn_gluon.own.fit import advice, checked_settings, diverged, fit_divided
from freqcnn_gluon.own.predict import write
from freqcnn_gluon.own.preparation import prepare
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.own.report.page import write_page
from freqcnn_gluon.own.scores import score_columns
from freqcnn_gluon.runtime import child_environment, start

__all__ = ["cross_validate", "fold_numbers"]

PREDICTIONS = "predictions.csv"
SPEAKER = "speaker"  # instead of a number of folds: leave one speaker out


@dataclass(frozen=True)
class _Folds:
    """The trainings of a cross-validation.

    Attributes:
        frame: The manifest.
        numbers: The fold of each clip (n,), from 1.
        root: The folder that contains the manifest's paths.
        split: The description of the division.
        out: The folder of the results.
        recipe: The settings of each training.
        settings: All settings, for the reports.
    """

    frame: pd.DataFrame
    numbers: np.ndarray
    root: Path
    split: str
    out: Path
    recipe: Recipe
    settings: dict

    @property
    def count(self) -> int:
        """The number of folds."""
        return int(self.numbers.max())

    @property
    def images(self) -> Path:
        """The folder for spectrograms, which all folds share."""
        return self.out / "work"

    def folder(self, number: int) -> Path:
        """Return the folder of a fold's model."""
        return self.out / f"fold-{number}"

    def divided(self, number: int) -> tuple[pd.DataFrame, str]:
        """Return the manifest with the partitions of a fold, and their description."""
        partition = np.where(self.numbers == number, "test", "train")
        frame = self.frame.assign(partition=partition)
        return validated(frame, self.split, self.settings["validation_share"], self.recipe.seed)

    def train(self, number: int, device: str, jobs: int | None) -> None:
        """Train and test the model of a fold, unless it is finished."""
        frame, split = self.divided(number)
        arguments = self.folder(number), self.recipe, self.settings, device, jobs
        fit_divided(frame, self.root, split, *arguments, images=self.images)

    def train_quietly(self, number: int) -> None:
        """Train the model of a fold on the CPU, in a process beside those of other folds."""
        Bar.set_lock(threading.RLock())  # tqdm's own is a semaphore, which a killed process does not release
        # What it prints would mix with the lines of the other processes. Notes on the data are printed by
        # the process that prepares it, and notes on the training are in the fold's report.
        with open(os.devnull, "w") as unseen, contextlib.redirect_stderr(unseen):
            self.train(number, "cpu", 1)

    def held_out(self, number: int) -> pd.DataFrame:
        """Return the held-out clips of a finished fold with their predictions and the column ``fold``."""
        text = dict.fromkeys(
            ("clip", "path", "label", "speaker", "text", "partition", "predicted", SVM, MAJORITY), str
        )
        clips = pd.read_csv(self.folder(number) / CLIPS, dtype=text, keep_default_na=False)
        clips = clips[clips["partition"] == "test"]
        return clips.drop(columns="partition").assign(fold=number)

    def report(self, number: int) -> dict:
        """Return the report of a finished fold."""
        return json.loads((self.folder(number) / REPORT).read_text(encoding="utf-8"))


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

    On a CPU, networks are trained in ``jobs`` processes at a time. Each process computes with one thread, so
    the results do not depend on ``jobs``. On GPUs, and for the baseline, folds take turns in this process.

    Args:
        source: A folder or a CSV file, see ``corpora.own.scan``.
        out: The folder of the results: ``fold-1`` and so on, each as ``fit`` writes it, ``predictions.csv``
            with each clip's held-out prediction, ``report.json`` and ``report.html``.
        folds: The number of folds, or 'speaker' to leave one speaker out at a time.
        recipe: The settings of each training.
        device: See ``fit.fit``.
        jobs: The number of folds to train at a time on a CPU, and of processes that read audio; None for one
            per core.
        validation_share: The share of each fold's training clips for validation.
        system: 'freqcnn' or 'svm'.

    Returns:
        The content of report.json: ``recipe``, ``split``, ``labels``, ``folds`` (for each fold, ``metrics``,
        ``intervals`` and ``baselines``, the number of ``clips`` and the ``speakers`` that were held out), the
        pooled ``metrics``, ``intervals`` and ``baselines`` of ``scores.score_columns``, ``versions``,
        ``finished`` and ``training_seconds``.

    Raises:
        Faults: The data has faults, it cannot be divided, or ``out`` holds results of other data or settings.
    """
    out, scan = Path(out), own.scan(source)
    for sentence in scan.notes:
        note(sentence)
    settings = {**checked_settings(recipe, system, validation_share, device), "folds": folds}
    frame = scan.manifest
    if frame["partition"].any():
        note(f"note: {source}: its partitions are ignored, because every clip is tested once.")
    numbers, split = fold_numbers(frame, folds, recipe.seed)
    plan = _Folds(frame, numbers, scan.root, split, out, recipe, settings)
    start()  # otherwise MXNet would start when this process ends, and print a line
    with locked(plan.images, "cross-validates here"):
        if system == SVM or choose(device)[0] != "cpu":
            for number in range(1, plan.count + 1):
                note(f"fold {number} of {plan.count}")
                plan.train(number, device, jobs)
        else:
            _train_at_once(plan, jobs)
        _note_short(plan)
        report = _pool(plan)
        shutil.rmtree(plan.images, ignore_errors=True)  # another process may wait for the lock in it
    return report


def _train_at_once(plan: _Folds, jobs: int | None) -> None:
    """Train the networks of the folds in several processes, each with one thread."""
    folds = range(1, plan.count + 1)
    finished = [number for number in folds if (plan.folder(number) / ABOUT).exists()]
    unfinished = sorted({*folds} - {*finished})
    of_each(lambda number: plan.train(number, "cpu", jobs), finished)  # checks that they are the same
    if not unfinished:
        return
    # This process prints the data's faults and notes once, and makes the spectrograms.
    frame, _ = plan.divided(unfinished[0])
    prepare(frame, plan.root, plan.images, plan.recipe.images, plan.recipe.window, jobs)
    variables = {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    bar = Bar(total=len(folds), initial=len(finished), desc="folds", unit="fold", dynamic_ncols=True)
    with child_environment(variables):
        apart(plan.train_quietly, unfinished, jobs or cores(), bar.update)
    bar.close()
    for number in unfinished:
        report = plan.report(number)
        if diverged(loss := report["history"][-1]["loss"], len(report["labels"])):
            note(f"fold {number}: the training diverged: its loss is {loss:.3g}; use a smaller learning rate")


def _note_short(plan: _Folds) -> None:
    """Say which trainings were too short."""
    for number in range(1, plan.count + 1):
        report = plan.report(number)
        clips, classes = report["clips"]["train"], len(report["labels"])
        for last in report["history"][-1:]:  # an SVM has no epochs
            if sentence := advice(last, clips, classes, plan.recipe.batch_size):
                note(f"note: fold {number}: {sentence}")


def fold_numbers(frame: pd.DataFrame, folds: int | str, seed: int) -> tuple[np.ndarray, str]:
    """Divide clips into folds with scikit-learn's splitters, whole speakers where that is possible.

    Args:
        frame: The manifest.
        folds: The number of folds, 2 or more, or 'speaker'.
        seed: The seed of the draw.

    Returns:
        The fold of each clip (n,), from 1, and a sentence that describes the division.

    Raises:
        Faults: ``folds`` is something else, a label has fewer clips than needed, or clips name no speaker
            and ``folds`` is 'speaker'.
    """
    labels, speakers, paths = frame["label"], frame["speaker"], frame["path"]
    faults = splits.label_faults(labels)
    if folds != SPEAKER and not (isinstance(folds, Integral) and folds >= 2):
        faults.append(f"folds: {folds!r} is not a whole number of 2 or more, or {SPEAKER!r}")
    if folds == SPEAKER and (speakers == "").any():
        nameless = frame["clip"][speakers == ""]
        faults.append(f"{len(nameless)} clips name no speaker, such as {nameless.iloc[0]!r}; name them")
    if faults:
        raise Faults(faults)
    if folds == SPEAKER:
        numbers = splits.group_folds(labels, speakers, None, seed)
        if numbers is None:
            raise Faults("a label has only one speaker, so that no speaker can be left out; give --folds 5")
        return numbers, f"Each of {numbers.max()} speakers was left out once."
    reason = "the data does not name speakers"
    if (speakers != "").any():
        numbers = splits.group_folds(labels, splits.voices(speakers, paths), int(folds), seed)
        if numbers is not None:
            return numbers, f"Whole speakers were divided into {numbers.max()} folds."
        reason = f"speakers cannot be divided into {folds} folds with every label in each training"
    if paths.duplicated().any():
        numbers = splits.group_folds(labels, paths, int(folds), seed)
        if numbers is not None:
            return numbers, f"Whole files were divided into {numbers.max()} folds, because {reason}."
    clips = pd.Series(np.arange(len(frame)), frame.index)
    numbers = splits.group_folds(labels, clips, int(folds), seed)
    if numbers is None:
        raise Faults(f"{len(frame)} clips cannot be divided into {folds} folds; give fewer folds")
    return numbers, f"Clips were divided into {numbers.max()} folds, because {reason}."


def _pool(plan: _Folds) -> dict:
    """Pool the finished folds, write predictions.csv, report.json and report.html, and return the report."""
    parts, reports = zip(*((plan.held_out(n), plan.report(n)) for n in range(1, plan.count + 1)))
    predictions = pd.concat(parts, ignore_index=True)
    labels = sorted(set(predictions["label"]))
    with whole(plan.out / PREDICTIONS) as path:
        write(predictions, path)
    report = {
        "recipe": plan.settings,
        "split": plan.split,
        "labels": labels,
        **score_columns(predictions, labels),
        "folds": [
            {
                **score_columns(part, labels),
                "clips": len(part),
                "speakers": sorted(set(part["speaker"]) - {""}),
            }
            for part in parts
        ],
        "versions": reports[0]["versions"],
        "finished": max(report["finished"] for report in reports),
        "training_seconds": round(sum(report["training_seconds"] for report in reports), 1),
    }
    with whole(plan.out / REPORT) as path:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    tested = plan.frame.set_index("clip", drop=False).loc[predictions["clip"]]
    write_page(plan.out, report, predictions.assign(partition="test"), manifest.clips(tested, plan.root))
    return report
