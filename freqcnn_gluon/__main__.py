"""``freqcnn``, also ``python -m freqcnn_gluon``: train and use FreqCNN on your own recordings."""

from __future__ import annotations

import argparse
import sys

from data_prep.base.commands import with_plain_errors
from data_prep.base.faults import Faults
from freqcnn_gluon import runtime
from freqcnn_gluon.own.commands import (
    cross_validate,
    describe,
    evaluate,
    explain,
    export,
    fit,
    launch,
    predict,
)
from freqcnn_gluon.own.commands.parser import PROGRAM, Parser

VERSION = "1.0.0"  # the only place: pyproject.toml reads it here
COMMANDS = (fit, cross_validate, evaluate, predict, explain, export, describe, launch)
# The extra that installs each package that is not always installed.
EXTRAS = dict.fromkeys("mxnet matplotlib onnx safetensors sklearn tensorboardX".split(), "cpu")
EXTRAS["onnxruntime"] = "onnx"
NEWEST = (3, 12)  # the newest Python with the numpy 1 that MXNet 1.9.1 needs


@with_plain_errors
def main(arguments: list[str] | None = None) -> int | None:
    """Run a command and return its exit code.

    Args:
        arguments: The command's words, by default those of the command line.
    """
    parser = Parser(
        prog=PROGRAM,
        description="FreqCNN for your own recordings: train, cross-validate, evaluate, predict, explain, "
        "export.",
        epilog="examples:\n"
        f"  {PROGRAM} fit recordings/ --out model/\n"
        f"  {PROGRAM} predict model/ new.wav\n"
        f"examples of one command: {PROGRAM} fit --help",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"freqcnn {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        return options.run(options)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise Faults(_missing(options.name, package)) from None
    finally:
        if sys.modules.get("mxnet"):
            runtime.start()  # otherwise MXNet starts as a command that ended early exits, and prints a line


def _missing(command: str, package: str) -> str:
    """Return a sentence that names the extra that installs a missing package."""
    extra = EXTRAS[package]
    gpu = " (or gpu, for an NVIDIA GPU)" if extra == "cpu" else ""
    python = ""
    if extra == "cpu" and sys.version_info[:2] > NEWEST:
        python = f" with Python {'.'.join(map(str, NEWEST))} or older, which MXNet needs"
    otherwise = ""
    if extra == "cpu" and command in ("predict", "evaluate"):
        otherwise = (
            "; or run `export MODEL --onnx model.onnx` where MXNet is installed, and give model.onnx to "
            f"`{command}`, which then needs the extra onnx only"
        )
    return (
        f"`{command}` needs the package {package}: install freqcnn-gluon with the extra {extra}{gpu}, as in "
        f"pip install '.[{extra}]' in its folder{python}{otherwise}"
    )


if __name__ == "__main__":
    raise SystemExit(main())
