"""Choose what runs a trained network: MXNet, or the ONNX runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from data_prep.base.faults import Faults
from data_prep.base.files import as_stored
from freqcnn_gluon.own.commands.parser import add_device, add_jobs

if TYPE_CHECKING:
    from freqcnn_gluon.own.predict import Recogniser


# What `fit` writes for a model
FILES = ("model.json", "model.safetensors", "report.json", "clips.csv", "report.html")
IN_FOLDER = "model.onnx"  # the ONNX file in a model's folder
INSTEAD = "the folder that `fit` wrote (`predict` and `evaluate` also take an ONNX file)"
ONNX_START = b"\x08"  # the field ir_version, which every exporter writes first


def add_recogniser(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", type=as_stored, metavar="MODEL", help="the folder that `fit` wrote, or an ONNX file"
    )


def add_runtime(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--runtime",
        choices=("mxnet", "onnx"),
        help="library that runs the network; onnx does not need MXNet (default: onnx for an ONNX file, "
        "otherwise mxnet)",
    )
    add_device(command)
    add_jobs(command)


def load(options: argparse.Namespace) -> Recogniser:
    """Load the model that the options name. Raises Faults if it cannot be loaded."""
    path: Path = options.model
    onnx = _onnx_file(path)
    if (options.runtime or ("onnx" if onnx else "mxnet")) == "onnx":
        from freqcnn_gluon.own.onnx_model import OnnxModel

        if options.device not in ("auto", "cpu"):
            raise Faults(f"--device {options.device}: ONNX models run on the CPU only; omit --device")
        return OnnxModel(onnx or folder(path) / IN_FOLDER)
    path = folder(path)  # before the import, which fails without MXNet
    from freqcnn_gluon.own.about import ABOUT, SVM, About

    if (path / ABOUT).is_file() and About.of_folder(path).architecture == SVM:
        from freqcnn_gluon.own.svm import Svm

        return Svm.load(path)
    from freqcnn_gluon.own.model import Model

    return Model.load(path, options.device)


def folder(path: Path) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        Faults: It is missing, or it is a file; the message says what to name instead.
    """
    if path.is_dir():
        return path
    if not path.exists():
        raise Faults(f"{path}: is missing; name {INSTEAD}")
    if path.name in FILES:
        raise Faults(f"{path}: is one file of a model; name its folder, {path.parent}")
    if _onnx_file(path):
        raise Faults(
            f"{path}: is an ONNX file, which only `predict` and `evaluate` run, without --runtime mxnet; "
            "name the folder that `fit` wrote"
        )
    raise Faults(f"{path}: is not a model; name {INSTEAD}")


def _onnx_file(path: Path) -> Path | None:
    """Return ``path`` if it is an ONNX file, or the ONNX file in a folder that holds only that; or None."""
    if path.is_dir():
        inside = path / IN_FOLDER
        return inside if inside.is_file() and not (path / FILES[0]).exists() else None
    if path.suffix.lower() == ".onnx":
        return path
    if path.name in FILES or not path.is_file():
        return None
    with open(path, "rb") as file:
        return path if file.read(1) == ONNX_START else None
