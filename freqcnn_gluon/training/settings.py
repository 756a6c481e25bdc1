"""How a network is trained: the settings of one training, and the schedules and initialisers by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mxnet as mx

from data_prep.base.faults import Faults

__all__ = ["INITIALIZERS", "SCHEDULES", "Settings"]

INITIALIZERS = {
    "xavier": lambda: mx.init.Xavier(),
    "xavier_in": lambda: mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2),
    "uniform": lambda: mx.init.Uniform(0.07),
    "orthogonal": lambda: mx.init.Orthogonal(),
}
SCHEDULES = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "step": lambda done: 0.1 ** ((done >= 0.5) + (done >= 0.75)),
}


@dataclass(frozen=True)
class Settings:
    """How to train. The paper: SGD, ``learning_rate`` 'started from 0.01', momentum, weight decay
    (Sec. 5). ``micro_batch``: at most so many samples are in memory at once on a device; gradients
    add up over a batch, BatchNorm sees a micro-batch at a time. ``dtype``: see ``runtime.mixed_precision``.
    """

    epochs: int
    batch_size: int
    micro_batch: int
    seed: int = 0
    learning_rate: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-8
    schedule: str = "cosine"
    initializer: str = "xavier"
    dtype: str = "float32"

    def __post_init__(self):
        for kind, name, known in (
            ("schedule", self.schedule, SCHEDULES),
            ("initializer", self.initializer, INITIALIZERS),
        ):
            if name not in known:
                raise Faults(f"there is no {kind} '{name}': choose one of {', '.join(known)}")
