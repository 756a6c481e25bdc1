"""`freqcnn fit`: train a network on labelled recordings."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from data_prep.base.commands import resumable
from data_prep.base.faults import Faults
from freqcnn_gluon.own.commands.parser import Commands, add_command, add_device, add_jobs

ENOUGH = 100  # training steps after which BatchNorm's running statistics fit the trained network


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "fit",
        run,
        "train a network on labelled recordings",
        "Some clips are held out to measure the network: whole speakers, if the data names speakers. The "
        "same command resumes an interrupted training.",
        "recordings/ --out model/",
        "clips.csv --out model/ --architecture table10 --epochs 40 --log-dir logs/",
        "recordings/ --out model/ --size 224 --device gpu:0   # the paper's size",
    )
    command.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="a folder with a folder of recordings for each label, or a CSV file with the columns path and "
        "label and, optionally, speaker, partition (train or test), start and stop (s)",
    )
    command.add_argument("--out", type=Path, required=True, metavar="MODEL", help="folder for the model")
    command.add_argument(
        "--architecture", default="table7", help="table2, table7 (the smallest) or table10 (default: table7)"
    )
    command.add_argument(
        "--size", type=int, default=64, help="side of the spectrograms in pixels (default: 64)"
    )
    command.add_argument("--epochs", type=int, default=20, help="number of epochs (default: 20)")
    command.add_argument(
        "--batch-size", type=int, default=16, help="number of clips per training step (default: 16)"
    )
    command.add_argument(
        "--learning-rate", type=float, default=0.01, help="initial learning rate of SGD (default: 0.01)"
    )
    command.add_argument(
        "--seed", type=int, default=0, help="seed of the split and the training (default: 0)"
    )
    command.add_argument(
        "--test-share", type=float, default=0.2, help="share of the clips to hold out (default: 0.2)"
    )
    command.add_argument("--log-dir", type=Path, help="folder for TensorBoard logs")
    add_device(command)
    add_jobs(command)


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.about import PAGE
    from freqcnn_gluon.own.fit import Recipe, diverged, fit
    from freqcnn_gluon.own.output import score

    recipe = Recipe(
        options.architecture,
        options.size,
        options.epochs,
        options.batch_size,
        options.learning_rate,
        options.seed,
    )
    if options.out.exists() and not options.out.is_dir():
        raise Faults(f"{options.out}: is a file, not a folder; name a new folder for the model")
    with resumable(options.out):
        fit(
            options.data,
            options.out,
            recipe,
            options.test_share,
            options.device,
            options.jobs,
            options.log_dir,
        )
    report = json.loads((options.out / "report.json").read_text(encoding="utf-8"))
    clips, last = report["clips"]["train"], report["history"][-1]
    print(f"Trained on {clips} clips; the last epoch classified {100 * last['accuracy']:.1f} % correctly.")
    print(report["split"], end="\n\n")
    print(score(report["metrics"], report["labels"], "that were held out"))
    print(f"\nmodel: {options.out}")
    if (page := options.out / PAGE).exists():  # models of earlier versions have none
        print(f"report: {page}")
    steps = clips * recipe.epochs // min(recipe.batch_size, clips)
    # More epochs would not help a training that diverged; its own note advises what does.
    if steps < ENOUGH and not diverged(last["loss"], len(report["labels"])):
        print(
            f"note: {steps} training steps are too few for BatchNorm's running statistics, which predictions "
            f"use. Train with --epochs {-(-ENOUGH * recipe.epochs // max(1, steps))} or more into another "
            "folder."
        )
