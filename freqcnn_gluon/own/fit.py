"""Train a model on labelled recordings: split, spectrograms, training, evaluation of the held-out clips."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import Faults, note
from data_prep.base.files import locked, whole
from data_prep.corpora import own
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import choose
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.own.about import ABOUT, CLIPS, REPORT, SVM, About
from freqcnn_gluon.own.cutting import cut, windows_of
from freqcnn_gluon.own.division import NAMES, divide
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.preparation import Data, prepare
from freqcnn_gluon.own.recipe import Recipe
from freqcnn_gluon.own.report.page import write_page
from freqcnn_gluon.own.results import write_results
from freqcnn_gluon.own.svm import Svm, train_svm
from freqcnn_gluon.training.batches import too_short
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Outcome, train
from freqcnn_gluon.training.memory import micro_batch
from freqcnn_gluon.training.settings import Settings

__all__ = ["advice", "checked_settings", "diverged", "fit", "fit_divided", "learn"]

DIVERGED = 2  # a training has failed if its loss is above this multiple of log(classes), the loss of guessing
LOW = 0.8  # accuracy of the training clips below which a network has not learnt even these
SYSTEMS = ("freqcnn", SVM)
# Settings in reports of earlier versions, which lack them
EARLIER = {
    "validation_share": 0.0,
    "system": "freqcnn",
    "frequency": "linear",
    "dtype": "float32",
    "window": Recipe.window,  # none was cut: if a clip is longer, the lists of clips differ
}
IDENTITY = ["clip", "label", "partition", "key"]  # columns of a clip that decide the training


def fit(
    source: Path | str,
    out: Path | str,
    recipe: Recipe = Recipe(),
    test_share: float = 0.2,
    device: str = "auto",
    jobs: int | None = None,
    log_dir: Path | str | None = None,
    validation_share: float = 0.0,
    system: str = "freqcnn",
) -> Model | Svm:
    """Train a model on labelled recordings and save it, with a baseline beside it.

    The model of the last epoch is kept, and the held-out clips are predicted once, after it. The same call
    resumes an interrupted training, and loads the model of a finished one.

    Args:
        source: A folder or a CSV file, see ``corpora.own.scan``.
        out: The model's folder.
        recipe: The settings of the training.
        test_share: The share of the clips to hold out if the data states no partition, see
            ``data_prep.splits.held_out``; 0 trains on every clip and measures nothing.
        device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.
        jobs: The number of processes that read audio, None for one per core.
        log_dir: A folder for TensorBoard logs.
        validation_share: The share of the training clips that are not trained on but predicted after each
            epoch, 0 for none.
        system: 'freqcnn', or 'svm' for the baseline alone.

    Raises:
        Faults: The data has faults (all are listed), or ``out`` holds another model.
    """
    scan = own.scan(source)
    for sentence in scan.notes:
        note(sentence)
    settings = checked_settings(recipe, system, validation_share, device)
    settings["test_share"] = test_share
    frame, split = divide(scan.manifest, source, test_share, recipe.seed, validation_share)
    return fit_divided(frame, scan.root, split, Path(out), recipe, settings, device, jobs, log_dir)


def checked_settings(recipe: Recipe, system: str, validation_share: float, device: str) -> dict:
    """Return the settings of a training for its report. Raise Faults if they or the device cannot be used."""
    if system not in SYSTEMS:
        raise Faults(f"system: {system!r} is not known; choose one of {', '.join(SYSTEMS)}")
    if system == SVM and validation_share:
        raise Faults("validation share: an SVM has no epochs to show it for; leave it out")
    if system != SVM:
        _dtype(recipe, choose(device)[0])  # reports an unusable device or dtype before anything is prepared
    return {**asdict(recipe), "validation_share": validation_share, "system": system}


def fit_divided(
    frame: pd.DataFrame,
    root: Path,
    split: str,
    out: Path,
    recipe: Recipe,
    settings: dict,
    device: str = "auto",
    jobs: int | None = None,
    log_dir: Path | str | None = None,
    images: Path | None = None,
) -> Model | Svm:
    """Train a model on divided recordings and save it, or load the finished one.

    Args:
        frame: The manifest with the partitions of ``division.divide``.
        root: The folder that contains the manifest's paths.
        split: The description of the division.
        out: The model's folder.
        recipe: The settings of the training.
        settings: All settings, for the report, from ``checked_settings``.
        device: See ``fit``, also for the next two.
        jobs: The number of processes.
        log_dir: A folder for TensorBoard logs.
        images: A folder for spectrograms that several trainings share; None for one that is deleted at the
            end of the training.
    """
    done, work = out / ABOUT, out / "work"
    if not done.exists():
        with locked(work, "trains this model"):
            if not done.exists():  # another process may have finished it meanwhile
                data = prepare(frame, root, images or work, recipe.images, recipe.window, jobs)
                return _train_and_save(data, split, out, recipe, settings, device, jobs, log_dir)
    frame = cut(frame, windows_of(frame, root, recipe.window, recipe.images.rate, jobs))
    clips = manifest.clips(frame, root)
    _check_same(out, settings, frame.assign(key=store.content_keys(clips, recipe.images, jobs)))
    shutil.rmtree(work, ignore_errors=True)  # left over if a command was interrupted just before its end
    return Svm.load(out) if settings["system"] == SVM else Model.load(out, device)


def _train_and_save(
    data: Data,
    split: str,
    out: Path,
    recipe: Recipe,
    settings: dict,
    device: str,
    jobs: int | None,
    log_dir: Path | str | None,
) -> Model | Svm:
    """Train a model, and write it and its evaluation to ``out``; other arguments as in ``fit_divided``."""
    trained = data.part("train")
    about = About(
        data.labels,
        recipe.architecture,
        recipe.images,
        float(np.median(data.seconds[trained])),
        float(data.seconds[trained].max()),
        versions=runtime.versions(),
        lowest_rate=int(data.rates[trained].min()),
    )
    work = out / "work"
    report: dict[str, Any] = {"recipe": settings, "split": split, "labels": data.labels}
    model: Model | Svm
    if settings["system"] == SVM:
        started = time.perf_counter()
        model = svm = train_svm(about, data.clips_of(trained), data.numbers[trained], jobs)
        seconds, history = time.perf_counter() - started, []
    else:
        digest = hashlib.sha256(json.dumps([settings, data.fingerprint]).encode()).hexdigest()[:8]
        validation = data.part("validation")
        evaluated = {"validation": data.examples(validation)} if validation.any() else {}
        with _logger(log_dir) as callback:
            folder = work / f"training-{digest}"
            model, outcome = learn(about, recipe, data.examples(trained), evaluated, device, folder, callback)
        history = outcome.history
        seconds = sum(entry["seconds"] for entry in history)
        report |= {
            "parameters": parameter_count(model.net),
            "device": [str(device) for device in model.devices],
        }
        svm = train_svm(about, data.clips_of(trained), data.numbers[trained], jobs)
    scores, frame = write_results(data, model, svm, out, jobs)
    report |= {
        **scores,
        "history": history,
        "clips": {name: int(data.part(name).sum()) for name in NAMES if data.part(name).any()},
        "data": data.fingerprint,
        "versions": about.versions,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "training_seconds": round(seconds, 1),
    }
    with whole(out / REPORT) as path:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    write_page(out, report, frame, data.clips)
    model.save(out)
    shutil.rmtree(work, ignore_errors=True)  # a process that waits for the lock may have a file open in it
    return model


def learn(
    about: About,
    recipe: Recipe,
    training: Examples,
    evaluated: Mapping[str, Examples],
    device: str = "auto",
    folder: Path | None = None,
    callback: Callable[[dict], None] = lambda entry: None,
) -> tuple[Model, Outcome]:
    """Train a network.

    Args:
        about: The description of the model.
        recipe: The settings of the training.
        training: The examples to train on.
        evaluated: The examples to evaluate after each epoch, by name.
        device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.
        folder: The checkpoint's folder, None for no checkpoints.
        callback: Called with the entry of each epoch.

    Returns:
        The trained model, and the outcome of ``training.loop.train``.
    """
    model = Model.blank(about, runtime.contexts(device))
    batch_size, classes = min(recipe.batch_size, len(training)), len(about.labels)
    settings = Settings(
        recipe.epochs_for(len(training), classes),
        batch_size,
        micro_batch(model.net, recipe.size, -(-batch_size // len(model.devices)), devices=model.devices),
        recipe.seed,
        recipe.learning_rate,
        normalise="frequency",
        dtype=_dtype(recipe, model.devices[0].device_type),
    )
    with runtime.computing_in(settings.dtype):
        outcome = train(
            model.net, settings, training, evaluated, classes, model.devices, folder, "training", callback
        )
    if settings.dtype != "float32":
        model = copy.copy(model)  # its network computes in float32
    loss = outcome.history[-1]["loss"]
    if diverged(loss, classes):
        note(
            f"the training diverged: its loss is {loss:.3g}, and guessing has {math.log(classes):.3g}; train "
            f"again with a smaller learning rate than {recipe.learning_rate:g}"
        )
    return model, outcome


def _dtype(recipe: Recipe, kind: str) -> str:
    """Return the number format of a training. Raise Faults if devices of this kind do not have it."""
    dtype = runtime.fast_dtype(kind) if recipe.dtype == "auto" else recipe.dtype
    runtime.check_dtype(dtype, kind)
    return dtype


def diverged(loss: float, classes: int) -> bool:
    """Return whether the last epoch's loss is far above that of guessing."""
    return not loss <= DIVERGED * math.log(classes)


def advice(last: dict, clips: int, classes: int, batch_size: int) -> str | None:
    """Return what to do if the training was too short, or None.

    Args:
        last: The last epoch's entry in the history.
        clips: The number of training clips.
        classes: The number of classes.
        batch_size: The number of clips per training step.
    """
    epochs = last["epoch"]
    if diverged(last["loss"], classes):  # more epochs would not help, and its own note advises what does
        return None
    if sentence := too_short(clips, batch_size, epochs):
        return f"{sentence} into another folder."
    if last["accuracy"] < LOW:
        return (
            f"the network classified only {100 * last['accuracy']:.1f} % of its own training clips correctly "
            f"in the last epoch, so it has not learnt them yet. Train with --epochs {2 * epochs} or "
            "more into another folder."
        )
    return None


def _check_same(out: Path, settings: dict, frame: pd.DataFrame) -> None:
    """Raise Faults unless the finished model in ``out`` has these settings and clips."""
    try:
        recipe = EARLIER | json.loads((out / REPORT).read_text(encoding="utf-8"))["recipe"]
        clips = pd.read_csv(out / CLIPS, dtype=str, keep_default_na=False)
        same = recipe == settings and clips[IDENTITY].values.tolist() == frame[IDENTITY].values.tolist()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        same = False
    if not same:
        raise Faults(
            f"{out}: holds a model of other data or settings; name another folder, or delete this one to "
            "train again"
        )


@contextlib.contextmanager
def _logger(folder: Path | str | None) -> Iterator[Callable[[dict], None]]:
    """Yield a callback that logs an epoch for TensorBoard. Without a folder, the callback does nothing."""
    if folder is None:
        yield lambda entry: None
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def log(entry: dict) -> None:
            validation = entry.get("validation")
            measured = (
                [("UAR", validation["uar"]), ("accuracy", validation["accuracy"])] if validation else []
            )
            for name, value in (
                ("train/loss", entry["loss"]),
                ("train/accuracy", entry["accuracy"]),
                *((f"validation/{name}", value) for name, value in measured),
            ):
                writer.add_scalar(name, value, entry["epoch"])
            writer.flush()

        yield log
