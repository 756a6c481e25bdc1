"""A trained model out of its ONNX file, without MXNet."""

from __future__ import annotations

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

        path = Path(path)
        if not path.is_file():
            raise Faults(f"{path}: is missing; `export MODEL --onnx FILE` writes it")
        try:
            # As bytes, since by its path a file could have onnxruntime read any other file of the machine.
            self.session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
            self.about = About.read(self.session.get_modelmeta().custom_metadata_map["freqcnn"])
        except Exception as error:  # onnxruntime's own errors have no common class
            reason = str(error).splitlines()[0] if str(error) else ""
            raise Faults(
                f"{path}: is no ONNX file that `export` wrote ({type(error).__name__}: {reason})"
            ) from None
        size, classes = self.about.images.size, len(self.about.labels)
        (given, *others), (told, *_) = self.session.get_inputs(), self.session.get_outputs()
        if others or given.shape[1:] != [1, size, size] or told.shape[1:] != [classes]:
            raise Faults(
                f"{path}: its network is not the one that its description speaks of; export it again"
            )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size)."""
        return self.session.run(None, {"image": np.asarray(images, np.float32)[:, None]})[0]
