"""`freqcnn fit`: train a network on labelled recordings."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.commands import natural, number, positive, resumable
from freqcnn_gluon.own.commands.parser import Commands, add_command, add_device, add_jobs, check_folder

if TYPE_CHECKING:
    from freqcnn_gluon.own.recipe import Recipe


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "fit",
        run,
        "train a network on labelled recordings",
        "Some clips are held out to measure the network: whole speakers, if the data names speakers. They "
        "are predicted once, after the last epoch. Two baselines are measured on them, too: an SVM on "
        "statistics of MFCCs, which MODEL/baseline keeps for `predict`, and the most frequent label. The "
        "same command resumes an interrupted training.\n\nTo compare settings, use the validation part of "
        "--validation-share, whose score the progress bar shows, and not the held-out clips.",
        "recordings/ --out model/",
        "clips.csv --out model/ --architecture table10 --epochs 40 --log-dir logs/",
        "clips.csv --out model/ --validation-share 0.2   # whose score to watch while you try settings",
        "recordings/ --out model/ --system svm   # the baseline alone, in seconds",
        "recordings/ --out model/ --test-share 0   # the model to use, trained on every clip",
        "recordings/ --out model/ --size 224 --device gpu:0   # the paper's size",
    )
    command.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="a folder with a folder of recordings for each label, or a CSV file with the columns path and "
        "label and, optionally, speaker, partition (train or test), start and stop (s); relative paths begin "
        "at the folder of the CSV file",
    )
    command.add_argument("--out", type=Path, required=True, metavar="MODEL", help="folder for the model")
    add_recipe(command)
    command.add_argument(
        "--test-share",
        type=number,
        default=0.2,
        help="share of the clips to hold out; 0 trains on every clip, for a model to use after "
        "`cross-validate` has shown what to expect (default: 0.2)",
    )
    command.add_argument("--log-dir", type=Path, help="folder for TensorBoard logs")
    add_device(command)
    add_jobs(command)


def add_recipe(command: argparse.ArgumentParser) -> None:
    """Add the options that `fit` and `cross-validate` share; ``recipe_of`` reads most of them."""
    command.add_argument(
        "--architecture", default="table7", help="table2, table7 (the smallest) or table10 (default: table7)"
    )
    command.add_argument(
        "--size", type=positive, default=64, help="side of the spectrograms in pixels (default: 64)"
    )
    command.add_argument(
        "--frequency", default="mel", help="frequency axis of the spectrograms, mel or linear (default: mel)"
    )
    command.add_argument(
        "--window",
        type=number,
        default=60.0,
        help="longest clip in s to train on whole; longer ones are cut into windows of equal length, and 0 "
        "cuts none (default: 60)",
    )
    command.add_argument(
        "--epochs",
        type=positive,
        help="number of epochs (default: 20, or more if 400 steps or 25 steps for each label need more)",
    )
    command.add_argument(
        "--batch-size", type=positive, default=16, help="number of clips per training step (default: 16)"
    )
    command.add_argument(
        "--learning-rate", type=number, default=0.01, help="highest learning rate of SGD (default: 0.01)"
    )
    command.add_argument(
        "--seed", type=natural, default=0, help="seed of the split and the training (default: 0)"
    )
    command.add_argument(
        "--dtype",
        default="auto",
        help="number format of convolutions in the training: float32, bfloat16, or auto for the faster one "
        "(default: auto)",
    )
    command.add_argument(
        "--validation-share",
        type=number,
        default=0.0,
        help="share of the training clips to predict after each epoch instead of training on them; whole "
        "speakers, if the data names speakers (default: 0)",
    )
    command.add_argument(
        "--system",
        default="freqcnn",
        help="freqcnn, or svm: a support vector machine on statistics of MFCCs (default: freqcnn)",
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.about import BASELINE, PAGE, SVM
    from freqcnn_gluon.own.fit import advice, fit
    from freqcnn_gluon.own.output import comparison, score

    recipe = recipe_of(options)
    check_folder(options.out, "the model")
    with resumable(options.out):
        fit(
            options.data,
            options.out,
            recipe,
            options.test_share,
            options.device,
            options.jobs,
            options.log_dir,
            options.validation_share,
            options.system,
        )
    report = json.loads((options.out / "report.json").read_text(encoding="utf-8"))
    clips, history = report["clips"]["train"], report["history"]
    print(f"Trained on {clips} clips", end="")
    print(f"; the last epoch classified {100 * history[-1]['accuracy']:.1f} % correctly." if history else ".")
    if history and (sentence := advice(history[-1], clips, len(report["labels"]), recipe.batch_size)):
        print(f"note: {sentence}")
    print(report["split"])
    if history and (validation := history[-1].get("validation")):
        print(f"Validation after the last epoch: UAR {100 * validation['uar']:.1f} %.")
    if "metrics" in report:
        print(f"\n{score(report['metrics'], report['labels'], 'that were held out')}")
    else:
        print("`cross-validate` tells what to expect of such a model.")
    if "baselines" in report:  # models of earlier versions have none
        remedy = f"`predict {options.out / BASELINE}` uses it; --system {SVM} trains it alone."
        print(f"\n{comparison(options.system, report, remedy)}")
    print(f"\nmodel: {options.out}")
    if (page := options.out / PAGE).exists():  # models of earlier versions have none
        print(f"report: {page}")


def recipe_of(options: argparse.Namespace) -> Recipe:
    """Return the settings of a training that the options of ``add_recipe`` state."""
    from freqcnn_gluon.own.recipe import Recipe

    return Recipe(
        options.architecture,
        options.size,
        options.epochs,
        options.batch_size,
        options.learning_rate,
        options.seed,
        options.frequency,
        options.dtype,
        options.window,
    )
