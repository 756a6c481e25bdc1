"""Find the true length of an MP3 file.

libsndfile trusts the header of the first frame, or estimates the length from the first frames. So with
a variable bit rate it misses the end of the file or reads beyond it. Of several joined files it reads only
the first.
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
from data_prep.sound import ffmpeg, headers

# An encoder's header is a separate frame, with 'Xing' or 'Info' where other frames have their samples.
HEADER = re.compile(rb"\xff[\xe2-\xff].{11}(.{8}(.{15})?)?(Xing|Info)", re.DOTALL)
# The first bytes of a frame of layer III at any rate.
ANY_FRAME = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb][\x10-\xef]", re.DOTALL)
FEW = 2  # packets that may look like frames of another rate by chance
FRAME = 1441  # bytes, the longest frame
# Samples; an upper bound of the padding at both ends that an encoder adds and libsndfile removes.
CUT = 3 * 4096
DELAY = 529  # samples of the decoder's delay, which libsndfile also removes


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
    """Return the open MP3 ``file`` at ``path``, or if its length is wrong, a repaired copy of it.

    Raises:
        Faults: The length is wrong and cannot be mended.
    """
    status = path.stat()
    frames = _count_frames(path, status.st_size, status.st_mtime_ns)
    if frames.length == file.frames:
        return file
    if (
        frames.headed and frames.length <= file.frames + CUT
    ):  # if the file is truncated, reading it will detect that
        return file
    rate, stated = file.samplerate, file.frames
    file.close()
    if frames.headed or file.subtype != "MPEG_LAYER_III":
        raise Faults(
            f"{path}: seems to last {stated / rate:.3f} s but holds {frames.length / rate:.3f} s of sound, "
            "as several files in a row do; write its header again (ffmpeg -i in.mp3 -c copy out.mp3), or "
            "convert it to WAV"
        )
    content = path.read_bytes()[frames.begin :]
    return soundfile.SoundFile(io.BytesIO(_header(content[:4], rate, frames.count) + content))


@functools.lru_cache(64)  # a long file is opened again for each group of its windows
def _count_frames(path: Path, size: int, changed: int) -> Frames:
    """Count the frames of an MP3. Its size and time of change make the cache forget a changed file."""
    av = ffmpeg.pyav(path)
    try:
        with open(path, "rb") as file, ffmpeg.container(path, file, "mp3") as recording:
            stream = recording.streams.audio[0]
            packets = (packet for packet in recording.demux(stream) if packet.size)
            first = next(packets)
            begin, samples = first.pos, int(first.duration * stream.time_base * stream.rate)
            frame = _frame_pattern(bytes(first))
            # FFmpeg also returns tags and other data behind the sound, which are not counted.
            count, others = 1, 0
            for content in map(bytes, packets):
                counted = frame.search(content) is not None
                count += counted
                others += not counted and ANY_FRAME.match(content) is not None
    except (av.FFmpegError, IndexError, StopIteration, AttributeError, TypeError):
        # There is no stream, packet or decoder.
        raise Faults(f"{path}: is damaged and contains no sound; copy it again") from None
    if others > FEW:
        raise headers.in_a_row(path)
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

    These bytes are a header with the length, and a silent frame. libsndfile removes at least its decoder's
    delay from the beginning, and with the silent frame it removes no sound.
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
