"""The recipe of a training on your own recordings. docs/own-speech.md shows what other settings change."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import FREQUENCIES, ImageSettings
from freqcnn_gluon import runtime
from freqcnn_gluon.network.architectures import architecture, check_size
from freqcnn_gluon.own.about import RANGES

__all__ = ["Recipe"]

BOUNDS = {  # lowest and highest value of each whole number in a recipe
    "size": RANGES["size"],
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "seed": (0, 2**32 - 1),  # the seeds of numpy and scikit-learn
}
SHORTEST = 0.1  # shortest window in s
STEPS = 400  # fewest training steps
STEPS_PER_CLASS = 25  # fewest training steps for each class
EPOCHS = 20  # fewest epochs


@dataclass(frozen=True)
class Recipe:
    """The settings of a training on your own recordings.

    Attributes:
        architecture: 'table2', 'table7' or 'table10'.
        size: The side of the spectrograms in pixels. The paper's 224 and 256 need a GPU or patience.
        epochs: The number of epochs; None for the number of ``epochs_for``.
        batch_size: The number of clips per training step.
        learning_rate: The highest learning rate of SGD.
        seed: The seed of the split and of every draw in the training.
        frequency: The axis of the spectrograms, 'mel' or 'linear', see ``ImageSettings``.
        dtype: The number format of convolutions in the training: 'auto', 'float32' or 'bfloat16', see
            ``runtime.fast_dtype``. The trained model computes in float32.
        window: The longest clip in s that is trained on whole. Longer ones are cut into windows of equal
            length, see ``cutting.cut``. 0 to cut none.

    Raises:
        Faults: A setting is out of range. The message lists all such settings.
    """

    architecture: str = "table7"
    size: int = 64
    epochs: int | None = None
    batch_size: int = 16
    learning_rate: float = 0.01
    seed: int = 0
    frequency: str = "mel"
    dtype: str = "auto"
    window: float = 60.0

    def __post_init__(self) -> None:
        faults = {}
        for name, (low, high) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, Integral) and low <= int(value) <= high:
                object.__setattr__(self, name, int(value))  # JSON has no numpy numbers
            elif value is not None or name != "epochs":
                bounds = f"of {low} or more" if high == math.inf else f"from {low} to {high}"
                faults[name] = f"{name.replace('_', ' ')}: {value!r} is not a whole number {bounds}"
        if isinstance(self.learning_rate, Real) and 0 < self.learning_rate < math.inf:
            object.__setattr__(self, "learning_rate", float(self.learning_rate))
        else:
            faults["learning_rate"] = f"learning rate: {self.learning_rate!r} is not a finite number above 0"
        if isinstance(self.window, Real) and (self.window == 0 or SHORTEST <= self.window < math.inf):
            object.__setattr__(self, "window", float(self.window))
        else:
            faults["window"] = f"window: {self.window!r} is not {SHORTEST} s or more, or 0 for no window"
        for name, known in (("frequency", FREQUENCIES), ("dtype", ("auto", *runtime.DTYPES))):
            if getattr(self, name) not in known:
                faults[name] = f"{name}: {getattr(self, name)!r} is not known; choose {' or '.join(known)}"
        checks: tuple[tuple[str, Callable], ...] = (("architecture", architecture), ("size", check_size))
        for name, check in checks:
            try:
                if name not in faults:
                    check(getattr(self, name))
            except Faults as fault:
                faults[name] = str(fault)
        if faults:
            raise Faults(faults.values())

    @property
    def images(self) -> ImageSettings:
        """The settings of the spectrograms."""
        return ImageSettings(self.size, frequency=self.frequency)

    def epochs_for(self, clips: int, classes: int) -> int:
        """Return the number of epochs: ``epochs``, or enough for STEPS steps and STEPS_PER_CLASS per class.

        Args:
            clips: The number of training clips.
            classes: The number of classes.
        """
        if self.epochs is not None:
            return self.epochs
        steps = max(STEPS, STEPS_PER_CLASS * classes)
        return max(EPOCHS, math.ceil(steps * min(self.batch_size, clips) / clips))
