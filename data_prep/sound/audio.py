"""Any audio file as mono samples at one rate, in MIRtoolbox's order: load, average the channels, resample."""

from __future__ import annotations

import io
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from math import gcd
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from data_prep.base.faults import Faults
from data_prep.sound import headers, mp3

SHORTEST = 0.05  # s, one frame of MIRtoolbox's default
SUBTYPES = {"u8": "PCM_U8", "s16": "PCM_16", "s32": "PCM_32", "flt": "FLOAT", "dbl": "DOUBLE"}
"""PyAV's name of a sample format -> libsndfile's."""

SLACK = 0.1  # s; an AVI's sound may be this much shorter than its header states: codecs add a delay
RATES = (1000, 1_000_000)  # Hz; a damaged header may state another rate, and resampling take all memory
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
    path: Path | str, rate: int = 16000, start: float | None = None, stop: float | None = None
) -> np.ndarray:
    """Read an AVI file, or any file that libsndfile reads, as mono samples at one rate.

    Args:
        path: The file.
        rate: The sampling rate of the result, in Hz.
        start: Where to begin, in s; None for the file's beginning. The cut comes before the resampling.
        stop: Where to end, in s; None for the file's end.

    Returns:
        Samples (n,), float64. Full scale is 1.

    Raises:
        Faults: As ``load`` does.
    """
    samples, source = load(path, start, stop)
    return resample(samples, source, rate)


def load(path: Path | str, start: float | None = None, stop: float | None = None) -> tuple[np.ndarray, int]:
    """Read a file as mono samples at its own rate.

    Truncation is detected in every format that ``corpora.own`` reads, except in an MP3 without a header that
    ends between two frames. It is not detected in every other format that libsndfile reads.

    Args:
        path: The file.
        start: Where to begin, in s; None for the file's beginning.
        stop: Where to end, in s; None for the file's end.

    Returns:
        Samples (n,), float64, full scale 1; and the file's rate in Hz.

    Raises:
        Faults: The file is missing, unreadable or truncated; or the part between ``start`` and ``stop`` is
            empty, shorter than one frame, silent (all samples equal), not finite, or beyond the file's end.
    """
    path = Path(path)
    with _seekable(path) as file:
        return _samples(file, path, start, stop), file.samplerate


def parts(
    path: Path | str, rate: int, times: Iterable[tuple[float | None, float | None]]
) -> Iterator[np.ndarray | None]:
    """Read several parts of a file, as ``read`` does, but open the file once.

    Args:
        path: The file.
        rate: The sampling rate of the results, in Hz.
        times: (start, stop) of each part, in s, as for ``read``.

    Yields:
        The samples (n,) of each part, or None if the part is silent.

    Raises:
        Faults: As ``load`` does, except for silence.
    """
    path = Path(path)
    with _seekable(path) as file:
        for start, stop in times:
            try:
                yield resample(_samples(file, path, start, stop), file.samplerate, rate)
            except Silence:
                yield None


def _samples(file: soundfile.SoundFile, path: Path, start: float | None, stop: float | None) -> np.ndarray:
    """Read the part of the open ``file`` between ``start`` and ``stop``, with the checks of ``load``."""
    rate, frames = file.samplerate, file.frames
    first, last = _bounds(file, start, stop)
    if not frames:
        raise Faults(f"{path}: has no samples; replace it or leave it out")
    if last > frames:
        raise Faults(
            f"{path}: ends at {frames / rate:.3f} s, before the clip's stop at {stop:.3f} s; "
            "correct the stop or replace the file"
        )
    try:
        samples, decoded = np.empty(last - first), 0
    except (MemoryError, ValueError):
        raise Faults(
            f"{path}: its header states {last - first} samples, which do not fit into memory; copy it again, "
            "or cut it"
        ) from None
    block_size = max(1, BLOCK // file.channels)
    try:
        file.seek(first)
        buffer = np.empty((min(block_size, len(samples)), file.channels))
        while decoded < len(samples):  # file.blocks would return samples that it has not read
            block = file.read(len(samples) - decoded, out=buffer)
            if not len(block):
                break
            mono = block[:, 0] if file.channels == 1 else block.mean(axis=1)  # the mean is slow even for one
            samples[decoded : decoded + len(block)] = mono
            decoded += len(block)
    except soundfile.LibsndfileError as error:
        raise _damaged(path, error) from None
    if decoded < len(samples):
        raise Faults(f"{path}: breaks off {len(samples) - decoded} samples early; copy it again")
    part = "" if start is None and stop is None else f" from {first / rate:.3f} to {last / rate:.3f} s"
    _check_samples(samples, rate, f"{path}{part}")
    return samples


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


def _damaged(path: Path, error: soundfile.LibsndfileError) -> Faults:
    return Faults(f"{path}: breaks off or is damaged ({error.error_string}); copy it again")


def seconds(path: Path | str, start: float | None = None, stop: float | None = None) -> float:
    """Return the length in s of what ``read`` would return. Only the header is read, except of an AVI.

    Raises:
        Faults: The file cannot be opened.
    """
    with _opened(Path(path)) as file:
        first, last = _bounds(file, start, stop)
        return (last - first) / file.samplerate


def rate_of(path: Path | str) -> int:
    """Return the file's own sampling rate in Hz.

    Raises:
        Faults: The file cannot be opened.
    """
    with _opened(Path(path)) as file:
        return file.samplerate


def _bounds(file: soundfile.SoundFile, start: float | None, stop: float | None) -> tuple[int, int]:
    """Convert the times to the number of the first sample and of the one after the last."""
    first = 0 if start is None else round(start * file.samplerate)
    last = file.frames if stop is None else round(stop * file.samplerate)
    return min(first, last), last


def _opened(path: Path) -> soundfile.SoundFile:
    """Open the file for decoding, and check its rate."""
    file = _decoder(path)
    if not RATES[0] <= file.samplerate <= RATES[1]:
        rate = file.samplerate
        file.close()
        raise Faults(f"{path}: its header states a rate of {rate} Hz, which no recording has; write it again")
    return file


def _seekable(path: Path) -> soundfile.SoundFile:
    """Open the file for decoding from any sample. If libsndfile cannot seek in it, decode all of it first."""
    file = _opened(path)
    if file.seekable():
        return file
    wav, decoded = io.BytesIO(), 0
    with file, soundfile.SoundFile(wav, "w", file.samplerate, file.channels, "PCM_16", format="WAV") as copy:
        try:  # GSM, G.721 and similar formats, which all decode to 16 bits
            while len(block := file.read(BLOCK // file.channels, "int16", always_2d=True)):
                copy.write(block)
                decoded += len(block)
        except soundfile.LibsndfileError as error:
            raise _damaged(path, error) from None
    if decoded < file.frames:
        raise Faults(f"{path}: breaks off {file.frames - decoded} samples early; copy it again")
    wav.seek(0)
    return soundfile.SoundFile(wav)


def _decoder(path: Path) -> soundfile.SoundFile:
    """Open the file, and check that it is complete."""
    if path.is_dir():
        raise Faults(f"{path}: is a folder, not an audio file")
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
            raise Faults(f"{path}: is a pipe or a device, not an audio file")
        length = status.st_size
        with open(path, "rb") as file:
            riff, start, size = headers.wav_sizes(file)
            if size == 0 and riff != length - 8:  # a streamed WAV, in which libsndfile would see no samples
                file.seek(0)
                content = bytearray(file.read())
                content[4:8] = content[start - 4 : start] = b"\xff" * 4
                return soundfile.SoundFile(io.BytesIO(content))
            stated = start + size if size < headers.STREAMED else headers.size(file)
            breaks_off = headers.breaks_off(file)
        if not length:
            raise Faults(f"{path}: is an empty file (0 bytes); replace it or leave it out")
        if path.suffix.lower() == ".avi":
            return _sound_of_avi(path, length)
        if breaks_off:
            raise Faults(f"{path}: is truncated, its last page is cut; copy it again")
        if stated > length:
            raise _truncated(path, stated - length)
        file = soundfile.SoundFile(os.fsencode(path))  # the name may be in any encoding
        return mp3.whole(path, file) if file.format == "MP3" else file
    except FileNotFoundError:
        raise Faults(f"{path}: is missing") from None
    except OSError as error:
        raise Faults(
            f"{path}: cannot be read ({error.strerror}); check its permissions and the disk"
        ) from None
    except soundfile.LibsndfileError as error:
        raise Faults(
            f"{path}: cannot be read as audio ({error.error_string}); give WAV, FLAC, MP3 or OGG"
        ) from None


def _truncated(path: Path, missing: int) -> Faults:
    return Faults(
        f"{path}: is truncated: it holds {missing} bytes fewer than its header states; copy it again"
    )


def _sound_of_avi(path: Path, length: int) -> soundfile.SoundFile:
    """Decode the sound of an AVI file of ``length`` bytes to a WAV in memory, with all its channels.

    The channels are averaged later, as for every other file: FFmpeg's own downmix would scale them.
    """
    av = mp3.pyav(path)
    with open(path, "rb") as file:
        riff, stated = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
    if riff == b"RIFF" and stated < headers.STREAMED and stated + 8 > length:
        raise _truncated(path, stated + 8 - length)
    try:
        # Pass the format and an open file: given a path, FFmpeg would follow playlists to other files.
        # Titles and program names in the header may be in any encoding, and are not needed.
        with (
            open(path, "rb") as file,
            av.open(file, format="avi", metadata_errors="ignore") as container,
        ):
            if not container.streams.audio:
                raise Faults(f"{path}: has pictures but no sound; replace it or leave it out")
            stream = container.streams.audio[0]
            if stream.codec_context is None or not stream.channels:
                raise Faults(f"{path}: its header names no sound that can be decoded; copy it again")
            rate, channels = stream.rate, stream.channels
            seconds = float(stream.frames * stream.time_base)  # 'frames' is the length in units of time_base
            name = stream.format.packed.name
            blocks = [_interleaved(frame, channels) for frame in container.decode(stream)]
    except av.FFmpegError as error:
        raise Faults(f"{path}: cannot be read as AVI ({error.strerror}); copy it again") from None
    if name not in SUBTYPES:
        raise Faults(f"{path}: has samples of an unknown format ({name}); convert it to WAV")
    if len({block.shape[1] for block in blocks}) > 1:
        raise Faults(f"{path}: has a number of channels that changes within the file; convert it to WAV")
    samples = np.concatenate(blocks) if blocks else np.empty((0, channels), np.int16)
    if len(samples) and len(samples) / rate < seconds - SLACK:  # FFmpeg skips damaged parts silently
        raise Faults(
            f"{path}: holds {len(samples) / rate:.3f} s of sound, but its header states {seconds:.3f} s; "
            "copy it again"
        )
    if name == "u8":  # libsndfile does not write unsigned arrays
        samples = (samples.astype(np.int16) - 128) << 8
    wav = io.BytesIO()
    soundfile.write(wav, samples, rate, SUBTYPES[name], format="WAV")
    wav.seek(0)
    return soundfile.SoundFile(wav)


def _interleaved(frame, channels: int) -> np.ndarray:
    """Convert one decoded block to (n, channels)."""
    samples = frame.to_ndarray()  # (channels, n) if planar, otherwise (1, n * channels)
    return samples.T if frame.format.is_planar else samples.reshape(-1, channels)
