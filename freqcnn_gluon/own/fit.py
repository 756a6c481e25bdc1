"""Labelled recordings -> a model folder: split, spectrograms, training, and what it is worth on the rest."""

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

from data_prep import manifest, splits, store
from data_prep.base.faults import Faults, note
from data_prep.base.files import locked, whole
from data_prep.corpora import own
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.devices import choose
from freqcnn_gluon.network.architectures import architecture, check_size
from freqcnn_gluon.network.describe import parameter_count
from freqcnn_gluon.own.about import CLIPS, RANGES, REPORT, About
from freqcnn_gluon.own.model import Model
from freqcnn_gluon.own.predict import predictions, write
from freqcnn_gluon.training.examples import Examples
from freqcnn_gluon.training.loop import Outcome, train
from freqcnn_gluon.training.memory import micro_batch
from freqcnn_gluon.training.metrics import metrics
from freqcnn_gluon.training.settings import Settings

__all__ = ["Recipe", "fit", "learn"]

WHOLE = {  # the least and the most
    "size": RANGES["size"],
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "seed": (0, 2**32 - 1),  # what numpy and scikit-learn take
}
# Every spectrogram is as wide, however long its clip. Speech has four or five syllables a second, which are
# one value in a column that lasts longer; and beside clips of a tenth of its length the same word looks ten
# times as narrow, to filters that are as wide for both.
COLUMN = 1.0  # s
MANY = 10
SEEN = ["clip", "label", "partition", "key"]  # what of a clip decides the training


@dataclass(frozen=True)
class Recipe:
    """How a network is trained on anybody's recordings. ``architecture``: 'table2', 'table7' or 'table10';
    ``size``: side of the spectrograms in pixels (the paper's 224 or 256 take a GPU, or patience);
    ``seed`` decides the split and every draw of the training. Raises Faults for what cannot be.
    """

    architecture: str = "table7"
    size: int = 64
    epochs: int = 20
    batch_size: int = 16
    learning_rate: float = 0.01
    seed: int = 0

    def __post_init__(self):
        faults = {}
        for name, (low, high) in WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, Integral) and low <= value <= high:
                object.__setattr__(self, name, int(value))  # numpy's own numbers are no JSON
            else:
                bounds = f"{low} up" if high == math.inf else f"{low} to {high}"
                faults[name] = f"{name.replace('_', ' ')}: {value!r} is no whole number from {bounds}"
        if isinstance(self.learning_rate, Real) and 0 < self.learning_rate < math.inf:
            object.__setattr__(self, "learning_rate", float(self.learning_rate))
        else:
            faults["learning_rate"] = f"learning rate: {self.learning_rate!r} is no finite number above 0"
        for name, check in (("architecture", architecture), ("size", check_size)):
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
    """Train on the recordings of ``source`` (see ``corpora.own.scan``) and save the model in ``out``.

    Where the data does not say which partition a clip is in, about ``test_share`` of it is held out, see
    ``data_prep.splits.held_out``. The last epoch is kept; nothing is chosen on what was held out. A command
    that was stopped goes on where it was; one that is done is not done again. ``log_dir``: for TensorBoard.
    Raises Faults with everything that is wrong with the data, and if ``out`` holds another model.
    """
    out, found = Path(out), own.scan(source)
    for each in found.notes:
        note(each)
    choose(device)  # its faults are told before anything is prepared
    frame, split = _divided(found.manifest, source, test_share, recipe.seed)
    asked = {**asdict(recipe), "test_share": test_share}
    done, work = out / "model.json", out / "work"
    if not done.exists():
        with locked(work, "trains this model"):
            if not done.exists():  # still
                return _fitted(frame, found.root, split, out, recipe, asked, device, jobs, log_dir)
    clips = manifest.clips(frame, found.root)
    _check_same(out, asked, frame.assign(key=store.content_keys(clips, ImageSettings(recipe.size), jobs)))
    shutil.rmtree(work, ignore_errors=True)  # of a command that was stopped at its very end
    return Model.load(out, device)


def _fitted(
    frame: pd.DataFrame,
    root: Path,
    split: str,
    out: Path,
    recipe: Recipe,
    asked: dict,
    device: str,
    jobs: int | None,
    log_dir: Path | str | None,
) -> Model:
    """The model of a divided ``frame``, whose paths are below ``root``; arguments else as ``fit`` has."""
    settings, work = ImageSettings(recipe.size), out / "work"
    images = store.build(frame, root, store.store_folder(work, settings), settings, jobs)
    frame = frame.assign(key=images.keys(frame["clip"]))
    labels, data = tuple(sorted(set(frame["label"]))), images.fingerprint(frame)
    clips = manifest.clips(frame, root)
    frame = frame.assign(file=store.file_hashes([path for path, *_ in clips], jobs))
    _check_apart(frame, root)
    training = (frame["partition"] == "train").to_numpy()
    seconds = np.array([audio.seconds(*clip) for clip in clips])
    _tell_lengths(seconds, frame["clip"], recipe.size)
    about = About(
        labels,
        recipe.architecture,
        settings,
        float(np.median(seconds[training])),
        float(seconds[training].max()),
        versions=runtime.versions(),
    )
    rows, numbers = images.rows(frame["clip"]), np.searchsorted(labels, frame["label"])
    train, test = (Examples(images.images, rows[part], numbers[part]) for part in (training, ~training))
    digest = hashlib.sha256(json.dumps([asked, data]).encode()).hexdigest()[:8]
    with _logged(log_dir) as told:
        model, learnt = learn(about, recipe, train, {"test": test}, device, work / f"training-{digest}", told)
    probabilities = learnt.probabilities["test"]
    tested = [clip for clip, trained in zip(clips, training) if not trained]
    longer = np.flatnonzero(seconds[~training] > about.longest)  # in windows, as `evaluate` has them
    for place, said in zip(longer, predictions(model, [tested[each] for each in longer], jobs)):
        if isinstance(said, Faults):
            raise said
        probabilities[place] = said.probabilities
    frame.loc[~training, "predicted"] = np.array(labels)[probabilities.argmax(axis=1)]
    frame.loc[~training, [f"p({label})" for label in labels]] = probabilities
    report = {
        "recipe": asked,
        "split": split,
        "labels": labels,
        "metrics": metrics(test.labels, probabilities.argmax(axis=1), len(labels)),
        "history": learnt.history,
        "clips": {"train": int(training.sum()), "test": int((~training).sum())},
        "data": data,
        "parameters": parameter_count(model.net),
        "device": [str(device) for device in model.devices],
        "versions": about.versions,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "training_seconds": round(sum(entry["seconds"] for entry in learnt.history), 1),
    }
    with whole(out / CLIPS) as path:
        write(frame, path)
    with whole(out / REPORT) as path:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    model.save(out)
    shutil.rmtree(work, ignore_errors=True)  # who waits for it may have a file in it
    return model


def learn(
    about: About,
    recipe: Recipe,
    training: Examples,
    evaluated: Mapping[str, Examples],
    device: str = "auto",
    folder: Path | None = None,
    told: Callable[[dict], None] = lambda entry: None,
) -> tuple[Model, Outcome]:
    """A network of ``about`` trained by ``recipe``, and how it went; arguments as ``training.train`` has."""
    model = Model.blank(about, runtime.contexts(device))
    batch_size = min(recipe.batch_size, len(training))
    share = micro_batch(model.net, recipe.size, -(-batch_size // len(model.devices)), devices=model.devices)
    settings = Settings(recipe.epochs, batch_size, share, recipe.seed, recipe.learning_rate)
    classes = len(about.labels)
    outcome = train(
        model.net, settings, training, evaluated, classes, model.devices, folder, "training", told
    )
    return model, outcome


def _divided(frame: pd.DataFrame, source: Path | str, share: float, seed: int) -> tuple[pd.DataFrame, str]:
    """The clips with their partitions, the data's own or drawn, and the sentence that says which."""
    if not frame["partition"].any():
        return splits.held_out(frame, share, seed)
    parts = {name: set(frame["label"][frame["partition"] == name]) for name in ("train", "test")}
    faults = [
        f"{source}: has no clip whose partition is {name}" for name, labels in parts.items() if not labels
    ]
    faults += [
        f"{source}: label {label!r} has no clip to train on, all of them are for testing"
        for label in sorted(parts["test"] - parts["train"])
    ]
    if len(parts["train"]) == 1:
        faults.append(f"{source}: there is one label to train on; nothing is there to be told apart")
    if faults:
        raise Faults(faults)
    crossing = splits.crossing_speakers(frame)
    met = f"; {len(crossing)} speakers are in both parts, such as {crossing[0]}" if crossing else ""
    return frame, f"The parts are those that the data states{met}."


def _tell_lengths(seconds: np.ndarray, names: pd.Series, size: int) -> None:
    """Say how long the clips are, and if some are too long to be seen as one image of ``size`` columns."""
    median, place = float(np.median(seconds)), int(seconds.argmax())
    longest, name = float(seconds[place]), names.iloc[place]
    note(f"{len(seconds)} clips: the median lasts {median:.1f} s, the longest {longest:.1f} s ({name}).")
    if longest > MANY * median or longest > COLUMN * size:
        note(
            f"note: {longest:.1f} s in one image are {longest / median:.0f} times the median, and a column "
            f"of it lasts {longest / size:.2f} s: cut long recordings, each cut a line in a CSV with path, "
            "label, start and stop (s)"
        )


def _check_apart(frame: pd.DataFrame, root: Path) -> None:
    """Raise Faults for a recording that is there twice with two labels, or both trained and tested on, whole
    or in part.
    """
    faults = []
    for _, group in frame[frame["key"].duplicated(keep=False)].groupby("key", sort=False):
        paths = " and ".join(str(root / path) for path in group["path"])
        if group["label"].nunique() > 1:
            labels = " and ".join(map(repr, group["label"]))
            faults.append(f"{paths}: are the same recording with the labels {labels}; keep the right one")
        elif group["partition"].nunique() > 1:
            faults.append(f"{paths}: are the same recording, in training and in test; keep one")
    train, test = (frame[frame["partition"] == name] for name in ("train", "test"))
    for i, j in enumerate(splits.overlapping(test, train)):
        if j >= 0 and test["key"].iloc[i] != train["key"].iloc[j]:
            clips = f"{root / train['clip'].iloc[j]} and {root / test['clip'].iloc[i]}"
            faults.append(
                f"{clips}: overlap, in training and in test; leave one out, or state their partition"
            )
    if faults:
        raise Faults(faults)


def _check_same(out: Path, asked: dict, frame: pd.DataFrame) -> None:
    """Raise Faults unless the finished model in ``out`` is of these settings and clips."""
    try:
        stated = json.loads((out / REPORT).read_text(encoding="utf-8"))["recipe"]
        known = pd.read_csv(out / CLIPS, dtype=str, keep_default_na=False)
        same = stated == asked and known[SEEN].values.tolist() == frame[SEEN].values.tolist()
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        same = False
    if not same:
        raise Faults(
            f"{out}: holds a model of other data or settings; name another folder, or delete it to train anew"
        )


@contextlib.contextmanager
def _logged(folder: Path | str | None) -> Iterator[Callable[[dict], None]]:
    """What writes an epoch's figures for TensorBoard."""
    if folder is None:
        yield lambda entry: None
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def told(entry: dict) -> None:
            for name, value in (
                ("train/loss", entry["loss"]),
                ("train/accuracy", entry["accuracy"]),
                ("test/UAR", entry["test"]["uar"]),
                ("test/accuracy", entry["test"]["accuracy"]),
            ):
                writer.add_scalar(name, value, entry["epoch"])
            writer.flush()

        yield told
