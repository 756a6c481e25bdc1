"""Measure the recipe of `freqcnn fit`: what other settings change, and `fit` beside the baseline.

    python benchmarks/own_speech.py parts --emodb FOLDER --fsdd FOLDER --ravdess FOLDER
    python benchmarks/own_speech.py tests --emodb FOLDER --fsdd FOLDER --ravdess FOLDER
    python benchmarks/own_speech.py render

recipes/trials.toml lists the trials. 'parts' trains on the training parts of the tasks and measures on
validation clips from them. 'tests' runs `fit` with its defaults and measures on the test parts. Trials that
have a result are not repeated. A corpus whose folder is not given is skipped. FOLDER has a manifest.csv with
the columns path, label, speaker and text.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from curves.clips import Clips, held_out, of_table
from recipes.joined import join
from recipes.render import render
from recipes.trials import PATH, Results, trials

import freqcnn_gluon  # noqa: F401  must be imported before MXNet
from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import note
from data_prep.sound.spectrogram import ImageSettings

ROOT = Path(__file__).resolve().parents[1]
CORPORA = ("emodb", "fsdd", "ravdess")
JOINED = "-joined"  # the corpus whose clips are joined into long recordings, without the task's test part
SIZE = 64  # rows and columns of the spectrograms in trials of parts, unless a part changes it


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("parts", "tests", "render"))
    for name in CORPORA:
        parser.add_argument(f"--{name}", type=Path, help=f"folder of the corpus {name}")
    parser.add_argument("--data", type=Path, default=Path("data/own-speech"), help="folder for spectrograms")
    parser.add_argument("--trials", type=Path, default=PATH, help="list of trials (TOML)")
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "benchmarks" / "results" / "own-speech",
        help="folder of the JSON files",
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of own-speech.md")
    options = parser.parse_args(arguments)
    listed = trials(options.trials)
    if options.command != "render":
        results = Results(options.results / f"{options.command}.json")
        of_parts = options.command == "parts"
        for trial in listed.of_parts() if of_parts else listed.of_tests():
            corpus = trial["task"]["name"] if of_parts else trial["test"]["corpus"]
            root = getattr(options, corpus.removesuffix(JOINED))
            if results.of(trial) is not None:
                continue
            if root is None:
                note(f"{corpus}: it is skipped, because --{corpus.removesuffix(JOINED)} FOLDER is not given.")
                continue
            if corpus.endswith(JOINED):
                unused = listed.tasks[corpus.removesuffix(JOINED)].unused
                root = join(root, options.data / corpus, unused)
            print(json.dumps(trial), flush=True)
            results.add(trial, (_part if of_parts else _test)(trial, root, options.data))
            print(json.dumps(results.of(trial)), flush=True)
    render(listed, options.results, options.docs / "own-speech.md")


def _part(trial: Mapping[str, Any], root: Path, data: Path) -> dict[str, Any]:
    """Return the result of a recipe on a task's validation clips, pooled over its divisions."""
    task, changes = trial["task"], dict(trial["changes"])
    image = ImageSettings(changes.pop("size", SIZE), frequency=changes.pop("frequency", "mel"))
    clips = of_table(root / "manifest.csv", root, data / task["name"], image)
    if changes.get("system") == "svm":
        outcomes = [_svm(clips, root, *parts) for parts in _divisions(clips, task)]
    else:
        from recipes.candidates import learn

        outcomes = [
            learn(clips, *parts, changes, trial["seed"], task["batch_size"], task["steps"])
            for parts in _divisions(clips, task)
        ]
    labels = np.concatenate([clips.numbers[chosen] for _, chosen in _divisions(clips, task)])
    return {
        **_scores(labels, np.concatenate([outcome["predicted"] for outcome in outcomes]), clips),
        "averaged": _scores(labels, np.concatenate([outcome["averaged"] for outcome in outcomes]), clips)
        if "averaged" in outcomes[0]
        else None,
        "training": [
            {
                name: round(float(outcome[name]), 3)
                for name in ("accuracy", "epochs", "clips", "seconds")
                if name in outcome
            }
            for outcome in outcomes
        ],
        **_machine(),
    }


def _divisions(clips: Clips, task: Mapping[str, Any]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the numbers of the training clips and of the validation clips of each division."""
    unused = held_out(clips.frame, task["unused"])
    for condition in task["validation"]:
        chosen = held_out(clips.frame, condition)
        random = np.random.default_rng(0)
        parts = [random.permutation(np.flatnonzero(~unused & part)) for part in (~chosen, chosen)]
        yield parts[0][: task["clips"]], parts[1][: task["clips"]]


def _svm(clips: Clips, root: Path, training: np.ndarray, chosen: np.ndarray) -> dict[str, Any]:
    """Return what the baseline of `fit` predicts for the chosen clips."""
    from data_prep.sound import audio
    from freqcnn_gluon.own.about import About
    from freqcnn_gluon.own.mfcc import statistics
    from freqcnn_gluon.own.svm import train_svm

    images = ImageSettings(SIZE)
    files = [root / path for path in clips.frame["path"]]
    started = time.perf_counter()
    svm = train_svm(
        About(clips.labels, "svm", images, 1, 1),
        [(files[number], None, None) for number in training],
        clips.numbers[training],
    )
    seconds = time.perf_counter() - started
    values = [statistics(audio.read(files[number], images.rate), images.rate) for number in chosen]
    return {
        "predicted": svm.decisions(np.stack(values)).argmax(axis=1),
        "clips": len(training),
        "seconds": seconds,
    }


def _scores(labels: np.ndarray, predicted: np.ndarray, clips: Clips) -> dict[str, Any]:
    from freqcnn_gluon.own.scores import interval
    from freqcnn_gluon.training.metrics import metrics

    measured = metrics(labels, predicted, len(clips.labels))
    return {
        **{name: measured[name] for name in ("uar", "accuracy")},
        "interval": interval(labels, predicted, by_class=True),
        "evaluated": len(labels),
    }


def _test(trial: Mapping[str, Any], root: Path, data: Path) -> dict[str, Any]:
    """Run `fit` with its defaults, and return its report's scores of the test part."""
    import pandas as pd

    from freqcnn_gluon.own.fit import fit
    from freqcnn_gluon.own.recipe import Recipe

    test = trial["test"]
    frame = pd.read_csv(root / "manifest.csv", dtype=str, keep_default_na=False)
    tested = held_out(frame, test["test"])
    training = np.random.default_rng(0).permutation(np.flatnonzero(~tested))[: test["clips"]]
    frame = frame.assign(path=[str((root / path).resolve()) for path in frame["path"]], partition="test")
    frame.loc[training, "partition"] = "train"
    frame = frame.iloc[np.sort(np.concatenate([training, np.flatnonzero(tested)]))]
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "clips.csv"
        frame[["path", "label", "speaker", "partition"]].to_csv(table, index=False)
        started = time.perf_counter()
        fit(table, Path(folder) / "model", Recipe(seed=trial["seed"], **test["recipe"]), device="cpu")
        seconds = time.perf_counter() - started
        report = json.loads((Path(folder) / "model" / "report.json").read_text(encoding="utf-8"))
    systems = {"freqcnn": report, **report["baselines"]}
    return {
        "clips": report["clips"],
        "systems": {
            name: {
                **{kind: scores["metrics"][kind] for kind in ("uar", "accuracy")},
                "intervals": scores["intervals"],
            }
            for name, scores in systems.items()
        },
        "training": {
            "accuracy": report["history"][-1]["accuracy"],
            "epochs": len(report["history"]),
            "seconds": report["training_seconds"],
        },
        "seconds": round(seconds, 1),
        **_machine(),
    }


def _machine() -> dict[str, Any]:
    from freqcnn_gluon import runtime

    return {
        "machine": runtime.versions(),
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    raise SystemExit(main())
