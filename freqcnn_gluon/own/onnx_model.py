"""Run a trained model from its ONNX file, without MXNet."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import onnxruntime

from data_prep.base.cores import cores, processors
from data_prep.base.faults import Faults
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.predict import checked_images

__all__ = ["OnnxModel"]

MEMORY = 8 * 2**30  # most bytes that all sessions may take; the network of Table 2 takes one or two GiB


class OnnxModel:
    """A trained network that onnxruntime runs; used like ``model.Model``.

    It can be called from several threads at once, used after a fork, and pickled.

    Attributes:
        path: The ONNX file.
        about: The model's description.
    """

    def __init__(self, path: Path | str):
        """Load an ONNX file. Raises Faults if it is missing or ``export`` did not write it."""
        self.path = path = Path(path)
        if not path.is_file():
            raise Faults(
                f"{path}: is missing; `export MODEL --onnx {path}` writes it, where MXNet is installed"
            )
        self._open(path.read_bytes())

    def __getstate__(self) -> dict:
        """Return the state for pickle and copy, because a session cannot be pickled."""
        return {"path": self.path, "content": self._content}

    def __setstate__(self, state: dict) -> None:
        """Open the network again, from the same bytes."""
        self.path = state["path"]
        self._open(state["content"])

    def _open(self, content: bytes) -> None:
        """Open a session on the content of a file, and check it."""
        path, self._content = self.path, content
        try:
            self.session = _session(content)
            self.about = About.read(self.session.get_modelmeta().custom_metadata_map["freqcnn"])
            inputs = [(value.name, value.type, value.shape[1:]) for value in self.session.get_inputs()]
            outputs = [(value.type, value.shape[1:]) for value in self.session.get_outputs()]
        except Exception as error:  # onnxruntime's errors have no common class
            raise Faults(
                f"{path}: is not an ONNX file that `export` wrote ({_reason(error)}); export the model again"
            ) from None
        size, classes = self.about.images.size, len(self.about.labels)
        kind = "tensor(float)"
        if inputs != [("image", kind, [1, size, size])] or outputs[:1] != [(kind, [classes])]:
            raise Faults(f"{path}: its network does not match its description; export the model again")

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Compute the probabilities (n, classes) of ``images`` (n, size, size).

        Raises:
            BadInput: The images have another size, or values that are not finite.
            Faults: The network cannot be run.
        """
        images = checked_images(images, self.about.images.size)
        try:
            result = self.session.run(None, {"image": images[:, None]})[0]
        except Exception as error:
            raise Faults(f"{self.path}: cannot be run ({_reason(error)}); export the model again") from None
        if result.shape != (len(images), len(self.about.labels)):
            raise Faults(
                f"{self.path}: returns an array {result.shape} for {len(images)} recordings; export the "
                "model again"
            )
        return result


def _session(content: bytes) -> onnxruntime.InferenceSession:
    """Open a session on a file that need not be trusted.

    onnxruntime gets the file's bytes, because with a path it would read other files that the file names.
    Constants are not folded, so that nothing is computed before the memory is limited.
    """
    _bound_memory()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # the exception has the same text as stderr
    options.intra_op_num_threads = _threads()  # the default: all cores of the host, pinned
    options.add_session_config_entry("session.use_env_allocators", "1")
    return onnxruntime.InferenceSession(
        content,
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["ConstantFolding"],
        enable_fallback=0,  # the fallback is the same provider and prints a line on stdout
    )


def _threads() -> int:
    """Return OMP_NUM_THREADS, limited to the processors of this process; by default its cores."""
    stated = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if stated.isdecimal() and int(stated):
        return min(int(stated), processors())
    return cores()


@functools.cache
def _bound_memory() -> None:
    """Limit what all sessions allocate to MEMORY bytes."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    info = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    bounds = onnxruntime.OrtArenaCfg({"max_mem": MEMORY, "arena_extend_strategy": 1})
    onnxruntime.create_and_register_allocator(info, bounds)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
