"""FreqCNN in PyTorch, built from the same rows of the tables, with the same parameter names.

A careful user of PyTorch would write the same network. It has the same blocks as ``freqcnn_gluon`` and splits
the attention's first layer in the same way, so that the benchmark compares frameworks and not algebra.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from freqcnn_gluon.network.architectures import Architecture, AttentionRow, BlockRow, Conv, PoolRow

ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
NAMES = {"gamma": "weight", "beta": "bias", "running_var": "running_var", "running_mean": "running_mean"}


class ConvUnit(nn.Sequential):
    """(batch, in_channels, freq, time) -> (batch, conv.channels, freq / stride, time / stride)."""

    def __init__(self, conv: Conv, in_channels: int):
        super().__init__(
            nn.BatchNorm2d(in_channels),
            nn.Conv2d(in_channels, conv.channels, conv.kernel, conv.stride, conv.kernel // 2),
            nn.BatchNorm2d(conv.channels),
            ACTIVATIONS[conv.activation or "tanh"](),
        )


class Attention(nn.Module):
    """parts (batch, m, P), local (batch, n, Q) -> weights (batch, n, m)."""

    def __init__(self, row: AttentionRow, part_length: int, local_length: int):
        super().__init__()
        (width, first), *others = row.layers
        self.of_parts = nn.Linear(part_length, width)
        self.of_local = nn.Linear(local_length, width, bias=False)
        self.first = ACTIVATIONS[first]()
        layers = []
        for units, name in others:
            layers += [nn.Linear(width, units), ACTIVATIONS[name]()]
            width = units
        self.others = nn.Sequential(*layers)

    def forward(self, parts, local):
        hidden = self.first(self.of_parts(parts).unsqueeze(1) + self.of_local(local).unsqueeze(2))
        return self.others(hidden).squeeze(3)


class Block(nn.Module):
    """(batch, in_channels, size, size) -> (batch, channels, size, size), two segments along frequency."""

    def __init__(self, row: BlockRow, in_channels: int, size: int, segments: int = 2):
        super().__init__()
        self.segments = segments
        self.local = nn.ModuleList(ConvUnit(row.local, in_channels) for _ in range(segments))
        units = [ConvUnit(row.global_, in_channels)]
        for _ in range(row.global_convolutions - 1):
            units.append(ConvUnit(row.global_, row.global_.channels))
        self.global_ = nn.Sequential(*units)
        self.attention = None
        if row.attention:
            self.attention = Attention(row.attention, size**2, row.local.channels * size**2 // segments)

    def forward(self, x):
        global_ = self.global_(x)
        local = [unit(part) for unit, part in zip(self.local, x.chunk(self.segments, dim=2))]
        if self.attention is None:
            return global_ + torch.cat(local, dim=2)
        weights = self.attention(global_.flatten(2), torch.stack([a.flatten(1) for a in local], dim=1))
        return global_ * (1 + weights.sum(dim=1))[:, :, None, None]


class ConvAndPool(nn.Sequential):
    """A 'Conv. and pool' row: halves both sides of the maps, or averages them away in the last row."""

    def __init__(self, row: PoolRow, in_channels: int):
        layers: list[nn.Module] = []
        for conv in row.convs:
            layers.append(ConvUnit(conv, in_channels))
            in_channels = conv.channels
        layers += [nn.MaxPool2d(2)] if row.pool == "max" else [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        if row.dropout:
            layers.append(nn.Dropout(row.dropout))
        super().__init__(*layers)


class FreqCNN(nn.Module):
    """(batch, 1, size, size) -> (batch, classes) logits, like ``freqcnn_gluon.FreqCNN`` with its defaults."""

    def __init__(self, architecture: Architecture, size: int | None = None):
        super().__init__()
        size = size or architecture.size
        stages, channels = [], 1
        for row, pool in architecture.rows:
            stages.append(Block(row, channels, size))
            stages.append(ConvAndPool(pool, row.global_.channels))
            channels, size = pool.convs[-1].channels, size // 2
        self.stages = nn.Sequential(*stages)
        row = architecture.fc
        self.head = nn.Module()
        self.head.fc = nn.Sequential(
            nn.Linear(channels, row.width), ACTIVATIONS[row.activation](), nn.Dropout(row.dropout)
        )
        self.head.softmax = nn.Linear(row.width, architecture.classes)

    def forward(self, x):
        return self.head.softmax(self.head.fc(self.stages(x)))

    def take(self, parameters: dict[str, np.ndarray]) -> None:
        """Load all parameters of our network by their structural names (``_collect_params_with_prefix``)."""
        self.load_state_dict(
            {torch_name(name): torch.from_numpy(value) for name, value in parameters.items()}
            | {name: value for name, value in self.state_dict().items() if name.endswith("batches_tracked")}
        )

    def gradients(self, images: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the logits and the summed loss's gradients by torch's names, in training without dropout."""
        self.train()
        for layer in self.modules():
            if isinstance(layer, nn.Dropout):
                layer.eval()
        self.zero_grad()
        logits = self(torch.from_numpy(images))
        F.cross_entropy(logits, torch.from_numpy(labels).long(), reduction="sum").backward()
        return logits.detach().numpy(), {name: p.grad.numpy() for name, p in self.named_parameters()}


def torch_name(name: str) -> str:
    """Return torch's name of our parameter ``name``: it calls BatchNorm's gamma and beta weight and bias."""
    stem, _, last = name.rpartition(".")
    return f"{stem}.{NAMES.get(last, last)}"
