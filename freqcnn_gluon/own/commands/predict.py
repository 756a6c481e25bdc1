"""`freqcnn predict`: recognise the labels of recordings."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from data_prep.base.commands import STDOUT
from data_prep.base.faults import Faults, note
from data_prep.base.files import as_stored, naming
from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command

STDIN = "-"


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "predict",
        run,
        "recognise the labels of recordings",
        "A recording that is longer than every training clip is cut into windows, and the output states "
        "each window's times.",
        "model/ a.wav b.mp3",
        "model/ recordings/ --csv > labels.csv",
        "model/ - < talk.wav",
        "model/ -- -a.wav   # a name that begins with a hyphen",
        "model.onnx a.wav   # without MXNet",
    )
    recogniser.add_recogniser(command)
    command.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="recordings, folders of recordings, pipes, or - for standard input",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one line of JSON for each recording")
    form.add_argument(
        "--csv", action="store_true", help="print CSV, one line for each recording and each window"
    )
    recogniser.add_runtime(command)


def run(options: argparse.Namespace) -> int:
    from freqcnn_gluon.own.output import csv_printer, print_json, print_text
    from freqcnn_gluon.own.predict import predictions

    model = recogniser.load(options)
    labels, failed = model.about.labels, False
    with naming(STDOUT):
        show = print_json if options.json else csv_printer(labels) if options.csv else print_text
    with contextlib.ExitStack() as stack:
        names, paths = _expand(options.files, stack)
        for name, path, prediction in zip(names, paths, predictions(model, paths, options.jobs)):
            if isinstance(prediction, Faults):
                failed = True
                print(f"error: {prediction}".replace(str(path), name), file=sys.stderr, flush=True)
            else:
                with naming(STDOUT):
                    show(name, prediction, labels)
                    sys.stdout.flush()
    return int(failed)


def _expand(arguments: Sequence[str], stack: contextlib.ExitStack) -> tuple[list[str], list[Path]]:
    """List the recordings' names and paths. Pipes are copied to files, which ``stack`` removes."""
    names: list[str] = []
    paths: list[Path] = []
    if arguments.count(STDIN) > 1:
        raise Faults(
            f"{STDIN}: is given {arguments.count(STDIN)} times, but can be read only once; give it once"
        )
    for argument in arguments:
        if argument == STDIN:
            if sys.stdin is None:
                raise Faults(f"{STDIN}: standard input is closed; give it a recording, as in `- < talk.wav`")
            names.append(STDIN)
            paths.append(_copied(STDIN, sys.stdin.buffer, stack))
            continue
        path = as_stored(argument)
        if path.is_fifo():  # `predict model <(command)` in a shell
            names.append(argument)
            with open(path, "rb") as pipe:
                paths.append(_copied(argument, pipe, stack))
            continue
        files = _in_folder(path) if path.is_dir() else [path]
        names += map(str, files)
        paths += files
    return names, paths


def _copied(name: str, pipe: BinaryIO, stack: contextlib.ExitStack) -> Path:
    """Copy a pipe to a temporary file, because sound is read from any position."""
    try:
        aside = stack.enter_context(tempfile.TemporaryDirectory())
    except FileNotFoundError:
        raise Faults(
            f"{name}: no folder for temporary files can be written; set TMPDIR to one, or name a file"
        ) from None
    path = Path(aside) / "standard input"
    with naming(path), open(path, "wb") as file:
        shutil.copyfileobj(pipe, file)
    return path


def _in_folder(folder: Path) -> list[Path]:
    from data_prep.corpora.own import recordings, skipped_note

    files, other_files = recordings(folder)
    if other_files:
        note(skipped_note(folder, other_files))
    if not files:
        raise Faults(f"{folder}: holds no recordings; name a file, or a folder of recordings")
    return files
