"""`freqcnn predict`: recognise the labels of recordings."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from data_prep.base.faults import Faults, note
from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command

STDIN = "-"


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "predict",
        run,
        "recognise the labels of recordings",
        "A recording that is longer than every training\nclip is cut into windows, each with its times.",
        "model/ a.wav b.mp3",
        "model/ recordings/ --csv > labels.csv",
        "model/ - < talk.wav",
        "model.onnx a.wav   # without MXNet",
    )
    recogniser.add_recogniser(command)
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="recordings, folders of recordings, or - for standard input"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object per recording, one a line")
    form.add_argument("--csv", action="store_true", help="print CSV, one line per recording and window")
    recogniser.add_runtime(command)


def run(options: argparse.Namespace) -> int:
    from freqcnn_gluon.own.output import csv_printer, print_json, print_text
    from freqcnn_gluon.own.predict import predictions

    model = recogniser.load(options)
    labels, failed = model.about.labels, False
    show = print_json if options.json else csv_printer(labels) if options.csv else print_text
    with tempfile.TemporaryDirectory() as aside:
        names, paths = _expand(options.files, Path(aside))
        for name, path, prediction in zip(names, paths, predictions(model, paths, options.jobs)):
            if isinstance(prediction, Faults):
                failed = True
                print(f"error: {prediction}".replace(str(path), name), file=sys.stderr, flush=True)
            else:
                show(name, prediction, labels)
                sys.stdout.flush()
    return int(failed)


def _expand(arguments: Sequence[str], aside: Path) -> tuple[list[str], list[Path]]:
    """List the recordings' names and paths; standard input is copied to a file in `aside`."""
    names: list[str] = []
    paths: list[Path] = []
    for argument in arguments:
        if argument == STDIN:
            path = aside / "standard input"
            with open(path, "wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            names.append(STDIN)
            paths.append(path)
            continue
        files = _in_folder(Path(argument)) if Path(argument).is_dir() else [Path(argument)]
        names += map(str, files)
        paths += files
    return names, paths


def _in_folder(folder: Path) -> list[Path]:
    from data_prep.corpora.own import passed_over, recordings

    files, others = recordings(folder)
    if others:
        note(passed_over(folder, others))
    if not files:
        raise Faults(f"{folder}: holds no recordings; name a file, or a folder of recordings")
    return files
