"""Train a model on labelled recordings: split, spectrograms, training, evaluation of the held-out clips."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

from data_prep import manifest, store
from data_prep.base.faults import Faults, note
from data_prep.base.files import locked, whole
from data_prep.corpora import own
from data_prep.sound import audio
from data_prep.sound.contents import contents
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import choose
from freqcnn_gluon.network.architectures import architecture, check_size
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.own.about import CLIPS, RANGES, REPORT, About
from freqcnn_gluon.own.division import check_disjoint, divide
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.predict import predictions, write
from freqcnn_gluon.own.report_page import write_page
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Outcome, train
from freqcnn_gluon.training.memory import micro_batch
from freqcnn_gluon.training.metrics import metrics
from freqcnn_gluon.training.settings import Settings

__all__ = ["Recipe", "fit", "learn"]

BOUNDS = {  # lowest and highest value of each whole number in a recipe
    "size": RANGES["size"],
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "seed": (0, 2**32 - 1),  # the seeds of numpy and scikit-learn
}
# All spectrograms have the same width, for clips of any length. Speech has four or five syllables per second,
# and a column that is longer than a second averages several syllables. In a clip ten times as long as the
# others, the same word is a tenth as wide, but the filters keep their width.
COLUMN = 1.0  # longest column of a spectrogram in s
MANY = 10  # largest ratio of the longest clip to the median
DIVERGED = 2  # a training has failed if its loss is above this multiple of log(classes), the loss of guessing
IDENTITY = ["clip", "label", "partition", "key"]  # columns of a clip that decide the training


@dataclass(frozen=True)
class Recipe:
    """The settings of a training on your own recordings.

    Attributes:
        architecture: 'table2', 'table7' or 'table10'.
        size: The side of the spectrograms in pixels. The paper's 224 and 256 need a GPU or patience.
        epochs: The number of epochs.
        batch_size: The number of clips per training step.
        learning_rate: The initial learning rate of SGD.
        seed: The seed of the split and of every draw in the training.

    Raises:
        Faults: A setting is out of range. The message lists all such settings.
    """

    architecture: str = "table7"
    size: int = 64
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        faults = {}
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, Integral) and low <= int(value) <= high:
                object.__setattr__(self, name, int(value))  # JSON has no numpy numbers
            else:
                bounds = f"of {low} or more" if high == math.inf else f"from {low} to {high}"
                faults[name] = f"{name.replace('_', ' ')}: {value!r} is not a whole number {bounds}"
        if isinstance(self.learning_rate, Real) and 0 < self.learning_rate < math.inf:
            object.__setattr__(self, "learning_rate", float(self.learning_rate))
        else:
            faults["learning_rate"] = f"learning rate: {self.learning_rate!r} is not a finite number above 0"
        checks: tuple[tuple[str, Callable], ...] = (("architecture", architecture), ("size", check_size))
        for name, check in checks:
            try:
                if name not in faults:
                    check(getattr(self, name))
            except Faults as fault:
                faults[name] = str(fault)
        if faults:
            raise Faults(faults.values())


def fit(
    source: Path | str,
    out: Path | str,
    recipe: Recipe = Recipe(),
    test_share: float = 0.2,
    device: str = "auto",
    jobs: int | None = None,
    log_dir: Path | str | None = None,
) -> Model:
    """Train a model on labelled recordings and save it.

    The model of the last epoch is kept; nothing is chosen on the held-out clips. The same call resumes an
    interrupted training, and loads the model of a finished one.

    Args:
        source: A folder or a CSV file, see ``corpora.own.scan``.
        out: The model's folder.
        recipe: The settings of the training.
        test_share: The share of the clips to hold out if the data states no partition, see
            ``data_prep.splits.held_out``.
        device: 'auto', 'cpu', 'gpu', or numbers as in 'gpu:0'.
        jobs: The number of processes that read audio, None for one per core.
        log_dir: A folder for TensorBoard logs.

    Raises:
        Faults: The data has faults (all are listed), or ``out`` holds another model.
    """
    out, scan = Path(out), own.scan(source)
    for sentence in scan.notes:
        note(sentence)
    choose(device)  # reports an unusable device before anything is prepared
    frame, split = divide(scan.manifest, source, test_share, recipe.seed)
    settings = {**asdict(recipe), "test_share": test_share}
    done, work = out / "model.json", out / "work"
    if not done.exists():
        with locked(work, "trains this model"):
            if not done.exists():  # another process may have finished it meanwhile
                data = _prepare(frame, scan.root, work, recipe.size, jobs)
                return _train_and_save(data, split, out, recipe, settings, device, jobs, log_dir)
    clips = manifest.clips(frame, scan.root)
    _check_same(out, settings, frame.assign(key=store.content_keys(clips, ImageSettings(recipe.size), jobs)))
    shutil.rmtree(work, ignore_errors=True)  # left over if a command was interrupted just before its end
    return Model.load(out, device)


@dataclass(frozen=True)
class _Data:
    """The clips of a training with their spectrograms.

    Attributes:
        frame: The manifest with the columns ``key``, ``file`` and ``sound``, see ``about.trained_on``.
        clips: The clips of ``data_prep.manifest.clips`` (n,).
        seconds: The clips' lengths (n,) in s.
        rates: The sampling rates (n,) of the clips' files in Hz.
        training: Mask (n,) of the training clips.
        labels: The distinct labels, sorted.
        numbers: The clips' labels (n,) as numbers.
        images: The spectrograms (rows, size, size).
        rows: The row (n,) of each clip's spectrogram in ``images``.
        fingerprint: The fingerprint of all the data.
    """

    frame: pd.DataFrame
    clips: list[manifest.Clip]
    seconds: np.ndarray
    rates: np.ndarray
    training: np.ndarray
    labels: tuple[str, ...]
    numbers: np.ndarray
    images: np.ndarray
    rows: np.ndarray
    fingerprint: str

    def examples(self, part: np.ndarray) -> Examples:
        """Select the examples of a part, a mask (n,)."""
        return Examples(self.images, self.rows[part], self.numbers[part])


def _prepare(frame: pd.DataFrame, root: Path, work: Path, size: int, jobs: int | None) -> _Data:
    """Compute the spectrograms of the divided clips below ``root``, and check that the parts are disjoint."""
    settings = ImageSettings(size)
    spectrograms = store.build(frame, root, store.store_folder(work, settings), settings, jobs)
    frame = frame.assign(key=spectrograms.keys(frame["clip"]))
    labels, fingerprint = tuple(sorted(set(frame["label"]))), spectrograms.fingerprint(frame)
    clips = manifest.clips(frame, root)
    frame[["file", "sound"]] = contents([path for path, *_ in clips], jobs)
    check_disjoint(frame, root)
    seconds, rates = np.transpose([audio.seconds_and_rate(*clip) for clip in clips])
    _note_lengths(seconds, frame["clip"], size)
    return _Data(
        frame,
        clips,
        seconds,
        rates,
        (frame["partition"] == "train").to_numpy(),
        labels,
        np.searchsorted(labels, frame["label"]),
        spectrograms.images,
        spectrograms.rows(frame["clip"]),
        fingerprint,
    )


def _train_and_save(
    data: _Data,
    split: str,
    out: Path,
    recipe: Recipe,
    settings: dict,
    device: str,
    jobs: int | None,
    log_dir: Path | str | None,
) -> Model:
    """Train a model, and write it and its evaluation to ``out``; other arguments as in ``fit``."""
    trained, tested = data.training, ~data.training
    about = About(
        data.labels,
        recipe.architecture,
        ImageSettings(recipe.size),
        float(np.median(data.seconds[trained])),
        float(data.seconds[trained].max()),
        versions=runtime.versions(),
        lowest_rate=int(data.rates[trained].min()),
    )
    train, test = data.examples(trained), data.examples(tested)
    digest = hashlib.sha256(json.dumps([settings, data.fingerprint]).encode()).hexdigest()[:8]
    work = out / "work"
    with _logger(log_dir) as callback:
        folder = work / f"training-{digest}"
        model, outcome = learn(about, recipe, train, {"test": test}, device, folder, callback)
    probabilities = outcome.probabilities["test"]
    _predict_long(model, data, probabilities, jobs)
    predicted = probabilities.argmax(axis=1)
    frame = data.frame.copy()
    frame.loc[tested, "predicted"] = np.array(data.labels)[predicted]
    frame.loc[tested, [f"p({label})" for label in data.labels]] = probabilities
    report = {
        "recipe": settings,
        "split": split,
        "labels": data.labels,
        "metrics": metrics(test.labels, predicted, len(data.labels)),
        "history": outcome.history,
        "clips": {"train": int(trained.sum()), "test": int(tested.sum())},
        "data": data.fingerprint,
        "parameters": parameter_count(model.net),
        "device": [str(device) for device in model.devices],
        "versions": about.versions,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "training_seconds": round(sum(entry["seconds"] for entry in outcome.history), 1),
    }
    with whole(out / CLIPS) as path:
        write(frame, path)
    with whole(out / REPORT) as path:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    write_page(out, report, frame, data.clips)
    model.save(out)
    shutil.rmtree(work, ignore_errors=True)  # a process that waits for the lock may have a file open in it
    return model


def _predict_long(model: Model, data: _Data, probabilities: np.ndarray, jobs: int | None) -> None:
    """Replace the held-out ``probabilities`` of long clips by those of their windows, as in ``evaluate``."""
    tested = [clip for clip, trained in zip(data.clips, data.training) if not trained]
    long = np.flatnonzero(data.seconds[~data.training] > model.about.longest)
    for place, prediction in zip(long, predictions(model, [tested[index] for index in long], jobs)):
        if isinstance(prediction, Faults):
            raise prediction
        probabilities[place] = prediction.probabilities


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
    batch_size = min(recipe.batch_size, len(training))
    share = micro_batch(model.net, recipe.size, -(-batch_size // len(model.devices)), devices=model.devices)
    settings = Settings(recipe.epochs, batch_size, share, recipe.seed, recipe.learning_rate)
    classes = len(about.labels)
    outcome = train(
        model.net, settings, training, evaluated, classes, model.devices, folder, "training", callback
    )
    loss = outcome.history[-1]["loss"]
    if diverged(loss, classes):
        note(
            f"the training diverged: its loss is {loss:.3g}, and guessing has {math.log(classes):.3g}; train "
            f"again with a smaller learning rate than {recipe.learning_rate:g}"
        )
    return model, outcome


def diverged(loss: float, classes: int) -> bool:
    """Return whether the last epoch's loss is far above that of guessing."""
    return not loss <= DIVERGED * math.log(classes)


def _note_lengths(seconds: np.ndarray, names: pd.Series, size: int) -> None:
    """Report the clips' lengths, and warn about clips that are too long for ``size`` columns."""
    median, place = float(np.median(seconds)), int(seconds.argmax())
    longest, name = float(seconds[place]), names.iloc[place]
    note(f"{len(seconds)} clips: the median lasts {median:.1f} s, the longest {longest:.1f} s ({name}).")
    if longest > MANY * median or longest > COLUMN * size:
        note(
            f"note: the longest clip lasts {longest / median:.0f} times the median, and one column of its "
            f"spectrogram {longest / size:.2f} s. Cut long recordings: use a CSV file with the columns path, "
            "label, start and stop (s), and a line for each cut."
        )


def _check_same(out: Path, settings: dict, frame: pd.DataFrame) -> None:
    """Raise Faults unless the finished model in ``out`` has these settings and clips."""
    try:
        recipe = json.loads((out / REPORT).read_text(encoding="utf-8"))["recipe"]
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
            for name, value in (
                ("train/loss", entry["loss"]),
                ("train/accuracy", entry["accuracy"]),
                ("test/UAR", entry["test"]["uar"]),
                ("test/accuracy", entry["test"]["accuracy"]),
            ):
                writer.add_scalar(name, value, entry["epoch"])
            writer.flush()

        yield log
