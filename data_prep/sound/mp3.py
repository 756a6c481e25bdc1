"""How long an MP3 is: libsndfile believes its first header, or without one guesses from its first frames.

So of a variable bit rate it loses the end or invents one, and of files put in a row it reads the first.
"""

from __future__ import annotations

import functools
import io
import re
import struct
from pathlib import Path

import soundfile

from data_prep.base.faults import Faults

# An encoder's header is a frame of its own: Xing or Info, where the samples of a frame without CRC begin.
HEADER = re.compile(rb"\xff[\xe2-\xff].{11}(.{8}(.{15})?)?(Xing|Info)", re.DOTALL)
FRAME = 1441  # bytes, the longest there is
CUT = 3 * 4096  # samples; more than an encoder may have added at both ends, which libsndfile takes off
DELAY = 529  # samples that libsndfile takes off besides


def whole(path: Path, file: soundfile.SoundFile) -> soundfile.SoundFile:
    """``file``, which is the MP3 at ``path``, or if its length is wrong another of the same samples.

    Raises Faults if there is no telling how long it is.
    """
    about = path.stat()
    begin, count, length, told = _counted(path, about.st_size, about.st_mtime_ns)
    if length == file.frames:
        return file
    if told and length <= file.frames + CUT:  # if it is less, reading finds out
        return file
    rate, promised = file.samplerate, file.frames
    file.close()
    if told or file.subtype != "MPEG_LAYER_III":
        raise Faults(
            f"{path}: seems to last {promised / rate:.3f} s and holds {length / rate:.3f} s of sound; have "
            "its header written again (ffmpeg -i in.mp3 -c copy out.mp3), or convert it to WAV"
        )
    content = path.read_bytes()[begin:]
    return soundfile.SoundFile(io.BytesIO(_header(content[:4], rate, count) + content))


def pyav(path: Path):
    """The package that only MP3 and AVI need. Raises Faults where it is not installed."""
    try:
        import av
    except ImportError:
        raise Faults(
            f"{path}: to read MP3 and AVI the package av is needed; install it, or convert to WAV"
        ) from None
    return av


@functools.lru_cache(64)  # one file is opened for each piece of its windows
def _counted(path: Path, size: int, changed: int) -> tuple[int, int, int, bool]:
    """Of the frames of an MP3: where the first is (bytes), how many, samples in all, and whether a header
    that libsndfile knows counts them."""
    av = pyav(path)
    try:
        with (
            open(path, "rb") as file,
            av.open(file, format="mp3", metadata_errors="ignore") as container,
        ):
            stream = container.streams.audio[0]
            packets = (packet for packet in container.demux(stream) if packet.size)
            first = next(packets)
            begin, each = first.pos, int(first.duration * stream.time_base * stream.rate)
            frame = _alike(bytes(first))
            # What stands behind the sound is not counted, which FFmpeg passes on too.
            count = 1 + sum(frame.search(packet) is not None for packet in packets)
    except (
        av.FFmpegError,
        IndexError,
        StopIteration,
        AttributeError,
        TypeError,
    ):  # no stream, packet, decoder
        raise Faults(f"{path}: is damaged, no sound is found in it; copy it again") from None
    with open(path, "rb") as file:
        file.seek(max(0, begin - FRAME))
        told = HEADER.search(file.read(min(begin, FRAME))) is not None
    return begin, count, each * count, told


def _alike(frame: bytes) -> re.Pattern:
    """How every frame of an MP3 begins that has ``frame``: of one version, layer and sampling rate."""
    kinds = bytes([frame[1] & 0xFE, frame[1] | 1])  # with and without CRC
    rates = bytes(byte for byte in range(0xF0) if byte & 0x0C == frame[2] & 0x0C)  # any bit rate there is
    return re.compile(b"\xff[" + re.escape(kinds) + b"][" + re.escape(rates) + b"]", re.DOTALL)


def _header(first: bytes, rate: int, count: int) -> bytes:
    """What libsndfile reads ``count`` frames after, every sample as it would without: a header with the
    length, and since it takes off at least its decoder's delay, a frame of silence to take off."""
    new, mono = first[1] & 8, first[3] >> 6 == 3  # MPEG 1 or 2
    silent = bytes([first[0], first[1] | 1, 0xE0 | first[2] & 0x0C, first[3]])  # highest bit rate, no CRC
    size = (144 * 320_000 if new else 72 * 160_000) // rate
    side = (17 if mono else 32) if new else (9 if mono else 17)
    delay = (1152 if new else 576) - DELAY
    about = (
        b"Xing" + struct.pack(">II", 1, count + 1) + b"LAME".ljust(21, b"\0") + struct.pack(">H", delay << 4)
    )
    # Without a name libsndfile knows an MP3 by its ID3 tag alone, here one that is empty.
    tag = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)
    return tag + (silent + bytes(side) + about).ljust(size, b"\0") + silent.ljust(size, b"\0")
