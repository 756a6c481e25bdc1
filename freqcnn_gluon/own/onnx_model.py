"""Run a trained model from its ONNX file, without MXNet."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from data_prep.base.cores import cores, processors
from data_prep.base.faults import Faults
from freqcnn_gluon.own.about import About
from freqcnn_gluon.own.predict import BadInput, checked_images

__all__ = ["OnnxModel"]

MEMORY = 8 * 2**30  # most bytes that all sessions may take; the network of Table 2 takes one or two GiB


class OnnxModel:
    """A trained network that onnxruntime runs; used like ``model.Model``.

    It can be called from several threads at once, used after a fork, and pickled.

    Attributes:
        path: The ONNX file.
        about: The model's description.
        takes: 'image' or 'waveform', as the model was exported.
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
        known = [[("image", kind, [1, size, size])], [("waveform", kind, ["samples"])]]
        if inputs not in known or outputs[:1] != [(kind, [classes])]:
            raise Faults(f"{path}: its network does not match its description; export the model again")
        self.takes = inputs[0][0]

    def probabilities(self, inputs: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Compute the probabilities (n, classes) of n inputs of the kind that the model ``takes``.

        Args:
            inputs: Images (n, size, size); or n waveforms (samples,), mono at ``about.images.rate``, full
                scale 1. Their lengths may differ. Each waveform becomes one image, however long it is.

        Raises:
            BadInput: The images have another size, a waveform is empty or not one-dimensional, or values are
                not finite.
            Faults: The network cannot be run.
        """
        if self.takes == "image":
            return self._run(checked_images(inputs, self.about.images.size)[:, None])
        return np.concatenate([self._run(waveform[None]) for waveform in _checked_waveforms(inputs)])

    def _run(self, batch: np.ndarray) -> np.ndarray:
        """Run the session on a batch of its input."""
        try:
            result = self.session.run(None, {self.takes: batch})[0]
        except Exception as error:
            raise Faults(f"{self.path}: cannot be run ({_reason(error)}); export the model again") from None
        if result.shape != (len(batch), len(self.about.labels)):
            raise Faults(
                f"{self.path}: returns an array {result.shape} for {len(batch)} recordings; export the model "
                "again"
            )
        return result


def _checked_waveforms(waveforms: np.ndarray | Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return waveforms (samples,) as float32.

    Raises:
        BadInput: There is none, one is not one-dimensional or empty, or values are not finite real numbers.
    """
    values = [np.asarray(waveform) for waveform in waveforms]
    if not values:
        raise BadInput("there are no waveforms; pass one or more")
    for waveform in values:
        if waveform.ndim != 1 or not waveform.size or waveform.dtype.kind not in "fiub":
            raise BadInput(
                f"the waveforms have the shape {waveform.shape} and the type {waveform.dtype}; each must be "
                "(samples,) real numbers with one sample or more"
            )
    with np.errstate(over="ignore"):  # values too large for float32 become infinite and are reported below
        values = [waveform.astype(np.float32, copy=False) for waveform in values]
    if not all(np.isfinite(waveform).all() for waveform in values):
        raise BadInput("the waveforms have values that are not finite (NaN or infinity)")
    return values


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
