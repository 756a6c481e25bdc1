"""What a trained model says of itself, in its folder and in its ONNX file alike. Needs no MXNet."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import VERSIONS, ImageSettings
from freqcnn_gluon.network.architectures import ARCHITECTURES

__all__ = ["CLIPS", "REPORT", "About", "trained_on"]

CLIPS, REPORT = "clips.csv", "report.json"  # what `fit` writes beside the model
FORMAT = 2
NETWORK = (
    "segments axis local_only attention_blocks attention local_activation global_activation "
    "conv_pool_activation batchnorm gamma fc_batchnorm"
).split()
RANGES = {
    "size": (16, 4096),
    "rate": (1000, 200_000),
    "frame": (0.001, 10),
    "hop": (0.001, 100),
    "floor_db": (1, 1000),
}


@dataclass(frozen=True)
class About:
    """``labels``: the classes in the order of their probabilities. ``architecture``: the table's name, and
    ``network``: FreqCNN's keyword arguments. ``images``: how a clip becomes the network's input. ``median``,
    ``longest``: of the training clips, in s. ``versions``: of the software that trained it. ``weights``: the
    SHA-256 of its file, where there is one.
    """

    labels: tuple[str, ...]
    architecture: str
    images: ImageSettings
    median: float
    longest: float
    network: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str | int] = field(default_factory=dict)
    weights: str = ""

    def text(self) -> str:
        """As JSON, with a checksum of itself; ``read`` turns it back."""
        stated = {"format": FORMAT, **asdict(self)}
        return json.dumps({**stated, "checksum": _checksum(stated)}, indent=1, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> About:
        """Raises ValueError, in words, for what ``text`` never gave, however it came about."""
        try:
            given = json.loads(text)
            checksum, format = given.pop("checksum"), given.pop("format")
            if format != FORMAT:
                raise ValueError(f"its format is {format!r}, and this program reads {FORMAT}")
            if checksum != _checksum({"format": format, **given}):
                raise ValueError("it was changed after it was written")
            given |= {"labels": tuple(given["labels"]), "images": ImageSettings(**given["images"])}
            about = cls(**given)
            about._check()
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"it is no description of a model ({type(error).__name__}: {error})") from None
        return about

    def _check(self) -> None:
        """Raise ValueError or TypeError for what no training leads to, before anything is made of it."""
        labels, images = self.labels, asdict(self.images)
        if (
            len(labels) < 2
            or len(set(labels)) < len(labels)
            or not all(isinstance(each, str) for each in labels)
        ):
            raise ValueError("its labels are no two or more different names")
        if self.architecture not in ARCHITECTURES:
            raise ValueError(f"it has no architecture {self.architecture!r}")
        if unknown := sorted(set(self.network) - set(NETWORK)):
            raise ValueError(f"no network has the settings {', '.join(unknown)}")
        if not isinstance(self.network.get("gamma", 1.0), (int, float)):
            raise ValueError(f"its gamma is {self.network['gamma']!r}, which is no number")
        for name, (low, high) in RANGES.items():
            value = images[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ValueError(f"its {name} is {value!r}, which is not between {low} and {high}")
        if not isinstance(self.images.size, int) or not isinstance(self.images.rate, int):
            raise ValueError("its size and rate are no whole numbers")
        if self.images.version not in VERSIONS:
            raise ValueError(f"there is no MIRtoolbox {self.images.version!r}")
        if not (0.01 <= self.median <= self.longest) or math.isnan(self.longest):
            raise ValueError(f"its clips' lengths are {self.median!r} and {self.longest!r} s")


def trained_on(folder: Path | str) -> pd.DataFrame | None:
    """Of each clip that trained the model in ``folder`` the content ``key``, its ``file``'s SHA-256 (None if
    the model is of before that was kept), ``start`` and ``stop`` (s); None where that is not told, as by what
    ``Model.save`` alone writes. Raises Faults if it is damaged.
    """
    path = Path(folder) / CLIPS
    if not path.exists() and not path.with_name(REPORT).exists():
        return None
    try:
        clips = pd.read_csv(path, dtype=str, keep_default_na=False)
        clips = clips[clips["partition"] == "train"].replace({"start": {"": "nan"}, "stop": {"": "nan"}})
        file = clips["file"] if "file" in clips else None
        return clips[["key", "start", "stop"]].astype({"start": float, "stop": float}).assign(file=file)
    except (OSError, ValueError, KeyError) as error:
        raise Faults(f"{path}: the model is damaged ({error}); copy it again") from None


def _checksum(stated: Mapping) -> str:
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
