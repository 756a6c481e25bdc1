"""The settings of a training, and the schedules and initialisers by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import mxnet as mx

from data_prep.base.faults import Faults
from freqcnn_gluon.training.memory import MEMORY
from freqcnn_gluon.training.normalisation import NORMALISATIONS

__all__ = ["INITIALIZERS", "SCHEDULES", "Settings"]

# The paper states neither the initialisation nor the schedule.
INITIALIZERS = {
    "xavier": lambda: mx.init.Xavier(),
    "xavier_in": lambda: mx.init.Xavier(rnd_type="gaussian", factor_type="in", magnitude=2),
    "uniform": lambda: mx.init.Uniform(0.07),  # the default of Gluon
    "uniform_module": lambda: mx.init.Uniform(0.01),  # the default of MXNet's Module
    "orthogonal": lambda: mx.init.Orthogonal(),
}
# The factor of the learning rate, by the share of the training that is done, 0 to 1.
SCHEDULES = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "step": lambda done: 0.1 ** ((done >= 0.5) + (done >= 0.75)),  # a MultiFactorScheduler
    "factor": lambda done: 0.5 ** int(10 * done),  # a FactorScheduler whose step is a tenth of the training
}


@dataclass(frozen=True)
class Settings:
    """The settings of a training by SGD with momentum and weight decay (Sec. 5).

    Attributes:
        epochs: Number of epochs.
        batch_size: Number of samples per step.
        micro_batch: Largest number of samples on a device at a time. Gradients add up over a batch. BatchNorm
            sees one micro-batch at a time.
        seed: Seed of weights, order and dropout.
        learning_rate: Rate at the start; Sec. 5's 'started from 0.01'.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD.
        schedule: A key of SCHEDULES.
        initializer: A key of INITIALIZERS.
        normalise: See ``normalisation.normalise``.
        memory: GB that limited ``micro_batch``, see ``memory.micro_batch``. It is only recorded here.
        dtype: See ``runtime.mixed_precision``.
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
    normalise: str = "none"
    dtype: str = "float32"
    memory: float = MEMORY

    def __post_init__(self):
        for kind, name, known in (
            ("schedule", self.schedule, SCHEDULES),
            ("initializer", self.initializer, INITIALIZERS),
            ("normalisation", self.normalise, NORMALISATIONS),
        ):
            if name not in known:
                raise Faults(f"there is no {kind} '{name}': choose one of {', '.join(known)}")
