"""What the notebooks show: the paper's Figures 1 and 5, a clip on its way, attention by frequency band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_prep import manifest
from data_prep.base.faults import Faults
from data_prep.corpora import Scan
from data_prep.sound import audio
from data_prep.sound.spectrogram import ImageSettings, image, mirspectrum
from data_prep.standin.folder import is_standin

__all__ = ["attention_by_band", "draw_bands", "figure1", "figure5", "one_clip", "through_the_network"]

FLOOR_DB = 80.0  # below the clip's maximum, as the images have it
GREY = {"origin": "lower", "aspect": "auto", "cmap": "Greys"}


def figure1(found: Scan, labels: Sequence[str] = ("Angry", "Sadness", "Happiness")) -> Figure:
    """The paper's Figure 1: spectrograms of speech with different emotions, of one speaker."""
    frame = found.manifest
    having = frame.groupby("speaker")["label"].agg(set)
    speakers = [speaker for speaker, of in having.items() if set(labels) <= of]
    if not speakers:
        raise Faults(f"{found.root}: no speaker has clips of {', '.join(labels)}")
    own = frame[frame["speaker"] == speakers[0]].drop_duplicates("label").set_index("label").loc[list(labels)]
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, label, clip in zip(
        figure.subplots(1, len(labels), sharey=True), labels, manifest.clips(own, found.root)
    ):
        _spectrogram(axes, *clip)
        axes.set(title=label, xlabel="s")
    figure.axes[0].set_ylabel("kHz")
    figure.suptitle(_marked(f"Figure 1: one speaker, {len(labels)} emotions", found.root))
    return figure


def figure5(found: Scan, parts: int = 2) -> Figure:
    """The paper's Figure 5: one spectrogram, split along time (a) and along frequency (b)."""
    path, start, stop = manifest.clips(found.manifest.head(1), found.root)[0]
    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, title, along_time in zip(
        figure.subplots(1, 2),
        (
            "(a) time-distributed: each part has every frequency",
            "(b) frequency-distributed: each part has all of the time",
        ),
        (True, False),
    ):
        seconds, top = _spectrogram(axes, path, start, stop)
        end = seconds if along_time else top
        for number in range(parts):
            middle = end * (number + 0.5) / parts
            x, y = (middle / seconds, 0.93) if along_time else (0.03, middle / top)
            axes.text(x, y, f"$s_{number + 1}$", transform=axes.transAxes, bbox={"facecolor": "white"})
            if number:
                (axes.axvline if along_time else axes.axhline)(
                    end * number / parts, color="tab:red", linewidth=2
                )
        axes.set(title=title, xlabel="s", ylabel="kHz")
    figure.suptitle(_marked(f"Figure 5: a clip in {parts} parts", found.root))
    return figure


def one_clip(found: Scan, settings: ImageSettings) -> Figure:
    """The first clip from sound to image: samples, magnitude of the frames, dB, what the network is given."""
    path, start, stop = manifest.clips(found.manifest.head(1), found.root)[0]
    samples = audio.read(path, settings.rate, start, stop)
    linear, _, _ = mirspectrum(samples, settings.rate, settings.frame, settings.hop, version=settings.version)
    seconds, top = len(samples) / settings.rate, settings.rate / 2000
    figure = Figure(figsize=(11, 7), layout="constrained")
    sound, magnitude, decibels, given = figure.subplots(2, 2).ravel()
    sound.plot(np.arange(len(samples)) / settings.rate, samples, color="0.3", linewidth=0.5)
    sound.set(title=f"{len(samples)} samples at {settings.rate} Hz, mono", xlabel="s", xlim=(0, seconds))
    magnitude.imshow(linear, extent=(0, seconds, 0, top), **GREY)
    bins, frames = linear.shape
    magnitude.set(
        title=f"|FFT| of {frames} frames of {1000 * settings.frame:g} ms, {bins} bins",
        xlabel="s",
        ylabel="kHz",
    )
    _spectrogram(decibels, path, start, stop, settings)
    decibels.set(title=f"in dB, down to {settings.floor_db:g} below the maximum", xlabel="s", ylabel="kHz")
    given.imshow(image(samples, settings), vmin=0, vmax=1, **GREY)
    given.set(
        title=f"the network's image, {settings.size} × {settings.size}, 0 to 1", xlabel="column", ylabel="row"
    )
    figure.suptitle(_marked(f"From sound to image: {path.name}", found.root))
    return figure


def through_the_network(net, picture: np.ndarray, root: Path, maps: int = 8) -> Figure:
    """What each block of a FreqCNN makes of ``picture`` (size, size): its first feature maps."""
    import mxnet as mx

    x, rows = mx.nd.array(picture[None, None]), []
    for number, stage in enumerate(net.stages):
        x = stage(x)
        if number % 2 == 0:
            rows.append((f"block {number // 2 + 1}", x.asnumpy()[0]))
    figure = Figure(figsize=(11, 1.5 * len(rows)), layout="constrained")
    for axes_of, (name, found) in zip(figure.subplots(len(rows), maps, squeeze=False), rows):
        for axes, each in zip(axes_of, found):
            axes.imshow(each, **GREY)
            axes.set_xticks([])
            axes.set_yticks([])
        axes_of[0].set_ylabel(
            f"{name}\n{' × '.join(map(str, found.shape))}", rotation=0, ha="right", va="center"
        )
    figure.suptitle(
        _marked(f"The first {maps} feature maps of each block (channels × frequency × time)", root)
    )
    return figure


def attention_by_band(net, images: np.ndarray, labels: Sequence[str]) -> pd.DataFrame:
    """The mean weight of each local part (Eq. 9) in each attention block, by label.

    ``images`` (n, size, size) of clips with these ``labels`` (n,). Columns label, block, part (1 is the
    lowest band), weight. Raises Faults for a network without attention.
    """
    from freqcnn_gluon.network.explain import attended

    lines = [
        {"label": label, "block": one.block, "part": part, "weight": weight}
        for each, label in zip(images, labels)
        for one in attended(net, each)
        for part, weight in enumerate(one.parts, 1)
    ]
    return pd.DataFrame(lines).groupby(["label", "block", "part"], as_index=False)["weight"].mean()


def draw_bands(frame: pd.DataFrame, top: float, root: Path) -> Figure:
    """``attention_by_band`` as bars: a picture a block, a group a band; ``top``: highest frequency in Hz."""
    blocks, labels = sorted(set(frame["block"])), sorted(set(frame["label"]))
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    for axes, block in zip(np.atleast_1d(figure.subplots(1, len(blocks), sharey=True)), blocks):
        by_label = frame[frame["block"] == block].pivot(index="part", columns="label", values="weight")
        edges = np.linspace(0, top / 1000, len(by_label) + 1)
        places, width = np.arange(len(by_label)), 0.8 / len(labels)
        for number, label in enumerate(labels):
            shade = str(0.85 - 0.7 * number / max(1, len(labels) - 1))
            at = places + (number - (len(labels) - 1) / 2) * width
            axes.bar(at, by_label[label], width, label=label, color=shade, edgecolor="0.2")
        axes.set_xticks(places, [f"{low:g}–{high:g} kHz" for low, high in zip(edges[:-1], edges[1:])])
        axes.set(title=f"block {block}", ylabel="mean weight h" if block == blocks[0] else "")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(_marked("What attention weights, by frequency band", root))
    return figure


def _spectrogram(
    axes: Axes,
    path: Path,
    start: float | None,
    stop: float | None,
    settings: ImageSettings = ImageSettings(256, floor_db=FLOOR_DB),
) -> tuple[float, float]:
    """Draw a clip's spectrogram in dB; its length in s and highest frequency in kHz."""
    samples = audio.read(path, settings.rate, start, stop)
    decibels, _, _ = mirspectrum(
        samples, settings.rate, settings.frame, settings.hop, db=settings.floor_db, version=settings.version
    )
    seconds, top = len(samples) / settings.rate, settings.rate / 2000
    axes.imshow(decibels, extent=(0, seconds, 0, top), **GREY)
    return seconds, top


def _marked(title: str, root: Path) -> str:
    return f"{title} (STAND-IN: synthesised speech)" if is_standin(root) else title
