"""Describe a trained model, in its folder and in its ONNX file. Does not need MXNet."""

from __future__ import annotations

import hashlib
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import FREQUENCIES, VERSIONS, ImageSettings
from freqcnn_gluon.network.architectures import ARCHITECTURES

__all__ = [
    "ABOUT",
    "BASELINE",
    "CLIPS",
    "MAJORITY",
    "PAGE",
    "REPORT",
    "SVM",
    "WEIGHTS",
    "About",
    "trained_on",
]

ABOUT, WEIGHTS = "model.json", "model.safetensors"  # files of a model
CLIPS, REPORT, PAGE = "clips.csv", "report.json", "report.html"  # files that `fit` writes beside the model
SVM, MAJORITY = "svm", "majority"  # baselines; the first stands instead of an architecture, see ``own.svm``
BASELINE = "baseline"  # the folder of the SVM below that of a network
LARGEST = 2**20  # most bytes of a description
FORMAT = 3  # of the description
# What 'section', the default placement of BatchNorm in format 2, meant for each table
SECTION = {"table2": "both", "table7": "convolution", "table10": "both"}
NETWORK = (
    "segments axis local_only attention_blocks attention local_activation global_activation "
    "conv_pool_activation batchnorm batchnorm_defaults gamma fc_batchnorm attention_input"
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
    """The description of a trained model.

    Attributes:
        labels: The labels in the order of their probabilities.
        architecture: The table of the architecture: 'table2', 'table7' or 'table10'; or 'svm'.
        images: The settings that turn a clip into the network's input.
        median: The median length of the training clips in s.
        longest: The longest training clip's length in s.
        network: Keyword arguments of ``FreqCNN``.
        versions: Versions of the software that trained the model.
        weights: The SHA-256 of the file with the weights, empty if there is none.
        lowest_rate: The lowest sampling rate in Hz of the training clips' files, 0 if it is not known, as in
            models of earlier versions.
    """

    labels: tuple[str, ...]
    architecture: str
    images: ImageSettings
    median: float
    longest: float
    network: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str | int] = field(default_factory=dict)
    weights: str = ""
    lowest_rate: int = 0

    def text(self) -> str:
        """Format the description as JSON with its own checksum, for ``read``."""
        fields = {"format": FORMAT, **asdict(self), "images": self.images.as_json()}
        return json.dumps({**fields, "checksum": _checksum(fields)}, indent=1, ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> About:
        """Read the JSON of ``text()``, also as earlier versions wrote it in format 2.

        Raises:
            ValueError: ``text()`` did not write it, it was changed, or no training creates such a model.
        """
        try:
            fields = json.loads(text)
            checksum, format = fields.pop("checksum"), fields.pop("format")
            if format not in (2, FORMAT):
                raise ValueError(f"its format is {format!r}, and this program reads 2 and {FORMAT}")
            if checksum != _checksum({"format": format, **fields}):
                raise ValueError("it was changed after it was written")
            fields |= {"labels": _in_nfc(fields["labels"]), "images": ImageSettings(**fields["images"])}
            about = cls(**fields)
            about._check()
            if format == 2 and about.network.get("batchnorm", "section") == "section":
                about = replace(about, network={**about.network, "batchnorm": SECTION[about.architecture]})
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(
                f"it is not the description of a model ({type(error).__name__}: {error})"
            ) from None
        return about

    @classmethod
    def of_folder(cls, folder: Path | str) -> About:
        """Read the description of the model in a folder.

        Raises:
            Faults: It is missing or damaged.
        """
        path = Path(folder) / ABOUT
        if not path.is_file():
            if (Path(folder) / "work").is_dir():
                raise Faults(f"{folder}: its training is unfinished; the same `fit` resumes it")
            raise Faults(f"{folder}: holds no model; name the folder that `fit` wrote")
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"it has {path.stat().st_size} bytes, more than such a file ever has")
            return cls.read(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Faults(f"{path}: the model is damaged ({error}); copy it again") from None

    def _check(self) -> None:
        """Raise ValueError or TypeError for a description that no training writes."""
        labels, images = self.labels, asdict(self.images)
        distinct = len(set(labels)) == len(labels) > 1
        if not distinct or not all(isinstance(label, str) for label in labels):
            raise ValueError("it needs two or more distinct labels")
        if self.architecture not in (*ARCHITECTURES, SVM):
            raise ValueError(f"its architecture {self.architecture!r} is not known")
        if unknown := sorted(set(self.network) - set(NETWORK)):
            raise ValueError(f"its network has unknown settings: {', '.join(unknown)}")
        if not isinstance(self.network.get("gamma", 1.0), (int, float)):
            raise ValueError(f"its gamma is {self.network['gamma']!r}, which is not a number")
        for name, (low, high) in RANGES.items():
            value = images[name]
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise ValueError(f"its {name} is {value!r}, which is not between {low} and {high}")
        if not isinstance(self.images.size, int) or not isinstance(self.images.rate, int):
            raise ValueError("its size and rate are not whole numbers")
        if isinstance(self.lowest_rate, bool) or not isinstance(self.lowest_rate, int):
            raise ValueError(f"its lowest rate is {self.lowest_rate!r}, which is not a whole number")
        if self.images.version not in VERSIONS:
            raise ValueError(f"its MIRtoolbox version {self.images.version!r} is not known")
        if self.images.scale != ImageSettings.scale:
            raise ValueError(f"its images have the scale {self.images.scale!r}, not {ImageSettings.scale!r}")
        if self.images.time_axis != ImageSettings.time_axis:
            raise ValueError(f"its time axis is {self.images.time_axis!r}, not {ImageSettings.time_axis!r}")
        if self.images.frequency not in FREQUENCIES:
            raise ValueError(f"its frequency axis {self.images.frequency!r} is not known")
        if not (0.01 <= self.median <= self.longest) or math.isnan(self.longest):
            lengths = f"{self.median!r} s (median) and {self.longest!r} s (longest)"
            raise ValueError(f"its clips' lengths are impossible: {lengths}")


def _in_nfc(labels: Sequence[str]) -> tuple[str, ...]:
    """Return labels in Unicode's normal form NFC, as labels of data are. Earlier versions kept other forms.

    A model that learnt two forms as two labels keeps them.
    """
    normal = tuple(unicodedata.normalize("NFC", label) for label in labels)
    return normal if len(set(normal)) == len(labels) else tuple(labels)


def trained_on(folder: Path | str) -> pd.DataFrame | None:
    """List the clips that trained the model in a folder.

    Args:
        folder: The model's folder.

    Returns:
        A frame with the columns
        ``key``: the content key of the clip, see ``data_prep.store``;
        ``label``: its label;
        ``file``, ``sound``: the hashes of ``data_prep.sound.contents``, None in models of earlier versions;
        ``start``, ``stop``: float64 in s.
        None if only ``Model.save`` wrote the folder, because it then has no list.

    Raises:
        Faults: The list is damaged.
    """
    path = Path(folder) / CLIPS
    if not path.exists() and not path.with_name(REPORT).exists():
        return None
    try:
        clips = pd.read_csv(path, dtype=str, keep_default_na=False)
        clips = clips[clips["partition"] == "train"].replace({"start": {"": "nan"}, "stop": {"": "nan"}})
        hashes = {name: clips[name] if name in clips else None for name in ("file", "sound")}
        return (
            clips[["key", "label", "start", "stop"]].astype({"start": float, "stop": float}).assign(**hashes)
        )
    except (OSError, ValueError, KeyError) as error:
        raise Faults(f"{path}: the model is damaged ({error}); copy it again") from None


def _checksum(fields: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
