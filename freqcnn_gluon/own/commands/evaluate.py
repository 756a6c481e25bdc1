"""`freqcnn evaluate`: measure a model on labelled recordings."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.faults import Faults
from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command, check_folder

if TYPE_CHECKING:
    from freqcnn_gluon.own.about import About
    from freqcnn_gluon.own.predict import Evaluation


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
        "model/ other-recordings/ --out evaluation/",
        "model/ clips.csv --csv predictions.csv",
    )
    recogniser.add_recogniser(command)
    command.add_argument(
        "data", type=Path, metavar="DATA", help="labelled recordings: a folder or a CSV file, as for `fit`"
    )
    command.add_argument(
        "--csv", type=Path, metavar="FILE", help="write each clip's prediction to a CSV file"
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="write report.html for a browser, report.json and clips.csv into a folder",
    )
    recogniser.add_runtime(command)


def run(options: argparse.Namespace) -> None:
    from data_prep.base.files import whole
    from freqcnn_gluon.own.about import ABOUT, BASELINE, SVM, trained_on
    from freqcnn_gluon.own.output import comparison, score
    from freqcnn_gluon.own.predict import evaluate, write

    if options.out:
        _check_folder(options.out)
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
    remarks = []
    if skipped := evaluation.skipped:
        remarks.append(f"{skipped} clips are skipped, because the model was trained on their sound.")
    if training_clips is None:
        unknown = f"{options.model} has no list of its training clips"
        remarks.append(f"{unknown}, so these count too if they are here.")
    for remark in remarks:
        print(f"{remark}\n")
    print(score(evaluation.metrics, model.about.labels, f"of {options.data}"))
    if evaluation.scores["baselines"]:
        name = SVM if model.about.architecture == SVM else "freqcnn"
        print(f"\n{comparison(name, evaluation.scores, f'`predict {folder}` uses it.')}")
    if options.out:
        origin = f"Recordings of {options.data}, evaluated with the model {options.model}."
        page = _write(options.out, evaluation, model.about, " ".join([origin, *remarks]))
        print(f"\nreport: {page}")


def _check_folder(folder: Path) -> None:
    """Raise Faults if ``folder`` is a file, or holds a model or data whose clips.csv must stay."""
    check_folder(folder, "the report")
    if (folder / recogniser.FILES[0]).exists() or (folder / "work").exists():
        raise Faults(f"{folder}: is the folder of a model; name another folder for the report")
    if (folder / "clips.csv").exists() and not (folder / "report.json").exists():
        raise Faults(f"{folder}: has another clips.csv; name a new folder for the report")


def _write(folder: Path, evaluation: Evaluation, about: About, split: str) -> Path:
    """Write clips.csv, report.json and report.html into ``folder``, and return the page's path."""
    import json
    from dataclasses import asdict
    from datetime import datetime, timezone

    from data_prep.base.files import whole
    from freqcnn_gluon.own.about import CLIPS, REPORT
    from freqcnn_gluon.own.predict import write
    from freqcnn_gluon.own.report.page import write_page

    report = {
        "split": split,
        "labels": about.labels,
        **evaluation.scores,
        "clips": {"test": len(evaluation.clips), "skipped": evaluation.skipped},
        "architecture": about.architecture,
        "images": asdict(about.images),
        "network": about.network,
        "versions": about.versions,  # of the software that trained the model
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }
    with whole(folder / CLIPS) as path:
        write(evaluation.clips, path)
    with whole(folder / REPORT) as path:
        path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    return write_page(folder, report, evaluation.clips, evaluation.recordings)
