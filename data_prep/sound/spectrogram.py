"""MIRtoolbox's spectrogram, and the square image of it that the networks read (Section 3.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import fft
from scipy.signal.windows import hamming

VERSIONS = ("1.8.2", "1.7")
BLOCK = 2**16  # samples transformed at a time: 512 kB


@dataclass(frozen=True)
class ImageSettings:
    """How a spectrogram becomes a ``size`` x ``size`` image.

    No plain call of MIRtoolbox gives the paper's 256 or 224 rows. This is the assumption: its default
    framing (``frame`` s, hop as a fraction of it), in dB down to ``floor_db`` below the clip's maximum,
    scaled to 0..1, then antialiased resizing of both axes. ``rate`` is in Hz.
    """

    size: int
    rate: int = 16000
    frame: float = 0.05
    hop: float = 0.5
    floor_db: float = 80.0
    version: str = "1.8.2"


def _hop_in_samples(hop: float, unit: str, length: float, rate: float) -> float:
    if unit == "Hz" and hop:
        return rate / hop
    one = {"/1": length, "%": length * 0.01, "s": rate, "sp": 1, "Hz": 0}
    if unit not in one:
        raise ValueError(f"hop_unit is {unit!r}; one of {', '.join(one)}")
    return hop * one[unit]


def _band(frequency: np.ndarray, min_hz: float | None, max_hz: float | None, version: str) -> slice:
    """Bins with min_hz <= frequency <= max_hz; 1.7 goes on to the first bin at or above max_hz."""
    first = 0 if min_hz is None else np.searchsorted(frequency, min_hz, side="left")
    last = len(frequency)
    if max_hz is not None and version == "1.7":
        last = np.searchsorted(frequency, max_hz, side="left") + 1
    elif max_hz is not None:
        last = np.searchsorted(frequency, max_hz, side="right")
    return slice(int(first), int(last))


def mirspectrum(
    samples: np.ndarray,
    rate: float,
    frame: float = 0.05,
    hop: float = 0.5,
    hop_unit: str = "/1",
    window: bool = True,
    power: bool = False,
    db: bool | float | None = None,
    min_hz: float | None = None,
    max_hz: float | None = None,
    length: int | None = None,
    version: str = "1.8.2",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What ``mirspectrum(x, 'Frame', frame, 's', hop, hop_unit, ...)`` returns in MIRtoolbox.

    ``samples`` (n,) or (n, channels), which are averaged first, at ``rate`` Hz. ``frame`` in s; ``hop`` in
    ``hop_unit``: '/1' (fraction of the frame), '%', 's', 'sp' (samples) or 'Hz'. ``window``: Hamming or none.
    ``power``: squared magnitude. ``db``: True for dB, a number for dB above that distance from the maximum
    (0..db). ``min_hz``, ``max_hz``: the band kept. ``length``: FFT length, else the next power of two.

    Returns magnitude (bins, frames), lowest frequency first; frequency (bins,) in Hz; times (2, frames),
    the time in s of each frame's first and last sample. A partial last frame is dropped; a signal shorter
    than a frame is one frame. Raises ValueError for a setting that does not exist and for no samples.

    ``version`` '1.7' differs in three ways: the maximum that ``db`` counts from is each frame's own, a
    ``max_hz`` between two bins keeps the upper one, and an odd ``length`` stretches ``frequency``.
    """
    if version not in VERSIONS:
        raise ValueError(f"version is {version!r}; one of {', '.join(VERSIONS)}")
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"samples have shape {samples.shape}; (n,) or (n, channels) with n > 0 is needed")

    # The hop comes from the frame's unrounded length and is itself never rounded, only each frame's start;
    # that start is counted from 1, and adding the 1 before flooring is what rounds 15999.999... up.
    step = _hop_in_samples(hop, hop_unit, frame * rate, rate)
    width = int(frame * rate)
    if width < 1 or not step > 0:
        raise ValueError(
            f"a frame of {frame} s with a hop of {hop} {hop_unit} is no sample long at {rate} Hz"
        )
    frames = int(np.floor((samples.size - width) / step)) + 1  # not //, which rounds otherwise than MATLAB
    if frames < 1:
        width, frames = samples.size, 1
    starts = np.floor(np.arange(frames) * step + 1).astype(np.int64) - 1

    points = length or 1 << (width - 1).bit_length()  # the next power of two
    bins = points // 2 + 1
    frequency = np.arange(bins) * rate / points if version != "1.7" else np.linspace(0, rate / 2, bins)
    band = _band(frequency, min_hz, max_hz, version)
    frequency = frequency[band]

    # In blocks that stay in a core's cache, padded here, since the FFT pads by slow copies.
    magnitude = np.empty((frames, frequency.size))
    sliding = np.lib.stride_tricks.sliding_window_view(samples, width)[:, :points]
    taper = (hamming(width) if window else np.ones(width))[:points]
    block = max(1, BLOCK // points)
    padded = np.zeros((block, points))
    for i in range(0, frames, block):
        here, begins = magnitude[i : i + block], starts[i : i + block]
        windowed = padded[: len(begins)]
        np.multiply(sliding[begins], taper, out=windowed[:, : taper.size])
        np.abs(fft.rfft(windowed, axis=1)[:, band], out=here)
        if power:
            np.square(here, out=here)
        if db is not None and db is not False:
            here += 1e-16
            np.log10(here, out=here)
            here *= 10.0 if power else 20.0

    if db is not None and db is not False and db is not True:
        loudest = magnitude.max(axis=1, keepdims=True) if version == "1.7" else magnitude.max(keepdims=True)
        loudest = np.broadcast_to(loudest, (frames, 1))
        for i in range(0, frames, block):
            here = magnitude[i : i + block]
            here -= loudest[i : i + block]
            np.maximum(here, -db, out=here)
            here += db
    return magnitude.T, frequency, np.stack([starts, starts + width - 1]) / rate


def image(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """The network's input for one clip: float32 (freq, time) = (size, size) in 0..1, low frequencies first.

    ``samples`` (n,) at ``settings.rate``. 1 is the clip's loudest point, 0 is ``floor_db`` below it or less.
    """
    magnitude, _, _ = mirspectrum(
        samples, settings.rate, settings.frame, settings.hop, db=settings.floor_db, version=settings.version
    )
    scaled = Image.fromarray((magnitude.T / settings.floor_db).astype(np.float32))
    scaled = scaled.transpose(Image.Transpose.TRANSPOSE)  # faster than numpy's copy in the other order
    # Bicubic is what MATLAB's imresize does unless told otherwise: it too widens the kernel when reducing.
    resized = scaled.resize((settings.size, settings.size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(resized), 0.0, 1.0)  # the kernel's negative lobes overshoot at edges
