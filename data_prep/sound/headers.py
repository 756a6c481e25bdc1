"""The sizes stated in the headers of sound files. libsndfile itself shortens a truncated file silently."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

STREAMED = 0x7FFFF000  # sizes from here on mean 'unknown': SoX writes this to a pipe, others 0xFFFFFFFF or 0
PAGE = 27 + 255 + 255 * 255  # bytes, the longest page of an OGG file


def size(file: BinaryIO) -> int:
    """Return the least size in bytes that the header of an AIFF, AU, RF64 or W64 file states; 0 if none."""
    file.seek(0)
    head = file.read(28).ljust(28, b"\0")
    stated = 0
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        stated = struct.unpack(">I", head[4:8])[0]
        return stated + 8 if stated < 0x7F000000 else 0  # SoX adds the bytes written so far to 0x7F000000
    if head[:4] in (b".snd", b"dns."):
        start, stated = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
        return start + stated if stated < STREAMED else 0
    if head[:4] == b"RF64" and head[12:16] == b"ds64":
        stated = struct.unpack("<Q", head[20:28])[0] + 8
    elif head[:4] == b"riff":  # W64
        stated = struct.unpack("<Q", head[16:24])[0]
    return stated if stated < 2**62 else 0


def breaks_off(file: BinaryIO) -> bool:
    """Return whether a file is an OGG (Vorbis, Opus, ...) whose last page is cut.

    The flag that marks a last page is not required: voice messages of phones lack it.
    """
    file.seek(0)
    if file.read(4) != b"OggS":
        return False
    file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * PAGE))
    content = file.read()
    page = content[content.rfind(b"OggS\0") :]
    sizes = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) < 27 or len(page) < 27 + page[26] + sum(sizes)


def wav_sizes(file: BinaryIO) -> tuple[int, int, int]:
    """Read the header of a WAV file.

    Returns:
        The stated size of the file, the position of the samples and their stated size, all in bytes.
        (0, 0, STREAMED) for any other file.
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        while len(chunk := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", chunk)
            if name == b"data":
                return struct.unpack("<I", head[4:8])[0], file.tell(), length
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0, 0, STREAMED
