"""MIRtoolbox's spectrogram, and the square image of it that the networks read (Section 3.1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image
from scipy import fft
from scipy.signal.windows import hamming

from data_prep.sound.mel import band_edges, filters

VERSIONS = ("1.8.2", "1.7")
SCALES = ("db", "linear", "power")
TIME_AXES = ("whole", "windows")
FREQUENCIES = ("linear", "mel")
MEL_BANDS = 64
TINY = 1e-16  # added to a magnitude before its logarithm, as MIRtoolbox does
BLOCK = 2**16  # samples transformed at a time: 512 kB, which stay in a core's cache


@dataclass(frozen=True)
class ImageSettings:
    """How a spectrogram becomes a square image.

    No plain call of MIRtoolbox gives the paper's 256 or 224 rows. We assume its default framing, in dB down
    to a floor below the clip's maximum, scaled to 0..1, then antialiased resizing of both axes. Eqs. (2)-(3)
    alone define a magnitude without a logarithm: ``scale`` 'linear'.

    Attributes:
        size: Rows and columns of the image.
        rate: The sampling rate in Hz.
        frame: The length of a frame in s.
        hop: The distance between two frames, as a fraction of the frame.
        floor_db: The distance in dB between the clip's maximum and the image's 0. Only 'db' uses it.
        version: The version of MIRtoolbox, one of VERSIONS. Only the images in 'db' depend on it.
        scale: The unit of a pixel, one of SCALES: 'db', 'linear' (magnitude) or 'power' (its square). The
            last two are divided by the clip's maximum.
        time_axis: One of TIME_AXES: 'whole' squeezes the whole clip into one image. 'windows' cuts it into
            windows of ``size`` frames, whose images have one column for each frame.
        frequency: One of FREQUENCIES: 'linear' is the paper's axis. 'mel' has the MEL_BANDS bands of
            ``mel.filters``; the magnitude of a band is the root of its weighted power.
    """

    size: int
    rate: int = 16000
    frame: float = 0.05
    hop: float = 0.5
    floor_db: float = 80.0
    version: str = "1.8.2"
    scale: str = "db"
    time_axis: str = "whole"
    frequency: str = "linear"

    def as_json(self) -> dict[str, Any]:
        """Return the settings that an image depends on, for JSON.

        ``scale``, ``time_axis`` and ``frequency`` are left out at their defaults, so that the hashes and
        files of versions without them stay valid.

        Returns:
            Keyword arguments of ImageSettings that give the same images.
        """
        left_out = ["floor_db", "version"] if self.scale != "db" else ["scale"]
        defaults = {"time_axis": "whole", "frequency": "linear"}
        left_out += [name for name, value in defaults.items() if getattr(self, name) == value]
        return {name: value for name, value in asdict(self).items() if name not in left_out}


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
    """Compute MIRtoolbox's ``mirspectrum(x, 'Frame', frame, 's', hop, hop_unit, ...)``.

    A partial last frame is dropped; a signal shorter than a frame is one frame. Version 1.7 differs in three
    points: ``db`` counts from each frame's own maximum, a ``max_hz`` between two bins keeps the upper one,
    and an odd ``length`` stretches the frequencies. ``hop_unit``, ``window``, ``min_hz`` and ``max_hz`` serve
    the comparison with MIRtoolbox: no image needs them.

    Args:
        samples: (n,), or (n, channels) to be averaged.
        rate: The sampling rate in Hz.
        frame: The length of a frame in s.
        hop: The distance between two frames, in ``hop_unit``.
        hop_unit: '/1' (fraction of the frame), '%', 's', 'sp' (samples) or 'Hz'.
        window: Whether to apply a Hamming window.
        power: Whether to square the magnitude.
        db: True for dB. A number for dB above a floor that lies this far below the maximum (0..db).
        min_hz: The lowest frequency to keep.
        max_hz: The highest frequency to keep.
        length: The length of the FFT in samples; None for the next power of two.
        version: '1.8.2' or '1.7'.

    Returns:
        Magnitude (bins, frames), lowest frequency first; frequency (bins,) in Hz; times (2, frames), the
        time in s of each frame's first and last sample.

    Raises:
        ValueError: A setting is unknown, or there are no samples.
    """
    samples = _mono(samples)
    width, starts = _frames(samples.size, rate, frame, hop, hop_unit)
    points = length or 1 << (width - 1).bit_length()  # the next power of two
    frequency = _frequencies(points, rate, version)
    band = _band(frequency, min_hz, max_hz, version)

    taper = hamming(width) if window else np.ones(width)
    frames = np.lib.stride_tricks.sliding_window_view(samples, width)[:, :points]
    in_db = db is not None and db is not False
    magnitude = _magnitude(frames, starts, taper[:points], points, band, power, in_db)
    if db is not None and not isinstance(db, bool):
        _raise_floor(magnitude, db, max(1, BLOCK // points), version)
    return magnitude.T, frequency[band], np.stack([starts, starts + width - 1]) / rate


def _mono(samples: np.ndarray) -> np.ndarray:
    """Average the channels of (n, channels); check that there are samples."""
    samples = np.asarray(samples, dtype=np.float64)
    if samples.ndim == 2:
        samples = samples.mean(axis=1)
    if samples.ndim != 1 or not samples.size:
        raise ValueError(f"samples have shape {samples.shape}; (n,) or (n, channels) with n > 0 is needed")
    return samples


def _frames(size: int, rate: float, frame: float, hop: float, hop_unit: str) -> tuple[int, np.ndarray]:
    """Return the width of a frame and the starts (frames,) of all frames, in samples."""
    # MIRtoolbox computes the hop from the frame's unrounded length, and rounds only each frame's start. It
    # counts starts from 1; adding that 1 before the floor is what turns 15999.999... into 16000.
    step = _hop_in_samples(hop, hop_unit, frame * rate, rate)
    width = int(frame * rate)
    if width < 1 or not step > 0:
        raise ValueError(
            f"a frame of {frame} s or a hop of {hop} {hop_unit} is shorter than a sample at {rate} Hz"
        )
    count = int(np.floor((size - width) / step)) + 1  # np.floor rounds as MATLAB does, // does not
    if count < 1:
        return size, np.zeros(1, np.int64)
    return width, np.floor(np.arange(count) * step + 1).astype(np.int64) - 1


def _hop_in_samples(hop: float, unit: str, length: float, rate: float) -> float:
    if unit == "Hz" and hop:
        return rate / hop
    one = {"/1": length, "%": length * 0.01, "s": rate, "sp": 1, "Hz": 0}
    if unit not in one:
        raise ValueError(f"hop_unit is {unit!r}; give one of {', '.join(one)}")
    return hop * one[unit]


def _frequencies(points: int, rate: float, version: str) -> np.ndarray:
    """Return the frequency in Hz of each bin of an FFT of ``points`` samples."""
    if version not in VERSIONS:
        raise ValueError(f"version is {version!r}; give one of {', '.join(VERSIONS)}")
    bins = points // 2 + 1
    return np.linspace(0, rate / 2, bins) if version == "1.7" else np.arange(bins) * rate / points


def _band(frequency: np.ndarray, min_hz: float | None, max_hz: float | None, version: str) -> slice:
    """Select the bins from min_hz to max_hz; version 1.7 includes the first bin at or above max_hz."""
    first = 0 if min_hz is None else int(np.searchsorted(frequency, min_hz, side="left"))
    last = len(frequency)
    if max_hz is not None and version == "1.7":
        last = int(np.searchsorted(frequency, max_hz, side="left")) + 1
    elif max_hz is not None:
        last = int(np.searchsorted(frequency, max_hz, side="right"))
    return slice(first, last)


def _magnitude(
    frames: np.ndarray,
    starts: np.ndarray,
    taper: np.ndarray,
    points: int,
    band: slice,
    power: bool,
    in_db: bool,
) -> np.ndarray:
    """Transform the frames that begin at ``starts``, of (samples, width), to (starts, bins of the band)."""
    magnitude = np.empty((starts.size, len(range(points // 2 + 1)[band])))
    block = max(1, BLOCK // points)
    padded = np.zeros((block, points))  # padded here, because the FFT's own padding is slow
    for i in range(0, starts.size, block):
        rows, begins = magnitude[i : i + block], starts[i : i + block]
        windowed = padded[: len(begins)]
        np.multiply(frames[begins], taper, out=windowed[:, : taper.size])
        np.abs(fft.rfft(windowed, axis=1)[:, band], out=rows)
        if power:
            np.square(rows, out=rows)
        if in_db:
            rows += TINY
            np.log10(rows, out=rows)
            rows *= 10.0 if power else 20.0
    return magnitude


def _raise_floor(magnitude: np.ndarray, floor_db: float, block: int, version: str) -> None:
    """Limit dB (frames, bins) in place to ``floor_db`` below the maximum, and count them from there."""
    loudest = magnitude.max(axis=1, keepdims=True) if version == "1.7" else magnitude.max(keepdims=True)
    loudest = np.broadcast_to(loudest, (len(magnitude), 1))
    for i in range(0, len(magnitude), block):
        rows = magnitude[i : i + block]
        rows -= loudest[i : i + block]
        np.maximum(rows, -floor_db, out=rows)
        rows += floor_db


def image(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Compute the image of a whole clip, whatever ``settings.time_axis``.

    Args:
        samples: (n,) at ``settings.rate``.
        settings: The image's settings.

    Returns:
        float32 (freq, time) = (size, size) in 0..1, low frequencies first. 1 is the clip's loudest point. 0
        is ``floor_db`` below it or less if ``scale`` is 'db', otherwise a magnitude of 0.
    """
    return resized(scaled(samples, settings), settings.size)


def scaled(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Compute a clip's spectrogram in 0..1 before it is resized.

    Args:
        samples: (n,) at ``settings.rate``.
        settings: The image's settings.

    Returns:
        float32 (frames, bins or mel bands), low frequencies first.

    Raises:
        ValueError: The scale or the frequency axis is unknown.
    """
    for name, known in (("scale", SCALES), ("frequency", FREQUENCIES)):
        if getattr(settings, name) not in known:
            raise ValueError(f"{name} is {getattr(settings, name)!r}; give one of {', '.join(known)}")
    magnitude = (
        _of_mel_bands(samples, settings) if settings.frequency == "mel" else _of_bins(samples, settings)
    )
    highest = settings.floor_db if settings.scale == "db" else magnitude.max() or 1.0  # 0 in digital silence
    return (magnitude / highest).astype(np.float32)


def _of_bins(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Return the spectrogram (frames, bins) in the unit of ``settings.scale``."""
    return mirspectrum(
        samples,
        settings.rate,
        settings.frame,
        settings.hop,
        power=settings.scale == "power",
        db=settings.floor_db if settings.scale == "db" else None,
        version=settings.version,
    )[0].T


def _of_mel_bands(samples: np.ndarray, settings: ImageSettings) -> np.ndarray:
    """Return the spectrogram (frames, MEL_BANDS) in the unit of ``settings.scale``."""
    points = transform_points(settings)
    # A signal that is shorter than a frame gets the same transform, because the filters belong to it.
    power, _, _ = mirspectrum(
        samples,
        settings.rate,
        settings.frame,
        settings.hop,
        power=True,
        length=points,
        version=settings.version,
    )
    bands = np.sqrt(power.T @ filters(points, settings.rate, MEL_BANDS).T)
    if settings.scale == "power":
        return np.square(bands)
    if settings.scale == "db":
        bands = 20 * np.log10(bands + TINY)
        _raise_floor(bands, settings.floor_db, BLOCK // MEL_BANDS, settings.version)
    return bands


def transform_points(settings: ImageSettings) -> int:
    """Return the length of the DFT of a whole frame, the next power of two."""
    return 1 << (int(settings.frame * settings.rate) - 1).bit_length()


def resized(frames: np.ndarray, size: int) -> np.ndarray:
    """Resize float32 (frames, bins) in 0..1 to an image (freq, time) = (size, size) in 0..1."""
    pixels = Image.fromarray(frames)
    pixels = pixels.transpose(Image.Transpose.TRANSPOSE)  # faster than transposing in numpy
    # MATLAB's imresize is bicubic by default, and also widens the kernel when it reduces.
    pixels = pixels.resize((size, size), Image.Resampling.BICUBIC)
    return np.clip(np.asarray(pixels), 0.0, 1.0)  # the kernel's negative lobes overshoot at edges


def row_edges(settings: ImageSettings) -> np.ndarray:
    """Return the frequencies in Hz between the rows of an image, from its bottom to its top (size + 1,)."""
    if settings.frequency == "mel":
        edges = band_edges(settings.rate, MEL_BANDS)
        return np.interp(np.linspace(0, 1, settings.size + 1), np.linspace(0, 1, MEL_BANDS + 1), edges)
    return np.linspace(0, settings.rate / 2, settings.size + 1)


def frame_count(samples: int, settings: ImageSettings) -> int:
    """Return the number of frames of a clip of ``samples`` samples at ``settings.rate``."""
    return len(_frames(samples, settings.rate, settings.frame, settings.hop, "/1")[1])
