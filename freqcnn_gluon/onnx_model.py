"""A trained model out of its ONNX file, without MXNet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from data_prep.faults import Faults

from .about import About

__all__ = ["OnnxModel"]


class OnnxModel:
    """What ``model.Model`` is to its user, run by onnxruntime: ``about``, ``probabilities``."""

    def __init__(self, path: Path | str):
        """Raises Faults for a file that is missing or was not written by ``export``."""
        import onnxruntime

        if not Path(path).is_file():
            raise Faults(f"{path}: is missing; `export MODEL --onnx FILE` writes it")
        try:
            self.session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            self.about = About.read(json.loads(self.session.get_modelmeta().custom_metadata_map["freqcnn"]))
        except Exception as error:  # onnxruntime's own errors have no common class
            raise Faults(
                f"{path}: is no ONNX file that `export` wrote ({type(error).__name__}: {error})"
            ) from None

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size)."""
        return self.session.run(None, {"image": np.asarray(images, np.float32)[:, None]})[0]
