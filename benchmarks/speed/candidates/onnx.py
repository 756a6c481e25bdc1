"""The same network in onnxruntime."""

from __future__ import annotations

import onnxruntime

from candidates import batch_of
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES


class Infer:
    """Prediction of a batch's logits, from numpy array to numpy array, with the ONNX file ``path``."""

    def __init__(self, path: str, table: str, size: int, batch: int):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = runtime.threads()
        self.versions = {"onnxruntime": onnxruntime.__version__}
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.images, _ = batch_of(batch, size, ARCHITECTURES[table].classes)

    def run(self) -> None:
        (self.logits,) = self.session.run(None, {self.session.get_inputs()[0].name: self.images})
