"""Decode sound with FFmpeg (through PyAV): AVI, MP4, WebM, and WAV, CAF and OGG with other codecs."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from data_prep.base.faults import Faults
from data_prep.sound import headers, kinds

SUBTYPES = {"u8": "PCM_16", "s16": "PCM_16", "s32": "PCM_32", "flt": "FLOAT", "dbl": "DOUBLE"}
"""PyAV's name of a sample format -> libsndfile's. libsndfile does not write unsigned arrays."""

FILMS = {"AVI": "avi", "MP4": "mp4", "WebM": "matroska"}  # kind -> FFmpeg's name
# s by which the sound may be shorter than its header states, because codecs add a delay
SLACK = {"AVI": 0.1, "MP4": 0.2, "WebM": 0.2}
UNKNOWN = 2**30  # number of samples or packets that FFmpeg writes into the header of a streamed AVI
# Codecs that FFmpeg decodes completely in WAV, CAF and OGG. It loses most of AAC in WAV, and repeats Speex.
COMPLETE = (
    "mp1 mp1float mp2 mp2float mp3 mp3float flac alac opus vorbis g723_1 g726 wmav1 wmav2 gsm gsm_ms"
).split()


def pyav(path: Path):
    """Import PyAV, which only some kinds of files need.

    Raises:
        Faults: PyAV is not installed. The message names ``path``.
    """
    try:
        import av
    except ImportError:
        raise Faults(
            f"{path}: reading it needs the package av; install av, or convert the file to WAV"
        ) from None
    return av


@contextlib.contextmanager
def container(path: Path, file: BinaryIO, format: str) -> Iterator[Any]:
    """Open ``file``, the content of ``path``, as a container of this format.

    FFmpeg gets the format and an open file, because with a path alone it would follow playlists to other
    files. It ignores titles and program names in the header, because these may be in any encoding.
    """
    av = pyav(path)
    file.seek(0)
    try:
        opened = av.open(file, format=format, metadata_errors="ignore")
    except TypeError:  # PyAV 19 has no such argument
        opened = av.open(file, format=format)
    with opened:
        yield opened


def film(path: Path, kind: str, length: int) -> soundfile.SoundFile:
    """Decode the sound of a film, or of a recording of a phone or a browser.

    Args:
        path: The file.
        kind: A kind in FILMS.
        length: The file's size in bytes.

    Raises:
        Faults: The file is damaged or truncated, or has no sound.
    """
    with open(path, "rb") as file:
        if kind == "AVI":
            file.seek(4)
            (size,) = struct.unpack("<I", file.read(4))
            if 0 < size < headers.STREAMED and size + 8 > length:
                raise headers.truncated(path, size + 8 - length)
        try:
            with container(path, file, FILMS[kind]) as recording:
                if not recording.streams.audio:
                    raise Faults(f"{path}: has pictures but no sound; replace it or leave it out")
                stream = recording.streams.audio[0]
                if stream.codec_context is None or not stream.channels:
                    raise Faults(f"{path}: its header describes no sound that can be decoded; copy it again")
                stated = _stated(recording, stream, kind)
                wav = _decoded(path, recording, stream)
        except pyav(path).FFmpegError as error:
            raise Faults(f"{path}: cannot be read as {kind} ({error.strerror}); copy it again") from None
    seconds = wav.frames / wav.samplerate
    if seconds < stated - SLACK[kind]:  # FFmpeg skips damaged parts silently
        raise Faults(
            f"{path}: holds {seconds:.3f} s of sound, but its header states {stated:.3f} s; copy it again"
        )
    return wav


def _stated(recording, stream, kind: str) -> float:
    """Return the length in s that the header of a film states, 0 if it states none."""
    if kind == "AVI":  # where 'frames' is the length in units of time_base
        return float(stream.frames * stream.time_base) if stream.frames < UNKNOWN else 0.0
    if stream.duration:
        return float(stream.duration * stream.time_base)
    return (recording.duration or 0) / 1e6  # of the longest stream, in microseconds


def other(path: Path, file: BinaryIO, kind: str) -> soundfile.SoundFile | None:
    """Decode a WAV, CAF or OGG with a codec that libsndfile does not read.

    Args:
        path: The file, for messages.
        file: The file's content, or one of several recordings in it.
        kind: 'WAV', 'CAF' or 'OGG'.

    Returns:
        The sound, or None if libsndfile rejects the file for another reason than its codec.

    Raises:
        Faults: FFmpeg cannot decode the codec completely. The message names the codec.
    """
    name, wav = kinds.codec(file, kind), None
    # For codecs that this build of FFmpeg lacks, PyAV raises ValueError and other exceptions.
    with contextlib.suppress(pyav(path).FFmpegError, ValueError, AttributeError):
        with container(path, file, kind.lower()) as recording:
            stream = next(iter(recording.streams.audio), None)
            if stream is not None and stream.codec_context is not None and stream.channels:
                decoder = stream.codec_context.name
                name = name or decoder
                if decoder in COMPLETE or decoder.startswith("adpcm_"):
                    wav = _decoded(path, recording, stream)
    if wav is None and (not name or name.startswith("pcm_")):
        return None
    if wav is None or not wav.frames:
        raise Faults(f"{path}: its sound is coded as {name}, which cannot be read in {kind}; {kinds.CONVERT}")
    return wav


def _decoded(path: Path, recording, stream) -> soundfile.SoundFile:
    """Decode ``stream`` of an open container to a WAV in memory, with all its channels.

    The channels are averaged later, as for every other file: FFmpeg's own downmix would scale them.
    """
    rate, channels, name = stream.rate, stream.channels, stream.format.packed.name
    if name not in SUBTYPES:
        raise Faults(f"{path}: has samples of an unknown format ({name}); convert it to WAV")
    content = io.BytesIO()
    with soundfile.SoundFile(content, "w", rate, channels, SUBTYPES[name], format="WAV") as wav:
        for frame in recording.decode(stream):
            samples = frame.to_ndarray()  # (channels, n) if planar, otherwise (1, n * channels)
            if frame.layout.nb_channels != channels or frame.sample_rate != rate:
                raise Faults(
                    f"{path}: has a rate or a number of channels that changes within the file; "
                    "convert it to WAV"
                )
            if name == "u8":
                samples = (samples.astype(np.int16) - 128) << 8
            wav.write(samples.T if frame.format.is_planar else samples.reshape(-1, channels))
    content.seek(0)
    return soundfile.SoundFile(content)
