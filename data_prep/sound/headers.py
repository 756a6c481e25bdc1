"""What the headers of sound files say of their size. libsndfile shortens a truncated file without a word."""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

STREAMED = 0x7FFFF000  # writers to a pipe cannot know the size: SoX puts this, others 0xFFFFFFFF or 0
PAGE = 27 + 255 + 255 * 255  # bytes, the longest of an OGG


def size(file: BinaryIO) -> int:
    """Bytes that an AIFF, AU, RF64 or W64 file should hold at least by its header; 0 if that does not say."""
    file.seek(0)
    head = file.read(28).ljust(28, b"\0")
    whole = 0
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        whole = struct.unpack(">I", head[4:8])[0]
        return whole + 8 if whole < 0x7F000000 else 0  # where SoX begins, which adds what it has written
    if head[:4] in (b".snd", b"dns."):
        start, whole = struct.unpack(">II" if head[:4] == b".snd" else "<II", head[4:12])
        return start + whole if whole < STREAMED else 0
    if head[:4] == b"RF64" and head[12:16] == b"ds64":
        whole = struct.unpack("<Q", head[20:28])[0] + 8
    elif head[:4] == b"riff":  # W64
        whole = struct.unpack("<Q", head[16:24])[0]
    return whole if whole < 2**62 else 0


def breaks_off(file: BinaryIO) -> bool:
    """Whether a file is an OGG (Vorbis, Opus, ...) whose last page is cut.

    That a page is the last by its flag is not asked: phones' voice messages have none such.
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
    """What a WAV file's header says: size of the whole, start of the samples, their size, all in bytes.

    Any other file: (0, 0, STREAMED), nothing to compare.
    """
    head = file.read(12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        while len(chunk := file.read(8)) == 8:
            name, size = struct.unpack("<4sI", chunk)
            if name == b"data":
                return struct.unpack("<I", head[4:8])[0], file.tell(), size
            file.seek(size + size % 2, os.SEEK_CUR)
    return 0, 0, STREAMED
