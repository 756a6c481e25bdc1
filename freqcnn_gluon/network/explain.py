"""Show the effect of a trained network's attention on a clip, as arrays and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from data_prep.base.drawing import fitted, plain_text, save_png
from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["Attended", "attended", "draw", "picture"]

MAPS = 6  # feature maps in the picture of a block


@dataclass(frozen=True)
class Attended:
    """The result of one attention block for one clip (Eqs. 9 to 11).

    Attributes:
        block: Number of the block, 1 to 5.
        maps: A^g (channels, freq, time), the feature maps that are weighted.
        weights: h (n, m), the weights by local part k. m counts feature maps, or locations if ``spatial``.
        spatial: Whether m counts locations (freq * time, row by row).
        axis: The axis of the n parts, 'frequency' (the lowest first) or 'time'.
    """

    block: int
    maps: np.ndarray
    weights: np.ndarray
    spatial: bool
    axis: str

    @property
    def parts(self) -> np.ndarray:
        """The mean weight of each local part, (n,)."""
        return self.weights.mean(axis=1)

    @property
    def gain_by_map(self) -> np.ndarray:
        """How much attention adds to each feature map, (channels,): the mean of |sum_k h * A^g|."""
        return np.abs(self._gain()).mean(axis=(1, 2))

    @property
    def gain_by_place(self) -> np.ndarray:
        """How much attention adds at each location, (freq, time): the mean of |sum_k h * A^g|."""
        return np.abs(self._gain()).mean(axis=0)

    def summary(self, seconds: float, frequencies: Sequence[float]) -> str:
        """Return ``parts`` as text.

        Args:
            seconds: The clip's length in s.
            frequencies: See ``picture``.
        """
        values, unit = ([0, seconds], "s") if self.axis == "time" else (frequencies, "Hz")
        edges = np.interp(
            np.linspace(0, 1, len(self.parts) + 1), np.linspace(0, 1, len(values)), np.asarray(values)
        )
        return ", ".join(
            f"{low:.4g}-{high:.4g} {unit} {weight:.3f}"
            for low, high, weight in zip(edges[:-1], edges[1:], self.parts)
        )

    def _gain(self) -> np.ndarray:
        """Return sum_k h * A^g (channels, freq, time)."""
        total = self.weights.sum(axis=0)
        return self.maps * (total.reshape(self.maps.shape[1:]) if self.spatial else total[:, None, None])


def attended(net: FreqCNN, image: np.ndarray) -> list[Attended]:
    """Return the result of each attention block of ``net``, in order, for ``image`` (size, size).

    Raises:
        Faults: If ``net`` has no attention blocks.
    """
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    x, blocks = net.inputs(mx.nd.array(image[None, None], ctx=device)), []  # (1, channels, size, size)
    for number, stage in enumerate(net.stages):
        if isinstance(stage, AttentionBlock):
            maps, weights = (array.asnumpy()[0] for array in stage.attend(mx.nd, x))
            spatial = not stage.feature_based
            blocks.append(Attended(number // 2 + 1, maps, weights, spatial, stage.split_along))
        x = stage(x)
    if not blocks:
        raise Faults("this network has no attention blocks, so there are no weights to show")
    return blocks


def draw(
    image: np.ndarray,
    blocks: list[Attended],
    title: str,
    path: Path,
    seconds: float,
    frequencies: Sequence[float],
) -> None:
    """Write ``picture`` to ``path`` as a PNG file."""
    figure = picture(image, blocks, title, seconds, frequencies)
    with whole(path) as aside:
        save_png(figure, aside, title, dpi=110)


@plain_text()
def picture(
    image: np.ndarray,
    blocks: list[Attended],
    title: str,
    seconds: float | None,
    frequencies: Sequence[float],
) -> Figure:
    """Draw the spectrogram and, below it, the weighted places, parts and feature maps of each block.

    Args:
        image: The spectrogram (size, size), the lowest frequency first.
        blocks: The results of ``attended`` for this image.
        title: The figure's title, which is drawn literally; a long one is cut and wrapped.
        seconds: The clip's length in s; for None, time is shown as the share of the clip.
        frequencies: The frequencies in Hz at evenly spaced heights of the spectrogram, from the bottom to
            the top. Two are enough for a linear axis.
    """
    time = "s" if seconds else "share of the clip"
    seconds = seconds or 1
    figure = Figure(figsize=(11, 3.4 * (1 + len(blocks))), layout="constrained")
    rows = figure.subfigures(1 + len(blocks), 1)
    extent = (0, seconds, 0, frequencies[-1] / 1000)
    clip = rows[0].subplots()
    clip.imshow(image, origin="lower", aspect="auto", cmap="Greys", extent=extent)
    clip.set(title=fitted(title), xlabel=time, ylabel="kHz")
    _label_heights(clip, frequencies)
    for row, block in zip(rows[1:], blocks):
        row.suptitle(f"block {block.block}", fontsize="medium")
        places, parts, maps = row.subplots(1, 3, width_ratios=(3, 1, 2))
        places.imshow(image, origin="lower", aspect="auto", cmap="Greys", extent=extent)
        style = {"origin": "lower", "aspect": "auto", "cmap": "magma", "alpha": 0.6}
        gain = places.imshow(block.gain_by_place, extent=extent, interpolation="bilinear", **style)
        row.colorbar(gain, ax=places, label="gain (bright: emphasised)")
        places.set(title="gain by place", xlabel=time, ylabel="kHz")
        _label_heights(places, frequencies)
        _draw_parts(parts, block, seconds, frequencies, time)
        _draw_maps(maps, block)
    return figure


def _label_heights(axes: Axes, frequencies: Sequence[float]) -> None:
    """Label the kHz axis of a spectrogram, which is drawn with heights of equal size, if it is not linear."""
    top = frequencies[-1] / 1000
    heights = np.linspace(0, top, len(frequencies))
    if not np.allclose(heights, np.asarray(frequencies) / 1000):
        labels = [0, *(top / 2**octave for octave in range(4, -1, -1))]
        axes.set_yticks(
            np.interp(labels, np.asarray(frequencies) / 1000, heights), [f"{x:g}" for x in labels]
        )


def _draw_parts(axes: Axes, block: Attended, seconds: float, frequencies: Sequence[float], time: str) -> None:
    n, top = len(block.parts), frequencies[-1]
    along_time = block.axis == "time"
    edges = np.linspace(0, seconds if along_time else top / 1000, n + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, 0.8 * np.diff(edges)
    if along_time:
        axes.bar(middle, block.parts, width, color="0.4")
        axes.set(title="mean weight by part", xlabel=time)
    else:
        axes.barh(middle, block.parts, width, color="0.4")
        axes.set(title="mean weight by band", ylabel="kHz", ylim=(0, top / 1000))
        _label_heights(axes, frequencies)


def _draw_maps(axes: Axes, block: Attended) -> None:
    numbers = np.argsort(block.gain_by_map)[::-1][:MAPS]
    tiles = [block.maps[number] for number in numbers]
    low, high = min(tile.min() for tile in tiles), max(tile.max() for tile in tiles)
    gap = np.full((len(tiles[0]), 1), np.nan)
    strip = np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)
    drawn = axes.imshow(strip, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=high)
    axes.figure.colorbar(drawn, ax=axes, label="activation")
    width = tiles[0].shape[1] + 1
    middles = [width * place + width / 2 - 1 for place in range(len(numbers))]
    axes.set_xticks(middles, [f"{number}" for number in numbers])
    axes.set_yticks([])
    axes.set(title="feature maps with the largest gain")
