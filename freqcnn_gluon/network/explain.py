"""What the attention of a trained network weights in a clip, as arrays and as a picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
from matplotlib.figure import Figure

from data_prep.base.faults import Faults
from data_prep.base.files import whole
from freqcnn_gluon.network.attention import AttentionBlock
from freqcnn_gluon.network.freqcnn import FreqCNN

__all__ = ["Attended", "attended", "draw", "picture"]

MAPS = 6  # feature maps that a picture shows of a block


@dataclass(frozen=True)
class Attended:
    """What one attention block does with one clip (Eqs. 9 to 11).

    ``block``: its number, 1 to 5. ``maps``: A^g (channels, freq, time). ``weights``: h (n, m), of each local
    part k; m counts feature maps, or, ``spatial``, locations (freq * time, row by row). ``axis``: what the n
    parts divide, 'frequency' (the lowest first) or 'time'.
    """

    block: int
    maps: np.ndarray
    weights: np.ndarray
    spatial: bool
    axis: str

    @property
    def parts(self) -> np.ndarray:
        """(n,): the mean weight that each local part gives to the whole."""
        return self.weights.mean(axis=1)

    @property
    def of_maps(self) -> np.ndarray:
        """(channels,): what each feature map gains by attention, the mean of |sum_k h * A^g| over it."""
        return np.abs(self._gained()).mean(axis=(1, 2))

    @property
    def emphasis(self) -> np.ndarray:
        """(freq, time): what each location gains, the mean of |sum_k h * A^g| over the feature maps."""
        return np.abs(self._gained()).mean(axis=0)

    def summary(self, seconds: float, top: float) -> str:
        """``parts`` in words; ``seconds``: the clip's length, ``top``: the highest frequency in Hz."""
        end, unit = (seconds, "s") if self.axis == "time" else (top, "Hz")
        edges = np.linspace(0, end, len(self.parts) + 1)
        return ", ".join(
            f"{low:.4g}-{high:.4g} {unit} {weight:.3f}"
            for low, high, weight in zip(edges[:-1], edges[1:], self.parts)
        )

    def _gained(self) -> np.ndarray:
        total = self.weights.sum(axis=0)
        return self.maps * (total.reshape(self.maps.shape[1:]) if self.spatial else total[:, None, None])


def attended(net: FreqCNN, image: np.ndarray) -> list[Attended]:
    """Of each attention block of ``net``, in order, what it does with ``image`` (size, size).

    Raises Faults for a network without attention blocks.
    """
    device = next(iter(net.collect_params().values())).list_ctx()[0]
    x, found = mx.nd.array(image[None, None], ctx=device), []
    for number, stage in enumerate(net.stages):
        if isinstance(stage, AttentionBlock):
            maps, weights = (each.asnumpy()[0] for each in stage.attend(mx.nd, x))
            found.append(Attended(number // 2 + 1, maps, weights, not stage.feature_based, stage.split_along))
        x = stage(x)
    if not found:
        raise Faults("this network has no attention blocks: there is nothing that it weights")
    return found


def draw(
    image: np.ndarray, found: list[Attended], title: str, path: Path, seconds: float, top: float
) -> None:
    """``picture`` as a PNG file."""
    with whole(path) as aside:
        picture(image, found, title, seconds, top).savefig(aside, format="png", dpi=110)


def picture(
    image: np.ndarray, found: list[Attended], title: str, seconds: float | None, top: float
) -> Figure:
    """The spectrogram and, below it, what each block weights: where, which part, which feature maps.

    ``seconds``: the clip's length, or None where it is not known: time is then the share of the clip.
    ``top``: the highest frequency in Hz.
    """
    time = "s" if seconds else "share of the clip"
    seconds = seconds or 1
    figure = Figure(figsize=(11, 3.4 * (1 + len(found))), layout="constrained")
    rows = figure.subfigures(1 + len(found), 1)
    extent = (0, seconds, 0, top / 1000)
    whole_clip = rows[0].subplots()
    whole_clip.imshow(image, origin="lower", aspect="auto", cmap="Greys", extent=extent)
    whole_clip.set(title=title, xlabel=time, ylabel="kHz")
    for row, one in zip(rows[1:], found):
        row.suptitle(f"block {one.block}", fontsize="medium")
        where, parts, maps = row.subplots(1, 3, width_ratios=(3, 1, 2))
        where.imshow(image, origin="lower", aspect="auto", cmap="Greys", extent=extent)
        style = {"origin": "lower", "aspect": "auto", "cmap": "magma", "alpha": 0.6}
        where.imshow(one.emphasis, extent=extent, interpolation="bilinear", **style)
        where.set(title="where the weighted maps are", xlabel=time, ylabel="kHz")
        _draw_parts(parts, one, seconds, top, time)
        _draw_maps(maps, one)
    return figure


def _draw_parts(axes, one: Attended, seconds: float, top: float, time: str) -> None:
    n = len(one.parts)
    along_time = one.axis == "time"
    edges = np.linspace(0, seconds if along_time else top / 1000, n + 1)
    middle, width = (edges[1:] + edges[:-1]) / 2, 0.8 * np.diff(edges)
    if along_time:
        axes.bar(middle, one.parts, width, color="0.4")
        axes.set(title="mean weight by part", xlabel=time)
    else:
        axes.barh(middle, one.parts, width, color="0.4")
        axes.set(title="mean weight by band", ylabel="kHz", ylim=(0, top / 1000))


def _draw_maps(axes, one: Attended) -> None:
    most = np.argsort(one.of_maps)[::-1][:MAPS]
    tiles = [one.maps[number] for number in most]
    low, high = min(tile.min() for tile in tiles), max(tile.max() for tile in tiles)
    gap = np.full((len(tiles[0]), 1), np.nan)
    strip = np.concatenate([part for tile in tiles for part in (tile, gap)][:-1], axis=1)
    axes.imshow(strip, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=high)
    width = tiles[0].shape[1] + 1
    axes.set_xticks(
        [width * place + width / 2 - 1 for place in range(len(most))], [f"{number}" for number in most]
    )
    axes.set_yticks([])
    axes.set(title="the feature maps that gain most")
