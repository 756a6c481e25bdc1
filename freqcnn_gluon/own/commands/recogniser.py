"""Choose what runs a trained network: MXNet, or the ONNX runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.faults import Faults
from freqcnn_gluon.own.commands.parser import add_device, add_jobs

if TYPE_CHECKING:
    from freqcnn_gluon.own.predict import Recogniser


def add_recogniser(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", type=Path, metavar="MODEL", help="the folder that `fit` wrote, or an ONNX file"
    )


def add_runtime(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--runtime",
        choices=("mxnet", "onnx"),
        help="library that runs the network; onnx needs no MXNet (default: onnx for an ONNX file, otherwise "
        "mxnet)",
    )
    add_device(command)
    add_jobs(command)


def load(options: argparse.Namespace) -> Recogniser:
    """Load the model that the options name. Raises Faults if it cannot be loaded."""
    path: Path = options.model
    runtime = options.runtime or ("onnx" if path.suffix == ".onnx" else "mxnet")
    if runtime == "onnx":
        from freqcnn_gluon.own.onnx_model import OnnxModel

        if options.device not in ("auto", "cpu"):
            raise Faults(f"--device {options.device}: ONNX models run on the CPU only; omit --device")
        return OnnxModel(path / "model.onnx" if path.is_dir() else path)
    from freqcnn_gluon.own.model import Model

    return Model.load(path, options.device)
