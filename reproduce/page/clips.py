"""Clips as the networks see them, and what attention weights in one: where data and weights are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from data_prep.store import Store, store_folder
from reproduce.render.figures import as_webp, shades
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER, QUICK
from reproduce.tables import Table

__all__ = ["Picture", "Pictures", "pictures"]

WEIGHTS = "model.safetensors"  # of the last epoch, as ``freqcnn_gluon.training.checkpoint`` keeps them
CLASSES = 6  # a picture of one clip for each of so many


@dataclass(frozen=True)
class Picture:
    """``uri``: a data URI. ``alt``: what is to be seen, in words."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """``clips``: spectrograms. ``attention``: what the claimed system weights. ``missing``: why there is
    none of a kind.
    """

    clips: Sequence[Picture] = ()
    attention: Picture | None = None
    missing: Sequence[str] = ()


def pictures(table: Table, reports: Sequence[Report], folder: Path, data: Path) -> Pictures:
    """Of the first run of the system that the table is about; ``folder``: what the reports' links are below.

    The clips are the first test clip of each class, whatever the network makes of it. Nothing is shown
    of other clips than those that the run was tested on: the store's fingerprint must be the report's.
    """
    found = [each for each in reports_of(table.claim, reports) if not each.fault]
    if not found or table.claim.home != table.number:
        return Pictures()
    content = found[0].content
    source = content["run"]["source"]
    prepared = data / (PAPER if source == QUICK else source) / table.corpus
    try:
        images = _images(prepared, content)
    except (Faults, OSError):
        return Pictures(missing=[f"No spectrograms: these clips' images are not in {prepared}."])
    clips = [
        Picture(
            shades(image[::-1]),
            f"Spectrogram of the clip {clip}, class {label}; low frequencies below, dark is loud.",
            f"{label}: {clip}",
        )
        for clip, (label, image) in images.items()
    ]
    weights = (folder / found[0].link).with_name(WEIGHTS)
    if not weights.is_file():
        return Pictures(clips, missing=[f"No picture of attention: there is no {WEIGHTS} beside the report."])
    attention = _attention(content, weights, *next(iter(images.items())))
    return Pictures(clips, attention, () if attention else ["This network has no attention blocks."])


def _images(folder: Path, content: Mapping) -> dict[str, tuple[str, np.ndarray]]:
    """clip -> its label and image (size, size), low frequencies first; Faults where they are not at hand."""
    run = content["run"]
    store = Store(store_folder(folder, ImageSettings(size=run["size"], **run["choices"]["image"])))
    if store.fingerprint(manifest.read(folder / "manifest.csv")) != run["data"]:
        raise Faults(f"{folder}: has other clips than the run")
    first: dict[str, str] = {}
    for clip, each in content["predictions"].items():
        first.setdefault(each["true"], clip)
    chosen = dict(list(first.items())[:CLASSES])
    rows = store.rows(chosen.values())
    return {clip: (label, store.images[row]) for (label, clip), row in zip(chosen.items(), rows)}


def _attention(content: Mapping, weights: Path, clip: str, seen: tuple[str, np.ndarray]) -> Picture | None:
    """What the trained network weights in a clip; None where it has no attention blocks."""
    import mxnet as mx  # which takes seconds

    from freqcnn_gluon.network.explain import attended, picture
    from freqcnn_gluon.network.weights import load_parameters
    from freqcnn_gluon.network.zoo import build

    run, (label, image) = content["run"], seen
    net = build(run["system"], len(content["labels"]), run["size"], **run["choices"]["network"])
    load_parameters(net, weights, [mx.cpu()])
    try:
        found = attended(net, np.array(image))
    except Faults:
        return None
    rate = ImageSettings(size=run["size"]).rate
    said = [
        f"block {one.block}: its {one.axis} parts weigh {', '.join(f'{part:.2f}' for part in one.parts)}"
        for one in found
    ]
    answer = content["predictions"][clip]["predicted"]
    return Picture(
        as_webp(picture(image, found, f"{clip} ({label}, taken for {answer})", None, rate / 2)),
        f"What attention weights in the clip {clip}: {'; '.join(said)}.",
        f"{clip}, {label}, taken for {answer}. Mean weights: {'; '.join(said)}.",
    )
