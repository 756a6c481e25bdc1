"""Spectrograms of clips and the network's attention, if the prepared data and the weights are on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError

from data_prep import manifest
from data_prep.base.embedded import shades
from data_prep.base.faults import Faults
from data_prep.sound.spectrogram import ImageSettings
from data_prep.store import Store, store_folder
from reproduce.render.figures import as_webp
from reproduce.runs.report import Report, reports_of
from reproduce.sources import PAPER, QUICK
from reproduce.tables import Table

__all__ = ["Picture", "Pictures", "pictures"]

WEIGHTS = "model.safetensors"  # weights of the last epoch, written by ``freqcnn_gluon.training.checkpoint``
MOST_CLIPS = 6  # one clip for each class


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        uri: Data URI of the image.
        alt: Description for readers who do not see the image.
        caption: Text below the image.
    """

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of a table.

    Attributes:
        clips: Spectrograms.
        attention: Attention of the claimed system in one clip.
        missing: Reasons why pictures are missing, as sentences.
    """

    clips: Sequence[Picture] = ()
    attention: Picture | None = None
    missing: Sequence[str] = ()


def pictures(table: Table, reports: Sequence[Report], folder: Path, data: Path) -> Pictures:
    """Draw clips of the claimed system's first run, and its attention.

    The clips are the first test clip of each class, whether the network recognised it or not. They are shown
    only if the store has the fingerprint that the report states.

    Args:
        table: The table.
        reports: Its reports.
        folder: Folder of the source, which the reports' links are relative to.
        data: Folder of prepared data.
    """
    done = [report for report in reports_of(table.claim, reports) if not report.fault]
    if not done or table.claim.home != table.number:
        return Pictures()
    content = done[0].content
    source = content["run"]["source"]
    prepared = data / (PAPER if source == QUICK else source) / table.corpus
    try:
        images = _images(prepared, content)
    except (Faults, OSError):
        return Pictures(missing=[f"No spectrograms: the images of these clips are not in {prepared}."])
    clips = [
        Picture(
            shades(image[::-1]),
            f"Spectrogram of the clip {clip}, class {label}. Low frequencies at the bottom; dark is loud.",
            f"{label}: {clip}",
        )
        for clip, (label, image) in images.items()
    ]
    weights = (folder / done[0].link).with_name(WEIGHTS)
    if not weights.is_file():
        return Pictures(clips, missing=[f"No picture of attention: {WEIGHTS} is not beside the report."])
    clip, (label, image) = next(iter(images.items()))
    try:
        attention = _attention(content, weights, clip, label, image)
    except (Faults, OSError, ValueError, SafetensorError) as error:
        return Pictures(clips, missing=[f"No picture of attention: {weights} cannot be used ({error})."])
    return Pictures(clips, attention, () if attention else ["This network has no attention blocks."])


def _images(folder: Path, content: Mapping) -> dict[str, tuple[str, np.ndarray]]:
    """Return clip -> its label and image (size, size), low frequencies first.

    Raises:
        Faults: the store is missing, or it has other clips than the run.
    """
    run = content["run"]
    store = Store(store_folder(folder, ImageSettings(size=run["size"], **run["choices"]["image"])))
    if store.fingerprint(manifest.read(folder / "manifest.csv")) != run["data"]:
        raise Faults(f"{folder}: the clips are not those of the run")
    first: dict[str, str] = {}
    for clip, prediction in content["predictions"].items():
        first.setdefault(prediction["true"], clip)
    chosen = dict(list(first.items())[:MOST_CLIPS])
    rows = store.rows(chosen.values())
    return {clip: (label, store.images[row]) for (label, clip), row in zip(chosen.items(), rows)}


def _attention(content: Mapping, weights: Path, clip: str, label: str, image: np.ndarray) -> Picture | None:
    """Draw the attention of the trained network in a clip; None if it has no attention blocks."""
    import mxnet as mx  # Deferred: the import takes seconds, and most pages show no attention.

    from freqcnn_gluon.network.architectures import ARCHITECTURES
    from freqcnn_gluon.network.explain import attended, picture
    from freqcnn_gluon.network.weights import load_parameters
    from freqcnn_gluon.network.zoo import build

    run = content["run"]
    if run["system"] not in ARCHITECTURES:
        return None
    net = build(run["system"], len(content["labels"]), run["size"], **run["choices"]["network"])
    load_parameters(net, weights, [mx.cpu()])
    try:
        blocks = attended(net, np.array(image))
    except Faults:
        return None
    rate = ImageSettings(size=run["size"], **run["choices"]["image"]).rate
    mean_weights = "; ".join(
        f"block {block.block}, {block.axis} parts: {', '.join(f'{part:.2f}' for part in block.parts)}"
        for block in blocks
    )
    predicted = content["predictions"][clip]["predicted"]
    title = f"{clip} ({label}, recognised as {predicted})"
    return Picture(
        as_webp(picture(image, blocks, title, None, (0, rate / 2))),
        f"Attention in the clip {clip}. Mean weights: {mean_weights}.",
        f"{clip}, {label}, recognised as {predicted}. Mean weights: {mean_weights}.",
    )
