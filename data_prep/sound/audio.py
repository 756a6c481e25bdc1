"""Any audio file -> mono float64 at one rate, in MIRtoolbox's order: load, mean of channels, resample."""

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
SAMPLES = {
    "u8": "PCM_U8",
    "s16": "PCM_16",
    "s32": "PCM_32",
    "flt": "FLOAT",
    "dbl": "DOUBLE",
}  # as PyAV names them
SLACK = 0.1  # s by which an AVI's sound may fall short of its header: writers count pictures, codecs delay
RATES = (1000, 1_000_000)  # Hz; any other is a damaged header's, and takes all memory to resample from
BLOCK = 2**20  # numbers decoded at a time, so that channels are never all in memory


class Silence(Faults):
    """A recording is silent."""


def resample(samples: np.ndarray, source: int, target: int) -> np.ndarray:
    """``samples`` (n,) from ``source`` Hz to ``target`` Hz, as MATLAB's ``resample(x, p, q)`` does."""
    if source == target:
        return samples
    common = gcd(source, target)
    return resample_poly(samples, target // common, source // common, window=("kaiser", 5.0))


def read(
    path: Path | str, rate: int = 16000, start: float | None = None, stop: float | None = None
) -> np.ndarray:
    """Samples (n,) float64 at ``rate`` Hz, mono, full scale 1, of an AVI file or any that libsndfile reads.

    ``start`` and ``stop`` in s cut before resampling. Raises Faults as ``load`` does.
    """
    samples, source = load(path, start, stop)
    return resample(samples, source, rate)


def load(path: Path | str, start: float | None = None, stop: float | None = None) -> tuple[np.ndarray, int]:
    """Mono samples (n,) float64 at the file's own rate, and that rate in Hz.

    Raises Faults if the file is missing, unreadable, truncated, or if what lies between ``start`` and
    ``stop`` (s) is empty, shorter than one frame, silent (all samples equal), no number, or past the end.
    That a file is truncated shows in all kinds that ``own`` finds, but for an MP3 without a header that ends
    between two frames; not in every other kind that libsndfile reads.
    """
    path = Path(path)
    with _seekable(path) as file:
        return _samples(file, path, start, stop), file.samplerate


def parts(
    path: Path | str, rate: int, times: Iterable[tuple[float | None, float | None]]
) -> Iterator[np.ndarray | None]:
    """Of each (start, stop) of ``times`` what ``read`` returns, from one opening of the file; None if silent.

    Raises Faults as ``load`` does, but for silence.
    """
    path = Path(path)
    with _seekable(path) as file:
        for start, stop in times:
            try:
                yield resample(_samples(file, path, start, stop), file.samplerate, rate)
            except Silence:
                yield None


def _samples(file: soundfile.SoundFile, path: Path, start: float | None, stop: float | None) -> np.ndarray:
    """What ``load`` returns of the open ``file``."""
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
            f"{path}: its header promises {last - first} samples, more than there is memory for; copy it "
            "again, or cut it"
        ) from None
    block_size = max(1, BLOCK // file.channels)
    try:
        file.seek(first)
        buffer = np.empty((min(block_size, len(samples)), file.channels))
        while decoded < len(samples):  # not file.blocks, which passes off what it did not read
            block = file.read(len(samples) - decoded, out=buffer)
            if not len(block):
                break
            mono = block[:, 0] if file.channels == 1 else block.mean(axis=1)  # slow, even of one
            samples[decoded : decoded + len(block)] = mono
            decoded += len(block)
    except soundfile.LibsndfileError as error:
        raise _damaged(path, error) from None
    what = (
        f"{path}"
        if start is None and stop is None
        else f"{path} from {first / rate:.3f} to {last / rate:.3f} s"
    )
    if decoded < len(samples):
        raise Faults(f"{path}: breaks off {len(samples) - decoded} samples early; copy it again")
    if len(samples) < SHORTEST * rate:
        raise Faults(
            f"{what}: lasts {len(samples) / rate:.4f} s, less than one frame of {SHORTEST} s; leave it out"
        )
    low, high = samples.min(), samples.max()  # NaN if any is
    if not np.isfinite([low, high]).all():
        raise Faults(f"{what}: has samples that are no numbers (NaN or infinite); write the file again")
    if low == high:
        raise Silence(f"{what}: is silent (all samples are {samples[0]:g}); replace it or leave it out")
    return samples


def _damaged(path: Path, error: soundfile.LibsndfileError) -> Faults:
    return Faults(f"{path}: breaks off or is damaged ({error.error_string}); copy it again")


def seconds(path: Path | str, start: float | None = None, stop: float | None = None) -> float:
    """Length in s of what ``read`` would return, from the header alone (an AVI has to be decoded).

    Raises Faults if the file cannot be opened.
    """
    with _opened(Path(path)) as file:
        first, last = _bounds(file, start, stop)
        return (last - first) / file.samplerate


def rate_of(path: Path | str) -> int:
    """The file's own sampling rate in Hz. Raises Faults if the file cannot be opened."""
    with _opened(Path(path)) as file:
        return file.samplerate


def _bounds(file: soundfile.SoundFile, start: float | None, stop: float | None) -> tuple[int, int]:
    first = 0 if start is None else round(start * file.samplerate)
    last = file.frames if stop is None else round(stop * file.samplerate)
    return min(first, last), last


def _opened(path: Path) -> soundfile.SoundFile:
    """The file, open for decoding."""
    file = _decoder(path)
    if not RATES[0] <= file.samplerate <= RATES[1]:
        rate = file.samplerate
        file.close()
        raise Faults(f"{path}: its header says {rate} Hz, which no recording has; write the file again")
    return file


def _seekable(path: Path) -> soundfile.SoundFile:
    """The file, open for decoding from anywhere: all of it in memory, if libsndfile finds no place in it."""
    file = _opened(path)
    if file.seekable():
        return file
    wav, decoded = io.BytesIO(), 0
    with file, soundfile.SoundFile(wav, "w", file.samplerate, file.channels, "PCM_16", format="WAV") as whole:
        try:  # GSM, G.721 and the like, which all decode to 16 bits
            while len(block := file.read(BLOCK // file.channels, "int16", always_2d=True)):
                whole.write(block)
                decoded += len(block)
        except soundfile.LibsndfileError as error:
            raise _damaged(path, error) from None
    if decoded < file.frames:
        raise Faults(f"{path}: breaks off {file.frames - decoded} samples early; copy it again")
    wav.seek(0)
    return soundfile.SoundFile(wav)


def _decoder(path: Path) -> soundfile.SoundFile:
    if path.is_dir():
        raise Faults(f"{path}: is a folder, not an audio file")
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for
            raise Faults(f"{path}: is a pipe or a device, not an audio file")
        held = about.st_size
        with open(path, "rb") as file:
            riff, start, size = headers.wav_sizes(file)
            if size == 0 and riff != held - 8:  # streamed too, but libsndfile would take the 0 at its word
                file.seek(0)
                content = bytearray(file.read())
                content[4:8] = content[start - 4 : start] = b"\xff" * 4
                return soundfile.SoundFile(io.BytesIO(content))
            whole = start + size if size < headers.STREAMED else headers.size(file)
            breaks_off = headers.breaks_off(file)
        if not held:
            raise Faults(f"{path}: is an empty file (0 bytes); replace it or leave it out")
        if path.suffix.lower() == ".avi":
            return _sound_of_avi(path, held)
        if breaks_off:
            raise Faults(f"{path}: is truncated, its last page is cut; copy it again")
        if whole > held:
            raise Faults(
                f"{path}: is truncated, its header promises {whole - held} bytes more than it holds; "
                "copy it again"
            )
        file = soundfile.SoundFile(os.fsencode(path))  # whose name may be in any encoding
        return mp3.whole(path, file) if file.format == "MP3" else file
    except FileNotFoundError:
        raise Faults(f"{path}: is missing") from None
    except OSError as error:
        raise Faults(
            f"{path}: cannot be read ({error.strerror}); check its permissions and the disk"
        ) from None
    except soundfile.LibsndfileError as error:
        raise Faults(
            f"{path}: cannot be read as audio ({error.error_string}); WAV, FLAC, MP3 and OGG can"
        ) from None


def _sound_of_avi(path: Path, held: int) -> soundfile.SoundFile:
    """The sound of an AVI file of ``held`` bytes, every channel and sample as it is, as a WAV in memory.

    So channels are averaged as everywhere else: FFmpeg's own downmix scales them.
    """
    av = mp3.pyav(path)
    with open(path, "rb") as file:
        riff, promised = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
    if riff == b"RIFF" and promised < headers.STREAMED and promised + 8 > held:
        raise Faults(
            f"{path}: is truncated, its header promises {promised + 8 - held} bytes more than it holds; "
            "copy it again"
        )
    try:
        # As AVI and as an open file, since by its content and path FFmpeg would read playlists, and with them
        # any other file. A title or a program's name in the header may be in any encoding; nothing here
        # reads them.
        with (
            open(path, "rb") as file,
            av.open(file, format="avi", metadata_errors="ignore") as container,
        ):
            if not container.streams.audio:
                raise Faults(f"{path}: has no sound, only pictures; replace it or leave it out")
            stream = container.streams.audio[0]
            if stream.codec_context is None or not stream.channels:
                raise Faults(f"{path}: its header names no sound that can be decoded; copy it again")
            rate, channels = stream.rate, stream.channels
            promised = float(stream.frames * stream.time_base)  # 'frames' is the header's length in its unit
            name = stream.format.packed.name
            blocks = [_interleaved(frame, channels) for frame in container.decode(stream)]
    except av.FFmpegError as error:
        raise Faults(f"{path}: cannot be read as AVI ({error.strerror}); copy it again") from None
    if name not in SAMPLES:
        raise Faults(f"{path}: has samples of an unknown kind ({name}); convert it to WAV")
    if len({block.shape[1] for block in blocks}) > 1:
        raise Faults(f"{path}: has a number of channels that changes on the way; convert it to WAV")
    samples = np.concatenate(blocks) if blocks else np.empty((0, channels), np.int16)
    if len(samples) and len(samples) / rate < promised - SLACK:  # FFmpeg skips damage without a word
        raise Faults(
            f"{path}: holds {len(samples) / rate:.3f} s of sound and its header promises {promised:.3f} s; "
            "copy it again"
        )
    if name == "u8":  # libsndfile takes no unsigned arrays
        samples = (samples.astype(np.int16) - 128) << 8
    wav = io.BytesIO()
    soundfile.write(wav, samples, rate, SAMPLES[name], format="WAV")
    wav.seek(0)
    return soundfile.SoundFile(wav)


def _interleaved(frame, channels: int) -> np.ndarray:
    """One decoded block as (n, channels)."""
    samples = frame.to_ndarray()  # (channels, n) if planar, else (1, n * channels)
    return samples.T if frame.format.is_planar else samples.reshape(-1, channels)
