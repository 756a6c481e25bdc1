"""Measure learning curves: what lets the networks learn, on clips held out from the training part.

    python benchmarks/learning.py run --fsdd FOLDER --emodb FOLDER      # every experiment without a result
    python benchmarks/learning.py run batchnorm-table7 --fsdd FOLDER    # some experiments
    python benchmarks/learning.py render                                # only write docs/learning.md again
    python benchmarks/learning.py own CSV --architecture table7 --test text=digit7,digit8,digit9 --seeds 3

curves/experiments.toml lists the experiments. An interrupted training resumes from its last checkpoint. 'own'
trains on any labelled recordings: CSV has the columns path, label, speaker and text; a manifest.csv is such a
file. FOLDER, of the Free Spoken Digit Dataset or the Berlin Database of Emotional Speech, has a manifest.csv.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from curves.clips import STANDINS, held_out, of_standin, of_table
from curves.experiments import PATH, TABLES, Experiment, experiments, named, results, write
from curves.render import render

import freqcnn_gluon  # noqa: F401  must be imported before MXNet
from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults, note
from data_prep.sound.spectrogram import ImageSettings
from reproduce.assumptions import choices

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


@with_plain_errors
def main(arguments: list[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    running = commands.add_parser("run", help="train what has no result yet, and write the page")
    running.set_defaults(command=run)
    running.add_argument("names", nargs="*", metavar="NAME", help="experiments (default: all)")
    running.add_argument("--fsdd", type=Path, help="folder of the Free Spoken Digit Dataset")
    running.add_argument("--emodb", type=Path, help="folder of the Berlin Database of Emotional Speech")
    running.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        help="folder for the stand-in, spectrograms and checkpoints",
    )
    running.add_argument("--dtype", default="float32", help="number format of convolutions")
    running.add_argument("--device", default="auto", help="auto, cpu, gpu, or numbers as in gpu:0")
    rendering = commands.add_parser("render", help="write the page from the results")
    rendering.set_defaults(command=lambda options: _render(options))
    for command in (running, rendering):
        command.add_argument("--experiments", type=Path, default=PATH, help="list of experiments (TOML)")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON files")
        command.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of learning.md")
    _add_own(commands)
    return parser


def _add_own(commands) -> None:
    parser = commands.add_parser("own", help="train on any labelled recordings and hold some of them out")
    parser.set_defaults(command=own)
    parser.add_argument("csv", type=Path)
    parser.add_argument(
        "--root", type=Path, help="folder that the paths are relative to (default: the CSV's folder)"
    )
    parser.add_argument("--architecture", default="table2")
    parser.add_argument("--test", help="column=value,value: clips to evaluate on, not to train on")
    parser.add_argument("--validation", help="column=value,value: further clips to evaluate on")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--clips", type=int, help="number of training clips, drawn at random (default: all)")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="choice for an assumption: id=value")
    parser.add_argument("--dtype", default="float32", help="number format of convolutions")
    parser.add_argument("--out", type=Path, default=Path("data/learning"), help="folder for spectrograms")
    parser.add_argument(
        "--report", type=Path, help="file to which each training appends its result as a line of JSON"
    )


def run(options: argparse.Namespace) -> None:
    """Train everything that has no result yet, write each result when it is there, and render the page."""
    listed = experiments(options.experiments)
    for experiment in named(options.names, listed):
        folder = options.results / "learning"
        done = results(experiment, folder)
        missing = [one for one in experiment.runs() if one not in done]
        if missing and experiment.corpus not in STANDINS and not getattr(options, experiment.corpus):
            note(f"{experiment.name}: it is skipped, because --{experiment.corpus} FOLDER is not given.")
            continue
        for variant, seed in missing:
            done[variant, seed] = _train(experiment, variant, seed, options)
            write(experiment, {one: done[one] for one in experiment.runs() if one in done}, folder)
            _render(options)


def _train(experiment: Experiment, variant: tuple[str, ...], seed: int, options: argparse.Namespace) -> dict:
    """Return the result of one training of an experiment."""
    from curves.training import Conditions, learn

    chosen = choices(experiment.table, variant)
    image = ImageSettings(experiment.size, **chosen["image"])
    if experiment.corpus in STANDINS:
        clips = of_standin(experiment.corpus, options.data, image, chosen["data"])
    else:
        root = getattr(options, experiment.corpus)
        out = options.data / "learning" / experiment.corpus
        clips = of_table(root / "manifest.csv", root, out, image)
    unused, validation = (
        held_out(clips.frame, condition) for condition in (experiment.unused, experiment.validation)
    )
    parts = {
        "training": _drawn(~unused & ~validation, experiment.clips),
        "validation": np.flatnonzero(validation & ~unused),
    }
    conditions = Conditions(
        experiment.batch_size, experiment.steps, experiment.accuracy, options.dtype, options.device
    )
    folder = options.data / "learning" / "trainings" / experiment.folder((variant, seed), options.dtype)
    title = f"{experiment.name} {' '.join(variant)} seed {seed}"
    result = learn(experiment.architecture, clips, parts, chosen, conditions, seed, folder, title)
    return {"variant": list(variant), **result}


def _drawn(training: np.ndarray, count: int | None) -> np.ndarray:
    """Return the numbers of at most ``count`` of the clips that are marked in ``training``."""
    return np.random.default_rng(0).permutation(np.flatnonzero(training))[:count]


def _render(options: argparse.Namespace) -> None:
    render(experiments(options.experiments), options.results, options.docs / "learning.md")


def own(options: argparse.Namespace) -> None:
    """Train once for each seed, and print the curves."""
    from curves.training import Conditions, learn

    chosen = choices(TABLES.get(options.architecture, 3), options.set)
    root = options.root or options.csv.parent
    clips = of_table(options.csv, root, options.out, ImageSettings(options.size, **chosen["image"]))
    parts = {
        name: held_out(clips.frame, text)
        for name in ("test", "validation")
        if (text := getattr(options, name))
    }
    training = _drawn(~np.any([*parts.values(), np.zeros(len(clips.frame), bool)], axis=0), options.clips)
    if not len(training):
        raise Faults(f"{options.csv}: no clip is left to train on. Hold out fewer.")
    numbers = {"training": training, **{name: np.flatnonzero(part) for name, part in parts.items()}}
    conditions = Conditions(options.batch_size, dtype=options.dtype)
    for seed in range(options.seeds):
        title = f"{options.architecture} seed {seed}"
        result = learn(options.architecture, clips, numbers, chosen, conditions, seed, title=title)
        if options.report:
            with open(options.report, "a") as file:
                file.write(json.dumps(result) + "\n")
        _print(result, list(parts))


def _print(result: dict, parts: list[str]) -> None:
    curve, last = result["curve"], result["curve"][-1]
    losses = " ".join(f"{entry['loss']:.2f}" for entry in curve)
    clips = f"seed {result['seed']}, {result['clips']['training']} clips"
    print(f"{clips}: training loss {losses}; accuracy {last['accuracy']:.3f}")
    for part in parts:
        recalls = " ".join(f"{entry[part]['uar']:.2f}" for entry in curve)
        print(
            f"    {part} UAR {recalls}; last {last[part]['uar']:.3f}, accuracy {last[part]['accuracy']:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    raise SystemExit(main())
