"""A trained model out of its ONNX file, without MXNet."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from data_prep.base.faults import Faults
from freqcnn_gluon.own.about import About

__all__ = ["OnnxModel"]

MEMORY = 8 * 2**30  # bytes that a network may take; Table 2's takes one or two


class OnnxModel:
    """What ``model.Model`` is to its user, run by onnxruntime: ``about``, ``probabilities``."""

    def __init__(self, path: Path | str):
        """Raises Faults for a file that is missing or was not written by ``export``."""
        self.path = path = Path(path)
        if not path.is_file():
            raise Faults(f"{path}: is missing; `export MODEL --onnx FILE` writes it")
        try:
            self.session = _session(path.read_bytes())
            self.about = About.read(self.session.get_modelmeta().custom_metadata_map["freqcnn"])
            given = [(each.name, each.type, each.shape[1:]) for each in self.session.get_inputs()]
            told = [(each.type, each.shape[1:]) for each in self.session.get_outputs()]
        except Exception as error:  # onnxruntime's own errors have no common class
            raise Faults(f"{path}: is no ONNX file that `export` wrote ({_reason(error)})") from None
        size, classes = self.about.images.size, len(self.about.labels)
        kind = "tensor(float)"
        if given != [("image", kind, [1, size, size])] or told[:1] != [(kind, [classes])]:
            raise Faults(
                f"{path}: its network is not the one that its description speaks of; export it again"
            )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """(n, classes) of ``images`` (n, size, size). Raises Faults for a network that cannot be run."""
        try:
            found = self.session.run(None, {"image": np.asarray(images, np.float32)[:, None]})[0]
        except Exception as error:
            raise Faults(f"{self.path}: cannot be run ({_reason(error)})") from None
        if found.shape != (len(images), len(self.about.labels)):
            raise Faults(
                f"{self.path}: gives {found.shape} numbers of {len(images)} recordings; export it again"
            )
        return found


def _session(content: bytes):
    """A file comes from anybody: it is given as bytes, since by its path it could have onnxruntime read any
    other file of the machine; nothing is computed before it is run; and its memory is bounded then.
    """
    import onnxruntime

    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it writes to stderr is in the exception too
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["ConstantFolding"],
        enable_fallback=0,  # there is no other provider, and it prints to stdout that it takes one
    )


@functools.cache
def _bound_memory() -> None:
    import onnxruntime

    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    bounds = onnxruntime.OrtArenaCfg({"max_mem": MEMORY, "arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(info, bounds)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
