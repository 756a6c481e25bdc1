"""`freqcnn evaluate`: measure a model on labelled recordings."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "evaluate",
        run,
        "measure a model on labelled recordings",
        "Clips that the model was trained on are skipped, and so are cuts that overlap them. The baselines "
        "that `fit` trained on the same clips are measured, too: an SVM on statistics of MFCCs, and the most "
        "frequent label. All have 95 % intervals over clips and, if the data names speakers, over speakers.",
        "model/ other-recordings/",
        "model/ clips.csv --csv predictions.csv",
    )
    recogniser.add_recogniser(command)
    command.add_argument(
        "data", type=Path, metavar="DATA", help="labelled recordings: a folder or a CSV file, as for `fit`"
    )
    command.add_argument(
        "--csv", type=Path, metavar="FILE", help="write each clip's prediction to a CSV file"
    )
    recogniser.add_runtime(command)


def run(options: argparse.Namespace) -> None:
    from data_prep.base.files import whole
    from freqcnn_gluon.own.about import ABOUT, BASELINE, SVM, trained_on
    from freqcnn_gluon.own.output import comparison, score
    from freqcnn_gluon.own.predict import evaluate, write

    model = recogniser.load(options)
    training_clips = trained_on(options.model)
    baseline, folder = None, options.model / BASELINE
    if (folder / ABOUT).is_file():
        from freqcnn_gluon.own.svm import Svm

        baseline = Svm.load(folder)
    with contextlib.ExitStack() as stack:
        # A file that cannot be written ends the command before the evaluation, not after it.
        table = stack.enter_context(whole(options.csv)) if options.csv else None
        evaluation = evaluate(model, options.data, training_clips, options.jobs, baseline)
        if table:
            write(evaluation.clips, table)
    if evaluation.skipped:
        print(f"{evaluation.skipped} clips are skipped, because the model was trained on their sound.\n")
    if training_clips is None:
        print(f"{options.model} has no list of its training clips, so these count too if they are here.\n")
    print(score(evaluation.metrics, model.about.labels, f"of {options.data}"))
    if evaluation.scores["baselines"]:
        name = SVM if model.about.architecture == SVM else "freqcnn"
        print(f"\n{comparison(name, evaluation.scores, f'`predict {folder}` uses it.')}")
