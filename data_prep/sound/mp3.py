"""The true length of an MP3 file.

libsndfile trusts the header of the first frame, or estimates the length from the first frames. So with a
variable bit rate it misses the end or reads beyond it, and of several files joined in one it reads the first.
"""

from __future__ import annotations

import functools
import io
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import soundfile

from data_prep.base.faults import Faults

# An encoder's header is a frame of its own, with Xing or Info where other frames have their samples.
HEADER = re.compile(rb"\xff[\xe2-\xff].{11}(.{8}(.{15})?)?(Xing|Info)", re.DOTALL)
FRAME = 1441  # bytes, the longest frame
CUT = 3 * 4096  # samples; more than an encoder may have added at both ends, which libsndfile removes
DELAY = 529  # samples that libsndfile removes besides


@dataclass(frozen=True)
class Frames:
    """The frames of an MP3.

    Attributes:
        begin: The position of the first frame, in bytes.
        count: The number of frames.
        length: The number of samples in all frames.
        headed: Whether a header that libsndfile knows states the length.
    """

    begin: int
    count: int
    length: int
    headed: bool


def whole(path: Path, file: soundfile.SoundFile) -> soundfile.SoundFile:
    """Return ``file``, the open MP3 at ``path``, or if its length is wrong, another file with all samples.

    Raises:
        Faults: The true length is not known.
    """
    status = path.stat()
    frames = _count_frames(path, status.st_size, status.st_mtime_ns)
    if frames.length == file.frames:
        return file
    if frames.headed and frames.length <= file.frames + CUT:  # if it is shorter, reading will detect that
        return file
    rate, stated = file.samplerate, file.frames
    file.close()
    if frames.headed or file.subtype != "MPEG_LAYER_III":
        raise Faults(
            f"{path}: seems to last {stated / rate:.3f} s but holds {frames.length / rate:.3f} s of sound; "
            "write its header again (ffmpeg -i in.mp3 -c copy out.mp3), or convert it to WAV"
        )
    content = path.read_bytes()[frames.begin :]
    return soundfile.SoundFile(io.BytesIO(_header(content[:4], rate, frames.count) + content))


def pyav(path: Path):
    """Import PyAV, which only MP3 and AVI files need.

    Raises:
        Faults: It is not installed. The message names ``path``.
    """
    try:
        import av
    except ImportError:
        raise Faults(
            f"{path}: to read MP3 and AVI the package av is needed; install it, or convert to WAV"
        ) from None
    return av


@functools.lru_cache(64)  # a long file is opened again for each group of its windows
def _count_frames(path: Path, size: int, changed: int) -> Frames:
    """Count the frames of an MP3. Its size and time of change make the cache forget a changed file."""
    av = pyav(path)
    try:
        with (
            open(path, "rb") as file,
            av.open(file, format="mp3", metadata_errors="ignore") as container,
        ):
            stream = container.streams.audio[0]
            packets = (packet for packet in container.demux(stream) if packet.size)
            first = next(packets)
            begin, samples = first.pos, int(first.duration * stream.time_base * stream.rate)
            frame = _frame_pattern(bytes(first))
            # FFmpeg also returns what stands behind the sound, such as tags; that is not counted.
            count = 1 + sum(frame.search(packet) is not None for packet in packets)
    except (
        av.FFmpegError,
        IndexError,
        StopIteration,
        AttributeError,
        TypeError,
    ):  # there is no stream, packet or decoder
        raise Faults(f"{path}: is damaged, it contains no sound; copy it again") from None
    with open(path, "rb") as file:
        file.seek(max(0, begin - FRAME))
        headed = HEADER.search(file.read(min(begin, FRAME))) is not None
    return Frames(begin, count, samples * count, headed)


def _frame_pattern(frame: bytes) -> re.Pattern[bytes]:
    """Match the beginning of any frame with the version, layer and sampling rate of ``frame``."""
    kinds = bytes([frame[1] & 0xFE, frame[1] | 1])  # with and without CRC
    rates = bytes(byte for byte in range(0xF0) if byte & 0x0C == frame[2] & 0x0C)  # any bit rate
    return re.compile(b"\xff[" + re.escape(kinds) + b"][" + re.escape(rates) + b"]", re.DOTALL)


def _header(first: bytes, rate: int, count: int) -> bytes:
    """Return bytes to prepend so that libsndfile decodes all ``count`` frames unchanged.

    They are a header with the length, and a silent frame, because libsndfile removes at least the delay of
    its decoder from the beginning.
    """
    mpeg1, mono = first[1] & 8, first[3] >> 6 == 3
    silent = bytes([first[0], first[1] | 1, 0xE0 | first[2] & 0x0C, first[3]])  # highest bit rate, no CRC
    size = (144 * 320_000 if mpeg1 else 72 * 160_000) // rate
    side = (17 if mono else 32) if mpeg1 else (9 if mono else 17)
    delay = (1152 if mpeg1 else 576) - DELAY
    xing = (
        b"Xing" + struct.pack(">II", 1, count + 1) + b"LAME".ljust(21, b"\0") + struct.pack(">H", delay << 4)
    )
    # Without a file name libsndfile recognises an MP3 only by its ID3 tag; this one is empty.
    tag = b"ID3\3\0\0\0\0\0\x0a" + bytes(10)
    return tag + (silent + bytes(side) + xing).ljust(size, b"\0") + silent.ljust(size, b"\0")
