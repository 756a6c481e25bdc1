"""`freqcnn export`: export a model for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from data_prep.base.faults import Faults
from data_prep.base.files import as_stored
from freqcnn_gluon.own.commands import recogniser
from freqcnn_gluon.own.commands.parser import Commands, add_command


def add(commands: Commands) -> None:
    command = add_command(
        commands,
        "export",
        run,
        "export a model for use without MXNet or without this package",
        "The ONNX file takes any number of spectrograms, or of sounds as samples, and returns probabilities. "
        "Its metadata holds the labels and the feature settings (docs/onnx.md). `predict` and `evaluate` run "
        "it without MXNet.",
        "model/ --onnx model.onnx",
        "model/ --onnx model.onnx --input waveform   # from samples to probabilities",
        "model/ --symbol exported/model   # -symbol.json and -0000.params",
    )
    command.add_argument("model", type=as_stored, metavar="MODEL", help="the folder that `fit` wrote")
    form = command.add_mutually_exclusive_group(required=True)
    form.add_argument("--onnx", type=Path, metavar="FILE", help="write an ONNX file (docs/onnx.md)")
    form.add_argument("--symbol", type=Path, metavar="PREFIX", help="write MXNet's symbol and parameters")
    command.add_argument(
        "--input",
        choices=("image", "waveform"),
        default="image",
        help="what the ONNX file takes: spectrograms, or mono samples of any length at the model's sampling "
        "rate (default: image)",
    )


def run(options: argparse.Namespace) -> None:
    from freqcnn_gluon.own.export import to_onnx, to_symbol
    from freqcnn_gluon.own.model import Model

    if options.symbol and options.input == "waveform":
        raise Faults("--input waveform: MXNet's symbol takes images only; use --onnx, or omit --input")
    model = Model.load(recogniser.folder(options.model), "cpu")
    if options.onnx:
        difference = to_onnx(model, options.onnx, options.input)
        print(f"wrote {options.onnx} ({_megabytes(options.onnx)}; input: {options.input})")
        print(f"Its probabilities differ from MXNet's by at most {difference:.1e}.")
    else:
        for path in to_symbol(model, options.symbol):
            print(f"wrote {path} ({_megabytes(path)})")


def _megabytes(path: Path) -> str:
    """Return the size of a file for the user."""
    return f"{path.stat().st_size / 1e6:.1f} MB"
