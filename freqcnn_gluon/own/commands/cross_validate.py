"""`freqcnn cross-validate`: test every clip with a model that was not trained on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.base.commands import positive, resumable
from freqcnn_gluon.own.commands.fit import add_recipe, recipe_of
from freqcnn_gluon.own.commands.parser import Commands, add_command, add_device, check_folder

SPEAKER = "speaker"


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "cross-validate",
        run,
        "test every clip with a model that was not trained on it",
        "The clips are divided into folds: whole speakers, if the data names speakers. For each fold, a "
        "model is trained on the other folds and predicts the clips of this one. The result is over all "
        "clips, with the baselines of `fit` and 95 % intervals. With few clips it is far more certain than "
        "the result of one `fit`.\n\nOUT/predictions.csv holds each clip's prediction, OUT/report.json the "
        "scores, OUT/report.html shows them in a browser, and OUT/fold-1 and so on hold the models, for "
        "`predict`. On a CPU, several folds are trained at a time, each with one thread. The same command "
        "resumes an interrupted cross-validation. To train the model that you will use, run "
        "`fit --test-share 0`, which trains on all recordings.",
        "clips.csv --out folds/",
        "clips.csv --out speakers/ --folds speaker   # leave one speaker out at a time",
        "clips.csv --out svm/ --system svm   # the baseline alone, in seconds",
    )
    command.add_argument(
        "data", type=Path, metavar="DATA", help="labelled recordings: a folder or a CSV file, as for `fit`"
    )
    command.add_argument("--out", type=Path, required=True, help="folder for the results")
    command.add_argument(
        "--folds",
        type=folds,
        default=5,
        help="number of folds, or speaker to leave one speaker out at a time (default: 5)",
    )
    add_recipe(command)
    add_device(command)
    command.add_argument(
        "--jobs",
        type=positive,
        help="number of folds to train at a time on a CPU, and of processes that read audio; each fold takes "
        "the memory of one `fit` (default: one per core)",
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.about import PAGE
    from freqcnn_gluon.own.cross_validation import cross_validate
    from freqcnn_gluon.own.output import comparison, score

    recipe = recipe_of(options)
    check_folder(options.out, "the results")
    with resumable(options.out):
        report = cross_validate(
            options.data,
            options.out,
            options.folds,
            recipe,
            options.device,
            options.jobs,
            options.validation_share,
            options.system,
        )
    print(report["split"])
    for number, fold in enumerate(report["folds"], 1):
        speakers = f", speakers {', '.join(fold['speakers'])}" if fold["speakers"] else ""
        rates = "UAR {uar:.1%}, accuracy {accuracy:.1%}".format_map(fold["metrics"]).replace("%", " %")
        print(f"fold {number}: {rates} on {fold['clips']} clips{speakers}")
    print(f"\n{score(report['metrics'], report['labels'], f'of {options.data}, each held out once')}")
    print(f"\n{comparison(options.system, report, '--system svm trains it alone.')}")
    print(f"\nresults: {options.out}\nreport: {options.out / PAGE}")


def folds(text: str) -> int | str:
    """Parse a number of folds, or 'speaker', as an argparse ``type``."""
    if text == SPEAKER:
        return text
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 2 or more, or {SPEAKER}")
    return int(text)
