"""The notebooks' figures: the paper's Figures 1 and 5, one clip step by step, attention by frequency band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_prep import manifest
from data_prep.base.drawing import fitted, plain_text
from data_prep.base.faults import Faults
from data_prep.corpora import Scan
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image, mirspectrum
from data_prep.standin.folder import is_standin

if TYPE_CHECKING:
    from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["attention_by_band", "draw_bands", "figure1", "figure5", "one_clip", "through_the_network"]

SETTINGS = ImageSettings(256, floor_db=80.0)  # The floor is 80 dB below the clip's maximum.


@plain_text()
def figure1(scan: Scan, labels: Sequence[str] = ("Angry", "Sadness", "Happiness")) -> Figure:
    """Draw the paper's Figure 1: spectrograms of one speaker's speech with different emotions.

    Args:
        scan: The corpus.
        labels: Emotions, one spectrogram each.

    Raises:
        Faults: no speaker has clips of all labels.
    """
    frame = scan.manifest
    by_speaker = frame.groupby("speaker")["label"].agg(set)
    speakers = [speaker for speaker, spoken in by_speaker.items() if set(labels) <= spoken]
    if not speakers:
        raise Faults(f"{scan.root}: no speaker has clips of {', '.join(labels)}")
    clips = frame[frame["speaker"] == speakers[0]].drop_duplicates("label").set_index("label")
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, label, clip in zip(
        figure.subplots(1, len(labels), sharey=True),
        labels,
        manifest.clips(clips.loc[list(labels)], scan.root),
    ):
        _draw_spectrogram(axes, *clip)
        axes.set(title=label, xlabel="time, s")
    figure.axes[0].set_ylabel("frequency, kHz")
    figure.suptitle(_marked(f"Figure 1: one speaker, {len(labels)} emotions", scan.root))
    return figure


@plain_text()
def figure5(scan: Scan, parts: int = 2) -> Figure:
    """Draw the paper's Figure 5: one spectrogram split along time (a) and along frequency (b).

    Args:
        scan: The corpus; its first clip is drawn.
        parts: Number of parts.
    """
    path, start, stop = manifest.clips(scan.manifest.head(1), scan.root)[0]
    figure = Figure(figsize=(11, 4), layout="constrained")
    by_time, by_frequency = figure.subplots(1, 2)
    titles = {
        by_time: "(a) time-distributed: each part has every frequency",
        by_frequency: "(b) frequency-distributed: each part has the whole time",
    }
    for axes, title in titles.items():
        seconds, highest = _draw_spectrogram(axes, path, start, stop)
        end = seconds if axes is by_time else highest
        draw_line = axes.axvline if axes is by_time else axes.axhline
        for number in range(parts):
            middle = (number + 0.5) / parts
            x, y = (middle, 0.93) if axes is by_time else (0.03, middle)
            part = axes.text(x, y, f"$s_{number + 1}$", transform=axes.transAxes)
            part.set(bbox={"facecolor": "white"}, parse_math=True)  # the paper's own symbol
            if number:
                draw_line(end * number / parts, color="tab:red", linewidth=2)
        axes.set(title=title, xlabel="time, s", ylabel="frequency, kHz")
    figure.suptitle(_marked(f"Figure 5: a clip in {parts} parts", scan.root))
    return figure


@plain_text()
def one_clip(scan: Scan, settings: ImageSettings) -> Figure:
    """Draw the first clip as samples, magnitude spectrogram, spectrogram in dB and network input.

    Args:
        scan: The corpus.
        settings: Settings of the image.
    """
    path, start, stop = manifest.clips(scan.manifest.head(1), scan.root)[0]
    samples = audio.read(path, settings.rate, start, stop)
    linear, _, _ = mirspectrum(samples, settings.rate, settings.frame, settings.hop, version=settings.version)
    seconds, highest = len(samples) / settings.rate, settings.rate / 2000
    figure = Figure(figsize=(11, 7), layout="constrained")
    waveform, magnitude, decibels, network_input = figure.subplots(2, 2).ravel()
    waveform.plot(np.arange(len(samples)) / settings.rate, samples, color="0.3", linewidth=0.5)
    title = f"{len(samples)} mono samples at {settings.rate} Hz"
    waveform.set(title=title, xlabel="time, s", xlim=(0, seconds))
    _draw_image(magnitude, linear, (0, seconds, 0, highest))
    bins, frames = linear.shape
    title = f"|FFT| of {frames} frames of {1000 * settings.frame:g} ms, {bins} bins"
    magnitude.set(title=title, xlabel="time, s", ylabel="frequency, kHz")
    _draw_spectrogram(decibels, path, start, stop, settings)
    title = f"in dB, to {settings.floor_db:g} dB below the maximum"
    decibels.set(title=title, xlabel="time, s", ylabel="frequency, kHz")
    network_input.imshow(
        image(samples, settings), vmin=0, vmax=1, origin="lower", aspect="auto", cmap="Greys"
    )
    title = f"network input, {settings.size} × {settings.size}, 0 to 1"
    network_input.set(title=title, xlabel="column", ylabel="row")
    figure.suptitle(fitted(_marked(f"From sound to image: {path.name}", scan.root)))
    return figure


@plain_text()
def through_the_network(net: FreqCNN, picture: np.ndarray, root: Path, maps: int = 8) -> Figure:
    """Draw the first feature maps of each block of a FreqCNN.

    Args:
        net: The network.
        picture: Its input (size, size).
        root: Folder of the corpus.
        maps: Number of feature maps to draw for each block.
    """
    import mxnet as mx

    x, blocks = net.inputs(mx.nd.array(picture[None, None])), []
    for number, stage in enumerate(net.stages):
        x = stage(x)
        if number % 2 == 0:
            blocks.append((f"block {number // 2 + 1}", x.asnumpy()[0]))
    figure = Figure(figsize=(11, 1.5 * len(blocks)), layout="constrained")
    grid = figure.subplots(len(blocks), maps, squeeze=False)
    for row, (name, features) in zip(grid, blocks):
        for axes, feature_map in zip(row, features):
            _draw_image(axes, feature_map)
            axes.set_xticks([])
            axes.set_yticks([])
        shape = " × ".join(map(str, features.shape))
        row[0].set_ylabel(f"{name}\n{shape}", rotation=0, ha="right", va="center")
    title = f"The first {maps} feature maps of each block (channels × frequency × time)"
    figure.suptitle(_marked(title, root))
    return figure


def attention_by_band(net: FreqCNN, images: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """Compute the mean attention weight of each local part (Eq. 9) by attention block and label.

    Args:
        net: The trained network.
        images: (n, size, size) spectrograms.
        labels: (n,) their labels.

    Returns:
        Columns label, block, part (1 is the lowest band) and weight.

    Raises:
        Faults: the network has no attention blocks.
    """
    from freqcnn_gluon.network.explain import attended

    lines = [
        {"label": label, "block": block.block, "part": part, "weight": weight}
        for picture, label in zip(images, labels)
        for block in attended(net, picture)
        for part, weight in enumerate(block.parts, 1)
    ]
    return pd.DataFrame(lines).groupby(["label", "block", "part"], as_index=False)["weight"].mean()


@plain_text()
def draw_bands(frame: pd.DataFrame, highest: float, root: Path) -> Figure:
    """Draw ``attention_by_band`` as bars: one panel for each block, one group for each frequency band.

    Args:
        frame: The weights.
        highest: Highest frequency of the spectrograms in Hz.
        root: Folder of the corpus.
    """
    blocks, labels = sorted(set(frame["block"])), sorted(set(frame["label"]))
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, block in zip(np.atleast_1d(figure.subplots(1, len(blocks), sharey=True)), blocks):
        by_label = frame[frame["block"] == block].pivot(index="part", columns="label", values="weight")
        edges = np.linspace(0, highest / 1000, len(by_label) + 1)
        places, width = np.arange(len(by_label)), 0.8 / len(labels)
        for number, label in enumerate(labels):
            shade = str(0.85 - 0.7 * number / max(1, len(labels) - 1))
            at = places + (number - (len(labels) - 1) / 2) * width
            axes.bar(at, by_label[label], width, label=label, color=shade, edgecolor="0.2")
        axes.set_xticks(places, [f"{low:g}–{high:g} kHz" for low, high in zip(edges[:-1], edges[1:])])
        axes.set(title=f"block {block}", ylabel="mean weight h" if block == blocks[0] else "")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(_marked("Mean attention weight by frequency band", root))
    return figure


def _draw_spectrogram(
    axes: Axes, path: Path, start: float | None, stop: float | None, settings: ImageSettings = SETTINGS
) -> tuple[float, float]:
    """Draw a clip's spectrogram in dB; return its length in s and its highest frequency in kHz."""
    samples = audio.read(path, settings.rate, start, stop)
    decibels, _, _ = mirspectrum(
        samples, settings.rate, settings.frame, settings.hop, db=settings.floor_db, version=settings.version
    )
    seconds, highest = len(samples) / settings.rate, settings.rate / 2000
    _draw_image(axes, decibels, (0, seconds, 0, highest))
    return seconds, highest


def _draw_image(
    axes: Axes, values: np.ndarray, extent: tuple[float, float, float, float] | None = None
) -> None:
    """Draw an image in greys with low frequencies at the bottom."""
    axes.imshow(values, extent=extent, origin="lower", aspect="auto", cmap="Greys")


def _marked(title: str, root: Path) -> str:
    """Mark the title of a figure of synthesised speech."""
    return f"{title} (STAND-IN: synthesised speech)" if is_standin(root) else title
