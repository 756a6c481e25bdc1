"""Read any audio file as mono samples at one rate, like MIRtoolbox: load, average the channels, resample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from data_prep.base.faults import Faults
from data_prep.sound import counting, reader
from data_prep.sound import remarks as remark

SHORTEST = 0.05  # s, one frame of MIRtoolbox's default
ROUNDED = 0.0005  # s; a stop may exceed the end by this much, since tables often round to a millisecond
# If the mean of two channels has less than this share of the louder channel's power, the channels cancel.
CANCELLED = 0.01
BLOCK = 2**20  # values decoded at a time, so that the channels are never all in memory


class Silence(Faults):
    """A recording is silent."""


def resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    """Resample ``samples`` (n,) from ``source`` to ``target`` Hz, as MATLAB's ``resample(x, p, q)`` does."""
    if source == target:
        return samples
    common = gcd(source, target)
    return resample_poly(samples, target // common, source // common, window=("kaiser", 5.0))


def read(
    path: Path | str,
    rate: int = 16000,
    start: float | None = None,
    stop: float | None = None,
    remarks: set[str] | None = None,
) -> np.ndarray:
    """Read a sound file as mono samples at one rate.

    Args:
        path: The file.
        rate: The sampling rate of the result, in Hz.
        start: Where to begin, in s; None for the file's beginning. The cut comes before the resampling.
        stop: Where to end, in s; None for the file's end.
        remarks: As for ``load``.

    Returns:
        Samples (n,), float64. Full scale is 1.

    Raises:
        Faults: As ``load`` does.
    """
    samples, source = load(path, start, stop, remarks)
    return resample(samples, source, rate)


def load(
    path: Path | str,
    start: float | None = None,
    stop: float | None = None,
    remarks: set[str] | None = None,
) -> tuple[np.ndarray, int]:
    """Read a file as mono samples at its own rate.

    The samples are the mean of all channels, as in MIRtoolbox. If the channels nearly cancel each other,
    the samples are those of the first loud channel.

    Truncation is detected in every format that ``corpora.own`` reads, unless the file states no length and
    ends between two frames. In other formats that libsndfile reads, truncation may go unnoticed.

    Args:
        path: The file.
        start: Where to begin, in s; None for the file's beginning.
        stop: Where to end, in s; None for the file's end. A stop up to half a millisecond later also
            counts as the end.
        remarks: A set to which remarks on the sound are added, see ``sound.remarks``.

    Returns:
        Samples (n,), float64, full scale 1; and the file's rate in Hz.

    Raises:
        Faults: The file is missing, unreadable or truncated; or the part between ``start`` and ``stop`` is
            empty, shorter than one frame, silent (all samples equal), not finite, or beyond the file's end.
    """
    path = Path(path)
    with reader.seekable(path) as file:
        return _samples(file, path, start, stop, remarks), file.samplerate


def parts(
    path: Path | str,
    rate: int,
    times: Iterable[tuple[float | None, float | None]],
    remarks: set[str] | None = None,
) -> Iterator[np.ndarray | None]:
    """Read several parts of a file, as ``read`` does, but open the file once.

    Args:
        path: The file.
        rate: The sampling rate of the results, in Hz.
        times: (start, stop) of each part, in s, as for ``read``.
        remarks: As for ``load``.

    Yields:
        The samples (n,) of each part, or None if the part is silent.

    Raises:
        Faults: As ``load`` does, except for silence.
    """
    path = Path(path)
    with reader.seekable(path) as file:
        for start, stop in times:
            try:
                samples = _samples(file, path, start, stop, remarks)
                yield resample(samples, file.samplerate, rate)
            except Silence:
                yield None


def _samples(
    file: soundfile.SoundFile,
    path: Path,
    start: float | None,
    stop: float | None,
    remarks: set[str] | None = None,
) -> np.ndarray:
    """Read the part of the open ``file`` between ``start`` and ``stop``, with the checks of ``load``."""
    rate = file.samplerate
    if not file.frames:
        raise Faults(f"{path}: has no samples; replace it or leave it out")
    first, last = _bounds(file, path, start, stop)
    inverted: set[str] = set()
    samples, powers = _decode(file, path, first, last - first)
    if len(powers) > 1 and remark.power(samples) < CANCELLED * powers.max() * (2 / len(powers)) ** 2:
        # Take the first loud channel, so that all windows use the same one of two equally loud channels.
        loud = int((powers >= powers.max() / 2).argmax())
        samples, _ = _decode(file, path, first, last - first, loud)
        inverted = {remark.INVERTED}
    part = "" if start is None and stop is None else f" from {first / rate:.3f} to {last / rate:.3f} s"
    _check_samples(samples, rate, f"{path}{part}")
    if remarks is not None:
        remarks |= inverted | remark.of(samples)
    return samples


def _decode(
    file: soundfile.SoundFile, path: Path, first: int, length: int, channel: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode ``length`` samples from the sample ``first`` on.

    Returns:
        The mean of all channels, or one channel alone: (length,); and the variance of each channel.
    """
    # The array grows as samples are decoded, because a damaged header may state any length.
    samples, decoded = np.empty(min(length, BLOCK)), 0
    sums, squares = np.zeros(file.channels), np.zeros(file.channels)
    try:
        file.seek(first)
        buffer = np.empty((max(1, min(BLOCK // file.channels, length)), file.channels))
        while decoded < length:  # not file.blocks, which returns samples that it has not read
            block = file.read(length - decoded, out=buffer)
            if not len(block):
                raise counting.breaks_off(path, length - decoded)
            after = decoded + len(block)
            if after > len(samples):
                samples.resize(min(length, max(after, 2 * len(samples))), refcheck=False)
            if file.channels == 1:  # the mean is slow even for one channel
                samples[decoded:after] = block[:, 0]
            else:
                samples[decoded:after] = block.mean(axis=1) if channel is None else block[:, channel]
                sums += block.sum(axis=0)
                squares += np.einsum("ij,ij->j", block, block)
            decoded = after
    except soundfile.LibsndfileError:
        raise counting.damaged(path) from None
    with np.errstate(invalid="ignore"):  # samples that are not finite are reported later
        return samples, squares / max(1, length) - (sums / max(1, length)) ** 2


def _check_samples(samples: np.ndarray, rate: int, name: str) -> None:
    if len(samples) < SHORTEST * rate:
        raise Faults(
            f"{name}: lasts {len(samples) / rate:.4f} s, less than one frame of {SHORTEST} s; leave it out"
        )
    low, high = samples.min(), samples.max()  # both are NaN if any sample is
    if not np.isfinite([low, high]).all():
        raise Faults(f"{name}: has samples that are NaN or infinite; write the file again")
    if low == high:
        raise Silence(f"{name}: is silent (all samples are {samples[0]:g}); replace it or leave it out")


def inverted(path: Path | str, start: float | None = None, stop: float | None = None) -> bool:
    """Return whether ``read`` uses one channel, because the channels nearly cancel each other.

    Raises:
        Faults: As ``load`` does.
    """
    remarks: set[str] = set()
    with reader.opened(Path(path)) as file:
        if file.channels == 1:
            return False
    load(path, start, stop, remarks)
    return remark.INVERTED in remarks


def seconds(path: Path | str, start: float | None = None, stop: float | None = None) -> float:
    """Return the length in s of the part that ``read`` would return. A reliable header suffices for this.

    Raises:
        Faults: The file cannot be opened, or the times are not in it.
    """
    return seconds_and_rate(path, start, stop)[0]


def seconds_and_rate(
    path: Path | str, start: float | None = None, stop: float | None = None
) -> tuple[float, int]:
    """Return the length in s of the part that ``read`` would return, and the file's own sampling rate in Hz.

    Raises:
        Faults: The file cannot be opened, or the times are not in it.
    """
    with reader.opened(Path(path)) as file:
        first, last = _bounds(file, Path(path), start, stop)
        return (last - first) / file.samplerate, file.samplerate


def rate_of(path: Path | str) -> int:
    """Return the file's own sampling rate in Hz.

    Raises:
        Faults: The file cannot be opened.
    """
    with reader.opened(Path(path)) as file:
        return file.samplerate


def _bounds(
    file: soundfile.SoundFile, path: Path, start: float | None, stop: float | None
) -> tuple[int, int]:
    """Convert start and stop to the index of the first sample and the index after the last.

    A stop up to half a millisecond after the file's end counts as the end, because it may be rounded.
    """
    rate, frames = file.samplerate, file.frames
    for name, time in (("start", start), ("stop", stop)):
        if time is not None and not 0 <= time < np.inf:
            raise Faults(f"{path}: the clip's {name} is {time:g} s; give a time of 0 s or more, or none")
    first = 0 if start is None else round(start * rate)
    last = frames if stop is None else round(stop * rate)
    if frames < last <= frames + ROUNDED * rate + 1:
        last = frames
    if stop is not None and last > frames:
        end, late = _distinct(frames / rate, stop)
        raise Faults(
            f"{path}: ends at {end} s, before the clip's stop at {late} s; correct the stop or replace "
            "the file"
        )
    if start is not None and first >= last:
        end, late = _distinct(last / rate, start)
        name = "the recording ends" if stop is None else "it stops"
        raise Faults(f"{path}: the clip starts at {late} s, but {name} at {end} s; correct its times")
    return first, last


def _distinct(one: float, other: float) -> tuple[str, str]:
    """Format two times with enough digits to distinguish them, at least three."""
    digits = next((digits for digits in range(3, 9) if f"{one:.{digits}f}" != f"{other:.{digits}f}"), 3)
    return f"{one:.{digits}f}", f"{other:.{digits}f}"
