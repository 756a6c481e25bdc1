"""What a trained model says of itself, in its folder and in its ONNX file alike. Needs no MXNet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from data_prep.spectrogram import ImageSettings

__all__ = ["About"]

FORMAT = 1


@dataclass(frozen=True)
class About:
    """``labels``: the classes in the order of their probabilities. ``architecture``: the table's name, and
    ``network``: FreqCNN's keyword arguments. ``images``: how a clip becomes the network's input. ``median``,
    ``longest``: of the training clips, in s. ``versions``: of the software that trained it.
    """

    labels: tuple[str, ...]
    architecture: str
    images: ImageSettings
    median: float
    longest: float
    network: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str | int] = field(default_factory=dict)

    def stated(self) -> dict:
        """As JSON has it; ``read`` turns it back."""
        return {"format": FORMAT, **asdict(self)}

    @classmethod
    def read(cls, stated: Mapping) -> About:
        """Raises KeyError, TypeError or ValueError for what ``stated`` never gave."""
        given = dict(stated)
        if given.pop("format") != FORMAT:
            raise ValueError(f"format {stated['format']}, this program reads {FORMAT}")
        given |= {"labels": tuple(given["labels"]), "images": ImageSettings(**given["images"])}
        return cls(**given)
