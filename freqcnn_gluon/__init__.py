"""FreqCNN in MXNet Gluon: arrays in, trained networks out; and recordings in, for who has some.

Import this package before ``mxnet``: it puts back what MXNet 1.9.1 misses in numpy, gives it all
the cores, and loads the CUDA libraries of the GPU set (see ``runtime.prepare``).
"""

import importlib

from data_prep.base.faults import Faults
from freqcnn_gluon import runtime

try:
    runtime.prepare()
except Faults as faults:
    # No command's own handler is in place this early, and the sentence says more than a traceback.
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
    "Recipe": "own.fit",
    "fit": "own.fit",
    "evaluate": "own.predict",
    "predictions": "own.predict",
    "FreqCNNClassifier": "own.classifier",
    "spectrograms": "own.classifier",
}
__all__ = list(_EXPORTS)


def __getattr__(name: str):
    """The names above, each imported when first asked for: most of them bring MXNet, which takes seconds."""
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_EXPORTS[name]}"), name)
