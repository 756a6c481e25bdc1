"""FreqCNN in MXNet Gluon: networks trained on spectrograms, and models trained on your own recordings.

Import this package before ``mxnet``: it restores names that MXNet 1.9.1 needs from numpy, lets MXNet use all
cores, and loads the CUDA libraries of the GPU set (see ``runtime.prepare``).
"""

import importlib

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime

try:
    runtime.prepare()
except Faults as faults:
    # An import has no command around it to report faults, and the sentence is clearer than a traceback.
    raise SystemExit(f"error: {faults}") from None

_EXPORTS = {
    "ARCHITECTURES": "network.architectures",
    "architecture": "network.architectures",
    "FreqCNN": "network.freqcnn",
    "Examples": "training.examples",
    "Settings": "training.settings",
    "predict": "training.loop",
    "train": "training.loop",
    "Model": "own.model",
    "OnnxModel": "own.onnx_model",
    "Recipe": "own.recipe",
    "fit": "own.fit",
    "cross_validate": "own.cross_validation",
    "evaluate": "own.predict",
    "predictions": "own.predict",
    "AudioToImages": "own.audio_to_images",
    "FreqCNNClassifier": "own.classifier",
    "spectrograms": "own.classifier",
}
__all__ = ["Faults", *_EXPORTS]


def __getattr__(name: str):
    """Import an exported name at its first use, because most of them import MXNet, which takes seconds."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
