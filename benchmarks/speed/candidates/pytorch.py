"""The same network in PyTorch (``twin``), with each option that makes PyTorch fast on a CPU."""

from __future__ import annotations

import contextlib

import numpy as np
import torch
import torch._inductor.config
from torch.nn import functional as F
from twin import FreqCNN, torch_name

from candidates import batch_of
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import ARCHITECTURES


class Network:
    """The twin of ``table``, and a batch for it.

    Args:
        table: 'table2', 'table7' or 'table10'.
        size: Side of the images in pixels.
        batch: Number of images.
        channels_last: Use that memory format.
        compiled: Use torch.compile.
        bfloat16: Compute under autocast.
    """

    def __init__(
        self,
        table: str,
        size: int,
        batch: int,
        channels_last: bool = False,
        compiled: bool = False,
        bfloat16: bool = False,
    ):
        torch.manual_seed(0)
        torch.set_num_threads(runtime.threads())
        self.versions = {"torch": torch.__version__}
        self.net = FreqCNN(ARCHITECTURES[table], size)
        images, labels = batch_of(batch, size, ARCHITECTURES[table].classes)
        self.images, self.labels = torch.from_numpy(images), torch.from_numpy(labels).long()
        if channels_last:
            self.net = self.net.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.called = torch.compile(self.net) if compiled else self.net
        self.casting = torch.autocast("cpu", torch.bfloat16) if bfloat16 else contextlib.nullcontext()


class Answer(Network):
    """The comparison of the twin's output and gradients with ours."""

    def differences(self, weights: str, path: str) -> dict[str, float]:
        """Return the largest differences from ours, of the logits and of any gradient.

        A difference is relative to the array's largest value. If a gradient consists of rounding errors only,
        as of a bias before BatchNorm, it is relative to a thousandth of the largest gradient in the network.

        Args:
            weights: File with our network's parameters, as ``candidates.gluon.Answer`` writes it.
            path: File with our logits and gradients, likewise.
        """
        with np.load(weights) as parameters, np.load(path) as file:
            self.net.double().take(dict(parameters))
            ours = dict(file)
        logits, gradients = self.net.gradients(self.images.double().numpy(), self.labels.numpy())
        theirs = ours.pop("logits")
        largest = max(np.abs(array).max() for array in ours.values())
        worst = {
            name: np.abs(array - gradients[torch_name(name)]).max() / max(np.abs(array).max(), largest / 1000)
            for name, array in ours.items()
        }
        return {
            "logits": float(np.abs(logits - theirs).max() / np.abs(theirs).max()),
            "gradient": float(max(worst.values())),
            "gradients": len(worst),
        }


class Step(Network):
    """One training step with PyTorch's fastest SGD."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.net.train()
        self.optimizer = torch.optim.SGD(
            self.net.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-8, fused=True
        )

    def run(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with self.casting:
            loss = F.cross_entropy(self.called(self.images), self.labels)
        loss.backward()
        self.optimizer.step()


class Infer(Network):
    """Prediction of a batch's logits, from numpy array to numpy array."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        torch._inductor.config.freezing = True  # lets the compiler fold and reorder weights in advance
        self.net.eval()

    def run(self) -> None:
        with torch.inference_mode(), self.casting:
            self.logits = self.called(self.images).float().numpy()

    def export(self, path: str) -> None:
        """Write the twin as an ONNX file for onnxruntime."""
        torch.onnx.export(self.net, (self.images,), path, dynamo=False, opset_version=17)
